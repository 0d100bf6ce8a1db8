"""Reads a DICOM, PNG or JPEG file into a film, or refuses it with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from radscribe.imaging.dicom import read_dicom
from radscribe.imaging.drawing import PNG_SIGNATURE, is_drawing
from radscribe.imaging.header import PREAMBLE, begins_dicom
from radscribe.imaging.levels import Pixels, check_content, contrast_warnings
from radscribe.imaging.raster import read_picture
from radscribe.imaging.refusal import RefusedFilm

JPEG_SIGNATURE = b"\xff\xd8\xff"
# Twice the largest film that is accepted, stored without compression.
MAXIMUM_FILE_BYTES = 128 * 2**20


@dataclass(frozen=True, eq=False)
class Film:
    """One radiograph."""

    pixels: Pixels  # uint8, height x width, bright = dense (as MONOCHROME2 shows it)
    source: str
    view: str | None = None  # "frontal" or "lateral" where the file's own header says so
    # What in the file may have made the picture another than was meant; a sentence each, without values of the file.
    warnings: tuple[str, ...] = ()


def read_film(file: str | Path | bytes, source: str | None = None, longest: int | None = None) -> Film:
    """Read a DICOM, PNG or JPEG file; the content decides which it is, not the name.

    Args:
        file: a path, or the bytes of a file.
        source: the name used in errors and in ``Film.source``; default the path as given.
        longest: the pixels needed along the longer side, if not all: a JPEG is then decoded at a smaller size, still
            with at least twice as many where the file has them.

    Raises:
        RefusedFilm: naming the file and the reason, whatever is wrong with it.
    """
    if isinstance(file, bytes):
        return _read(BytesIO(file), source or "film", longest)
    path, name = Path(file), source or str(file)
    try:
        if path.exists() and not path.is_file():  # reading a pipe might never end
            raise RefusedFilm(name, "it cannot be opened: it is no file")
        if is_drawing(path):
            raise RefusedFilm(name, "it is a picture that radscribe drew of a draft, not a film")
        with path.open("rb") as opened:
            return _read(opened, name, longest)
    except OSError as error:
        raise RefusedFilm(name, f"it cannot be opened: {error.strerror}") from error


def _read(file: BinaryIO, name: str, longest: int | None) -> Film:
    if file.seek(0, SEEK_END) > MAXIMUM_FILE_BYTES:
        raise RefusedFilm(name, f"it is larger than {MAXIMUM_FILE_BYTES // 2**20} MiB")
    file.seek(0)
    start = file.read(PREAMBLE + 4)
    file.seek(0)
    if start.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
        pixels, view = read_picture(file, name, longest), None
        warnings = contrast_warnings(pixels)
    elif begins_dicom(start):
        pixels, view, warnings = read_dicom(file, name)
    else:
        raise RefusedFilm(name, "it is no DICOM, PNG or JPEG file" if start else "it is an empty file")
    return Film(check_content(pixels, name), name, view, warnings)


def fit(pixels: Pixels, size: int = 256) -> Pixels:
    """Bring a film (height x width, uint8) to ``size`` x ``size`` with its aspect kept.

    The whole film is resized (antialiased) so that its longer side is ``size``, then centred on black: nothing of the
    chest is cut away, and outside the beam a film is black too.
    """
    height, width = pixels.shape
    scale = size / max(height, width)
    new_height, new_width = (max(1, round(side * scale)) for side in (height, width))
    resized = Image.fromarray(pixels).resize((new_width, new_height), Image.Resampling.BILINEAR)
    top, left = (size - new_height) // 2, (size - new_width) // 2
    fitted = np.zeros((size, size), np.uint8)
    fitted[top : top + new_height, left : left + new_width] = np.asarray(resized)
    return fitted
