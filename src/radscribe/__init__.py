"""radscribe: drafts chest X-ray reports with the evidence for each sentence. Research use only. Not for diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pathlib import Path

    from radscribe.drafting.reporter import Reporter


def load(checkpoint: str | Path | None = None) -> Reporter:
    """A reporter from a checkpoint folder or a hub id; without one, the checkpoint that comes with the package.

    ``load(...).draft(path_or_array)`` gives a ``Draft``. Raises ``RadscribeError`` where the checkpoint is not whole.
    """
    from radscribe.drafting.reporter import load_reporter

    return load_reporter(checkpoint)
