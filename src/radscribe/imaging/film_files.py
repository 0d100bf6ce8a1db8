"""Finds the films below a folder, by name or, whatever the name, by content."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from radscribe.core.folders import files_under
from radscribe.imaging.drawing import PNG_SIGNATURE, is_drawing
from radscribe.imaging.film import JPEG_SIGNATURE
from radscribe.imaging.header import PREAMBLE, begins_dicom

DICOM_SUFFIXES = (".dcm", ".dicom")
FILM_SUFFIXES = (*DICOM_SUFFIXES, ".png", ".jpg", ".jpeg")
# The index of the DICOM files on a disc, which is DICOM without a film.
INDEX = "dicomdir"


def find_films(
    folder: Path, suffixes: Collection[str] = FILM_SUFFIXES, dicom_only: bool = False
) -> tuple[list[Path], list[Path]]:
    """The films below ``folder`` (``core.folders.files_under``), and its other files; both sorted.

    A film has one of ``suffixes``, or begins as DICOM does, or as PNG or JPEG unless ``dicom_only``; a file that cannot
    be opened counts as one, so that reading it gives the reason. A drawing by radscribe is none.

    Raises:
        OSError: a folder cannot be read.
    """
    begins = begins_dicom if dicom_only else begins_film
    films: list[Path] = []
    others: list[Path] = []
    for path in files_under(folder):
        is_film = path.suffix.lower() in suffixes or _begins(path, begins)
        (films if is_film and path.stem.lower() != INDEX and not is_drawing(path) else others).append(path)
    return films, others


def begins_film(start: bytes) -> bool:
    """Whether a file that begins with ``start`` (132 bytes) is DICOM, PNG or JPEG."""
    return start.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)) or begins_dicom(start)


def _begins(path: Path, begins: Callable[[bytes], bool]) -> bool:
    try:
        with path.open("rb") as file:
            return begins(file.read(PREAMBLE + 4))
    except OSError:
        return True
