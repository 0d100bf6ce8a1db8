"""Reads users' tables as stripped cells and finds image files by their suffix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radscribe.core.csv_files import read_csv
from radscribe.core.errors import WrongUse
from radscribe.core.folders import files_under
from radscribe.imaging.drawing import is_drawing
from radscribe.imaging.film_files import FILM_SUFFIXES

FRONTAL_NAMES = ("frontal", "pa", "ap")
LATERAL_NAMES = ("lateral", "ll", "rl", "l", "lat")


def read_rows(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file as ``read_csv`` reads them, every cell stripped.

    Raises:
        WrongUse: as ``read_csv`` does, and for a table without rows.
    """
    rows = [{name: cell.strip() for name, cell in row.cells.items()} for row in read_csv(path, required)]
    if not rows:
        raise WrongUse(f"{path}: it has a header and no rows")
    return rows


def image_files(folder: Path, suffixes: Sequence[str] = FILM_SUFFIXES) -> list[Path]:
    """All image files under ``folder`` and the folders that it links to, by their suffix, sorted by path.

    Raises:
        WrongUse: when there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise WrongUse(f"{folder}: no such folder")
    found = [path for path in files_under(folder) if path.suffix.lower() in suffixes]
    found = [path for path in found if not is_drawing(path)]
    if not found:
        raise WrongUse(f"{folder}: it holds no image file (looked for {', '.join(suffixes)})")
    return found


def view_of(name: str) -> str | None:
    """The view, "frontal" or "lateral", of a projection as tables write it (PA, AP, LL, Lateral ...), else None."""
    if name.lower() in FRONTAL_NAMES:
        return "frontal"
    return "lateral" if name.lower() in LATERAL_NAMES else None
