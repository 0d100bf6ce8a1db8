"""The settings of the service, and the tokens that open it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from radscribe.core.errors import WrongUse
from radscribe.core.text_files import read_text
from radscribe.imaging.film import MAXIMUM_FILE_BYTES

SHORTEST_TOKEN = 16
SHORTEST_REASON, LONGEST_REASON = 8, 500
LOCAL = "local"
UNNAMED = "token "  # begins what an owner without a name is called; a name has no space


@dataclass(frozen=True)
class Tokens:
    """Who may use the service: the SHA-256 of each token, with the name of its owner; empty where anyone may."""

    owners: tuple[tuple[str, bytes], ...] = ()

    def owner(self, token: str) -> str | None:
        """The owner of ``token``, None where nobody has it; the time taken does not depend on the token."""
        given, found = hashlib.sha256(token.encode("utf-8", "replace")).digest(), None
        for name, digest in self.owners:
            if hmac.compare_digest(digest, given):
                found = name
        return found


def reader_name(who: str) -> str:
    """How documents name ``who`` of the audit log: a token's owner by name, everybody else as a reader."""
    return "a reader" if who == LOCAL or who.startswith(UNNAMED) else who


def read_tokens(path: Path) -> Tokens:
    """The tokens in a file: on each line a token, or the name of its owner and the token; ``#`` begins a comment.

    Raises ``WrongUse`` for a file without tokens, a line of other words, and a token of fewer than 16 characters.
    """
    fix = f"write a token of {SHORTEST_TOKEN} or more characters on each line, after its owner's name"
    owners: list[tuple[str, bytes]] = []
    for number, line in enumerate(read_text(path, fix).splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) > 2 or len(words[-1]) < SHORTEST_TOKEN:
            raise WrongUse(f"{path}: line {number} is no token; {fix}")
        owner = words[0] if len(words) == 2 else f"{UNNAMED}{len(owners) + 1}"
        owners.append((owner, hashlib.sha256(words[-1].encode()).digest()))
    if not owners:
        raise WrongUse(f"{path}: it has no token; {fix}")
    return Tokens(tuple(owners))


@dataclass(frozen=True)
class DecodingLimits:
    """What the process that decodes a film may use of the machine; raises ``ValueError`` for limits below 1."""

    # Processes that decode at the same time.
    workers: int = 2
    # Address space of one process, in MiB; its libraries take about 200 of it.
    memory: int = 1024
    # Seconds for one film.
    seconds: float = 30.0

    def __post_init__(self) -> None:
        if min(self.workers, self.memory, self.seconds) < 1:
            raise ValueError("workers, memory and seconds of decoding must be 1 or more")


@dataclass(frozen=True)
class ServeConfig:
    """How the service runs; raises ``WrongUse`` for settings that are unsafe or contradict each other."""

    # Folder for films and, by default, the database.
    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    # Database as SQLAlchemy names it; None is SQLite in ``data``.
    database: str | None = None
    tokens: Tokens = field(default_factory=Tokens, repr=False)
    # Days after which films and drafts are deleted; None keeps them.
    retain: float | None = None
    # Studies that may wait for the model or be drafted; more are answered with 503.
    queue: int = 64
    # Studies drafted together at most.
    batch: int = 8
    # Films of one study.
    films: int = 8
    # Bytes of one film, and of one request.
    film_bytes: int = MAXIMUM_FILE_BYTES
    request_bytes: int = 2 * MAXIMUM_FILE_BYTES
    # Seconds in which a request must have been sent.
    upload_seconds: float = 120.0
    # The kind of map that sentences show, as ``radscribe generate`` takes it.
    evidence: str = "best"
    # What a model must show to take the place of another; None is the file that comes with the package.
    acceptance: Path | None = None
    # Why a model that does not show it may take that place all the same; for the audit log, so nothing of a patient.
    accept_unscored: str | None = None
    decoding: DecodingLimits = field(default_factory=DecodingLimits)

    def __post_init__(self) -> None:
        if not self.tokens.owners and not is_loopback(self.host):
            raise WrongUse(f"--host {self.host}: others could use the service; give --token-file, or keep 127.0.0.1")
        if not 0 <= self.port < 2**16:
            raise WrongUse(f"--port {self.port}: no such port; choose one between 0 and 65535")
        if self.retain is not None and self.retain <= 0:
            raise WrongUse(f"--retain {self.retain:g}: give a number of days above 0, or leave it out to keep all")
        require_reason(self.accept_unscored)
        if min(self.queue, self.batch, self.films, self.film_bytes, self.request_bytes) < 1:
            raise WrongUse("--queue, --batch and the limits of films and bytes must be 1 or more")

    @property
    def database_url(self) -> str:
        """The database: the one that is named, else SQLite in the folder ``data``."""
        return self.database or f"sqlite:///{(self.data / 'radscribe.db').resolve()}"

    @property
    def hosts(self) -> frozenset[str]:
        """The names under which a browser on this machine may ask, where no token is needed."""
        return frozenset({"localhost", "127.0.0.1", "[::1]", self.host})


def require_reason(reason: str | None) -> None:
    """Raises ``WrongUse`` for an ``--accept-unscored`` that is no reason; None is that nobody gave one."""
    if reason is not None and not (reason.isprintable() and SHORTEST_REASON <= len(reason.strip()) <= LONGEST_REASON):
        raise WrongUse(f"--accept-unscored: give the reason in {SHORTEST_REASON} to {LONGEST_REASON} characters")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
