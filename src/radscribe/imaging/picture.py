"""PNG and JPEG files to grey levels."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from radscribe.imaging.levels import Pixels, RefusedFilm, check_size, stretch_by_percentiles

DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "F")
TRANSPARENT_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
# A JPEG decoded at half, a quarter or an eighth of its size keeps at least this many times the pixels that are wanted
# along its longer side: resized, it then differs from one decoded whole by a quarter of a grey level in the mean
# (docs/results/prepare.md).
REDUCED_MARGIN = 2


def read_picture(data: bytes, source: str, longest: int | None = None) -> Pixels:
    """The grey levels (height x width) of a PNG or JPEG file, bright = dense as the file shows it.

    Colours become luminance, transparent parts black; 16 bits are scaled between robust percentiles, 8 bits
    are kept as they are. The orientation a camera wrote into the file is obeyed. A JPEG that will be resized to
    ``longest`` pixels along its longer side is decoded at a smaller size where that is enough for it.

    Raises:
        RefusedFilm: for a damaged, truncated, animated, empty or oversized picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(data), formats=("PNG", "JPEG"))
        with image:
            check_size(image.height, image.width, source)
            if getattr(image, "n_frames", 1) > 1:
                raise RefusedFilm(source, "it holds several frames; give one film a file")
            if longest is not None and image.format == "JPEG":
                share = REDUCED_MARGIN * longest / max(image.size)
                image.draft("L", (int(share * image.width), int(share * image.height)))
            image.load()
            return _grey(ImageOps.exif_transpose(image))
    except RefusedFilm:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RefusedFilm(source, "its header claims more pixels than any radiograph has") from error
    except Exception as error:  # on damaged bytes the decoders raise almost any exception there is
        raise RefusedFilm(source, "it cannot be decoded: the file is truncated or damaged") from error


def _grey(image: Image.Image) -> Pixels:
    if image.mode in DEEP_MODES:
        return stretch_by_percentiles(np.asarray(image))
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        opaque = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", opaque.size, "black"), opaque)
    return np.array(image.convert("L"))
