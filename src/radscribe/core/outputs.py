"""Keeps what a command reads from being replaced by what it writes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from radscribe.core.errors import WrongUse
from radscribe.core.files import PARTIAL


def keep_inputs(outputs: Iterable[Path | None], inputs: Iterable[Path | None]) -> None:
    """Refuse outputs that are inputs too, under whatever name, link or letter case; call it before any long work.

    A file that is written is first written beside itself, under a name that no input may have either. A folder stands
    for itself alone, not for the files in it.

    Raises:
        WrongUse: one line with the output and the input.
    """
    written: dict[tuple[int, int], Path] = {}
    for output in filter(None, outputs):
        for path in (output, output.parent / (output.name + PARTIAL)):
            if (identity := _identity(path)) is not None:
                written.setdefault(identity, output)
    for path in filter(None, inputs if written else ()):
        replaced = written.get(_identity(path) or (0, 0))
        if replaced is not None:
            raise WrongUse(f"{replaced}: writing it would replace the input {path}; name another place to write to")


def _identity(path: Path) -> tuple[int, int] | None:
    """What all names of one file have in common; None where there is no such file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
