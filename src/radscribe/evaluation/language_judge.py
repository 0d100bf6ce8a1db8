"""Name the language model that may judge reports, and the service that may receive them for it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from radscribe.core.errors import RadscribeError, WrongUse

# By service: the variables that its clients read, keys among them.
SERVICES = {
    "openai": ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
    "azure": (
        "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "ANTHROPIC_FOUNDRY_API_KEY", "ANTHROPIC_FOUNDRY_BASE_URL",
    ),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
}  # fmt: skip
# Keys and addresses of services: hidden from packages unless the user names the service.
HIDDEN = ("OPENAI_", "AZURE_", "GEMINI_", "GOOGLE_", "ANTHROPIC_", "MISTRAL_", "RADMATCH_LOCAL_")
KEY_OF_ADDRESS = "JUDGE_API_KEY"


@dataclass(frozen=True)
class Judge:
    """The language model for figures that need one; by default reports are sent nowhere.

    Raises ``WrongUse`` for an unknown service, or one whose model must be named and is not.
    """

    service: str | None = None  # a name in SERVICES, or the URL of a server of the same interface as OpenAI's
    model: str | None = None  # its name there; without a service, of a model that is loaded on this machine

    def __post_init__(self) -> None:
        if self.service is None:
            return
        if not self.is_address and self.service not in SERVICES:
            known = ", ".join(SERVICES)
            raise WrongUse(f"--send-reports-to: {self.service!r} is not one of {known} or a URL (http://, https://)")
        if self.model is None and (self.is_address or self.service == "gemini"):
            raise WrongUse(f"--send-reports-to {self.service}: no language model is named; add --judge MODEL")

    def __str__(self) -> str:
        return " ".join(part for part in (self.service, self.model) if part)

    @property
    def is_address(self) -> bool:
        """Whether the service is given as a URL."""
        return self.service is not None and self.service.startswith(("http://", "https://"))

    def reaches(self, services: Collection[str]) -> bool:
        """Whether a metric that can use ``services`` may send reports."""
        # All of them speak OpenAI's interface, which is what a server at a URL has.
        return bool(services) and (self.is_address or self.service in services)

    def require_key(self) -> None:
        """Raise ``RadscribeError`` where the environment has no variable of the service."""
        keys = [name for name in SERVICES.get(self.service or "", ()) if name.endswith("_KEY")]
        if keys and not any(map(os.environ.get, keys)):
            raise RadscribeError(f"no key of {self.service} in the environment; set {keys[0]}")

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The variables for a package: without keys and addresses of services other than the one that is named."""
        kept = SERVICES.get(self.service or "", ())
        given = {name: value for name, value in variables.items() if name in kept or not name.startswith(HIDDEN)}
        if self.is_address and self.service is not None:
            # Most servers of one's own ask for no key, but the clients want a word.
            key = variables.get(KEY_OF_ADDRESS) or "none"
            given |= {"OPENAI_BASE_URL": self.service, "OPENAI_API_KEY": key}
            given |= {"RADMATCH_LOCAL_BASE_URL": self.service, "RADMATCH_LOCAL_API_KEY": key}
        return given
