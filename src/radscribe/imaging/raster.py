"""Reads PNG and JPEG files into grey levels."""

from __future__ import annotations

from collections.abc import Callable
from io import SEEK_END
from typing import BinaryIO, cast

import numpy as np
from PIL import Image, ImageOps

from radscribe.imaging.bounded import BoundedFile
from radscribe.imaging.codestream import MOST_SCANS, SCAN
from radscribe.imaging.deep_png import is_deep, read_deep, read_full_depth
from radscribe.imaging.levels import Levels, Pixels, bands, check_size
from radscribe.imaging.quiet import quiet
from radscribe.imaging.refusal import RefusedFilm

TRANSPARENT_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
# A JPEG decoded at half, a quarter or an eighth of its size keeps at least this many times the pixels that are needed
# along its longer side: resized, it then differs from a full decode by a quarter of a grey level on average
# (docs/results/prepare.md).
REDUCED_MARGIN = 2
# Small, as Pillow joins the parts of a long Exif block one by one, copying all earlier parts each time.
HEADER_BYTES = 8 * 2**20


def read_picture(file: BinaryIO, source: str, longest: int | None = None) -> Pixels:
    """The grey levels (uint8, height x width) of a PNG or JPEG file, bright = dense as the file shows it.

    Colours become luminance, transparent parts black; 16 bits are scaled between robust percentiles, 8 bits
    are kept as they are. The Exif orientation is applied. A JPEG that will be resized to ``longest`` pixels along
    its longer side is decoded at a smaller size where that is enough.

    Raises:
        RefusedFilm: for a damaged, truncated, animated, empty or oversized picture.
    """
    return cast(Pixels, _read(file, source, longest, read_deep))


def read_full_picture(file: BinaryIO, source: str) -> Levels:
    """As ``read_picture``, at its full size and with all levels of a picture of 16 bits: uint8 or uint16."""
    return _read(file, source, None, read_full_depth)


def _read(file: BinaryIO, source: str, longest: int | None, deep: Callable[..., Levels]) -> Levels:
    bounded = BoundedFile(file, source, HEADER_BYTES)
    try:
        with quiet("PIL"), Image.open(cast(BinaryIO, bounded), formats=("PNG", "JPEG")) as image:
            check_size(image.height, image.width, source)
            if image.format == "PNG":
                if getattr(image, "n_frames", 1) > 1:
                    raise RefusedFilm(source, "it holds several frames; give one film a file")
            else:  # MPO, too: phones put a preview or a depth map behind the picture
                _check_scans(file, source)
                if longest is not None:
                    share = REDUCED_MARGIN * longest / max(image.size)
                    image.draft("L", (max(1, int(share * image.width)), max(1, int(share * image.height))))
            bounded.bytes_left = file.seek(0, SEEK_END) * 2  # after the header, the size of the file sets the limit
            if is_deep(image):
                return deep(image, lambda: Image.open(cast(BinaryIO, bounded), formats=("PNG",)))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _grey(image)
    except RefusedFilm:
        raise
    except Image.DecompressionBombError:
        raise RefusedFilm(source, "its header claims more pixels than any radiograph has") from None
    except Exception:  # on damaged bytes the decoders can raise almost anything
        raise RefusedFilm(source, "it cannot be decoded: the file is truncated or damaged") from None


def _check_scans(file: BinaryIO, source: str) -> None:
    file.seek(0)
    blocks = iter(lambda: file.read(2**20), b"")
    if sum(block.count(SCAN) for block in blocks) > MOST_SCANS:
        raise RefusedFilm(source, f"it has more than {MOST_SCANS} scans, which only overload a decoder")


def _grey(image: Image.Image) -> Pixels:
    grey = np.empty((image.height, image.width), np.uint8)
    transparent = image.mode in TRANSPARENT_MODES or "transparency" in image.info
    for rows in bands(image.height, image.width):
        band = image.crop((0, rows.start, image.width, min(rows.stop, image.height)))
        if transparent:
            opaque = band.convert("RGBA")
            band = Image.alpha_composite(Image.new("RGBA", opaque.size, "black"), opaque)
        grey[rows] = np.asarray(band.convert("L"))
    return grey
