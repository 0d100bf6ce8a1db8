"""Reads a film with all its grey levels, for people to look at; what a model reads is ``film.read_film``."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from radscribe.imaging.deep_png import is_deep
from radscribe.imaging.dicom import read_full_dicom
from radscribe.imaging.drawing import PNG_SIGNATURE
from radscribe.imaging.film import JPEG_SIGNATURE, Film
from radscribe.imaging.header import PREAMBLE, read_header
from radscribe.imaging.levels import Levels, black_and_white, subsample
from radscribe.imaging.quiet import quiet
from radscribe.imaging.raster import read_full_picture

EXIF_ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)


@dataclass(frozen=True, eq=False)
class FullFilm:
    """One radiograph with all its levels."""

    levels: Levels  # uint8 or uint16, height x width, bright = dense
    # The levels to show as black and as white at first; they may lie beyond those of the film.
    black: int
    white: int

    @property
    def bits(self) -> int:
        """8 or 16."""
        return 8 * self.levels.itemsize

    def png(self) -> bytes:
        """The levels as a grey PNG file of as many bits, quickly written rather than small."""
        content = BytesIO()
        Image.fromarray(self.levels).save(content, "PNG", compress_level=1)
        return content.getvalue()


def read_full_film(path: Path, source: str) -> FullFilm:
    """The film of a DICOM, PNG or JPEG file, turned and polarised as ``read_film`` gives it.

    Raises:
        RefusedFilm: with the name ``source``, for whatever ``read_film`` refuses but a film of one grey.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        if not _is_picture(file):
            return FullFilm(*read_full_dicom(file, source))
        levels = read_full_picture(file, source)
    if levels.itemsize == 1:
        return FullFilm(levels, 0, 255)
    black, white = black_and_white(subsample(levels.ravel()), levels)
    return FullFilm(levels, round(black), round(white))


def full_size(path: Path, film: Film) -> tuple[int, int, int]:
    """Width, height and bits that ``read_full_film`` gives, from the header of the file that ``film`` was read from.

    Raises:
        RefusedFilm: the header is not one that ``read_film`` accepts.
        OSError: the file cannot be opened.
    """
    height, width = film.pixels.shape
    with path.open("rb") as file, quiet("PIL"), quiet("pydicom"):
        if not _is_picture(file):
            header, _ = read_header(file, film.source, ["BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel"])
            bits = int(header.get("BitsStored") or int(header.get("HighBit", header.BitsAllocated - 1)) + 1)
            return width, height, 16 if bits > 8 and header.get("SamplesPerPixel", 1) == 1 else 8
        with Image.open(file, formats=("PNG", "JPEG")) as image:
            width, height = image.size[::-1] if image.getexif().get(EXIF_ORIENTATION) in TURNED else image.size
            return width, height, 16 if is_deep(image) else 8


def _is_picture(file: BinaryIO) -> bool:
    start = file.read(PREAMBLE + 4)
    file.seek(0)
    return start.startswith((PNG_SIGNATURE, JPEG_SIGNATURE))
