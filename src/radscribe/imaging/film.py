"""Any file that may be a chest radiograph becomes a film, or is refused with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from radscribe.imaging.dicom import read_dicom
from radscribe.imaging.levels import Pixels, RefusedFilm, check_content
from radscribe.imaging.picture import read_picture

__all__ = ["Film", "RefusedFilm", "fit", "read_film"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
DICOM_PREAMBLE = 128
MAXIMUM_FILE_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class Film:
    """One radiograph: ``pixels`` is uint8, height x width, bright = dense (as MONOCHROME2 shows it).

    ``view`` is "frontal" or "lateral" where the file's own header says so, else None.
    """

    pixels: Pixels
    source: str
    view: str | None = None


def read_film(file: str | Path | bytes, source: str | None = None, longest: int | None = None) -> Film:
    """Read a DICOM, PNG or JPEG file; the content decides which it is, not the name.

    Args:
        file: a path, or the bytes of a file.
        source: the name used in errors and in ``Film.source``; default the path as given.
        longest: the pixels wanted along the longer side, if not all: a JPEG is then read at a smaller size, which still
            holds at least twice as many where the file does.

    Raises:
        RefusedFilm: one line naming the file and the reason, whatever is wrong with it.
    """
    if isinstance(file, bytes):
        data, name = file, source or "film"
    else:
        name = source or str(file)
        data = _read_bytes(Path(file), name)
    view = None
    if data.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
        pixels = read_picture(data, name, longest)
    elif data[DICOM_PREAMBLE : DICOM_PREAMBLE + 4] == b"DICM":
        pixels, view = read_dicom(data, name)
    else:
        raise RefusedFilm(name, "it is no DICOM, PNG or JPEG file" if data else "it is an empty file")
    return Film(check_content(pixels, name), name, view)


def fit(pixels: Pixels, size: int = 256) -> Pixels:
    """Bring a film (height x width, uint8) to ``size`` x ``size`` with its aspect kept.

    The whole film is resized (antialiased) until its longer side is ``size``, then centred on black: nothing
    of the chest is cut away, and black is what lies outside the beam on a film.
    """
    height, width = pixels.shape
    scale = size / max(height, width)
    new_height, new_width = (max(1, round(side * scale)) for side in (height, width))
    resized = Image.fromarray(pixels).resize((new_width, new_height), Image.Resampling.BILINEAR)
    top, left = (size - new_height) // 2, (size - new_width) // 2
    fitted = np.zeros((size, size), np.uint8)
    fitted[top : top + new_height, left : left + new_width] = np.asarray(resized)
    return fitted


def _read_bytes(path: Path, name: str) -> bytes:
    try:
        if path.stat().st_size > MAXIMUM_FILE_BYTES:
            raise RefusedFilm(name, f"it is larger than {MAXIMUM_FILE_BYTES // 2**20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise RefusedFilm(name, f"it cannot be opened: {error.strerror}") from error
