"""Reads users' CSV tables strictly and finds image files by their suffix."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from radscribe.core.errors import WrongUse

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")
FRONTAL_NAMES = ("frontal", "pa", "ap")
LATERAL_NAMES = ("lateral", "ll", "rl", "l", "lat")


def read_rows(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file (UTF-8, with a header), every cell stripped, missing cells as "".

    Raises:
        WrongUse: naming the file, for a missing, empty or non-UTF-8 file, missing columns, or a line
            with more cells than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = [name.strip() for name in reader.fieldnames or ()]
            if not header:
                raise WrongUse(f"{path}: it is empty; its first line must name the columns {', '.join(required)}")
            missing = [name for name in required if name not in header]
            if missing:
                raise WrongUse(
                    f"{path}: the column {', '.join(missing)} is missing; its columns are {', '.join(header)}"
                )
            reader.fieldnames = header
            rows = []
            for row in reader:
                if None in row:
                    raise WrongUse(f"{path}: line {reader.line_num} has more cells than the header; quote its commas")
                rows.append({name: (cell or "").strip() for name, cell in row.items()})
    except UnicodeDecodeError as error:
        raise WrongUse(f"{path}: not UTF-8 text; save the table as CSV in UTF-8") from error
    except csv.Error as error:
        raise WrongUse(f"{path}: not a CSV table ({error}); save the table as CSV in UTF-8") from error
    except OSError as error:
        raise WrongUse(f"{path}: cannot be opened: {error.strerror}") from error
    if not rows:
        raise WrongUse(f"{path}: it has a header and no rows")
    return rows


def image_files(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[Path]:
    """All image files under ``folder``, by their suffix, sorted by path.

    Raises:
        WrongUse: when there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise WrongUse(f"{folder}: no such folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    if not found:
        raise WrongUse(f"{folder}: it holds no image file (looked for {', '.join(suffixes)})")
    return found


def view_of(name: str) -> str | None:
    """The view, "frontal" or "lateral", of a projection as tables write it (PA, AP, LL, Lateral ...), else None."""
    if name.lower() in FRONTAL_NAMES:
        return "frontal"
    return "lateral" if name.lower() in LATERAL_NAMES else None
