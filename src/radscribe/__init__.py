"""radscribe: drafts chest X-ray reports with the evidence for each sentence. Research use only. Not for diagnosis."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from radscribe.core.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from radscribe.core.errors import RadscribeError
    from radscribe.core.records import Draft
    from radscribe.drafting.reporter import Reporter
    from radscribe.imaging.refusal import RefusedFilm

__all__ = ["Draft", "RadscribeError", "RefusedFilm", "Reporter", "__version__", "load"]

# Where each name lives; it is imported when it is first asked for, so that importing radscribe loads no torch.
_HOMES = {
    "Draft": "radscribe.core.records",
    "RadscribeError": "radscribe.core.errors",
    "RefusedFilm": "radscribe.imaging.refusal",
    "Reporter": "radscribe.drafting.reporter",
}


def load(checkpoint: str | Path | None = None, device: str = "cpu") -> Reporter:
    """Load a trained system, ready to draft reports.

    Args:
        checkpoint: a checkpoint folder or a Hugging Face hub id; by default the checkpoint of the package.
        device: where the networks run, as torch names it: "cpu", "cuda", "mps".

    Returns:
        A ``Reporter``; ``reporter.draft(path_or_array)`` gives a ``Draft``.

    Raises:
        RadscribeError: the checkpoint is missing, damaged or of another version, or there is no such device.
    """
    from radscribe.drafting.reporter import load_reporter

    return load_reporter(checkpoint, device)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
