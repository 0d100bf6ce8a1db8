"""Reads PNG files of 16 bits a channel at their full depth; Pillow keeps the upper 8 bits of all but grey ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps

from radscribe.imaging.levels import Levels, Pixels, bands, black_and_white, stretch, subsample

GREY_MODES = ("I", "I;16", "I;16B", "I;16L", "F")
GREY_ALPHA = "LA;16B"
OPAQUE = 2**16 - 1
# Of red, green and blue in 65,536ths, as Pillow makes grey of colours.
LUMINANCE = np.array([19595, 38470, 7471], np.uint32)


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether the PNG ``image``, not yet loaded, has 16 bits a channel."""
    return image.mode in GREY_MODES or (image.format == "PNG" and _layout(image).endswith(";16B"))


def read_deep(image: ImageFile.ImageFile, again: Callable[[], ImageFile.ImageFile]) -> Pixels:
    """The grey levels (uint8, height x width) of ``image``, scaled between the robust percentiles of what is opaque.

    Transparent parts are black. ``again`` opens the same file once more: Pillow gives colours one byte at a time.
    """
    levels, opacity = _levels(image, again)
    if opacity is None:
        return stretch(levels, *black_and_white(subsample(levels.ravel()), levels))
    shown: Pixels = np.zeros(levels.shape, np.uint8)
    opaque = levels[opacity > 0]
    if opaque.size:
        shown = stretch(levels, *black_and_white(subsample(opaque), opaque))
    for rows in bands(len(shown), shown.shape[1]):
        shown[rows] = (shown[rows].astype(np.uint32) * opacity[rows] + OPAQUE // 2) // OPAQUE
    return shown


def read_full_depth(image: ImageFile.ImageFile, again: Callable[[], ImageFile.ImageFile]) -> npt.NDArray[np.uint16]:
    """All grey levels (uint16, height x width) of ``image``, transparent parts black; ``again`` as in ``read_deep``."""
    levels, opacity = _levels(image, again)
    full = np.clip(levels, 0, OPAQUE).astype(np.uint16)
    if opacity is not None:
        full[opacity == 0] = 0
    return full


def _levels(image: ImageFile.ImageFile, again: Callable[[], ImageFile.ImageFile]) -> tuple[Levels, Levels | None]:
    """The levels and the opacity (None where all is opaque)."""
    if image.mode in GREY_MODES:
        return _grey(image)
    return _grey_and_alpha(image) if _layout(image) == GREY_ALPHA else _colours(image, again)


def _layout(image: ImageFile.ImageFile) -> str:
    return str(image.tile[0].args) if image.tile else ""


def _loaded(image: ImageFile.ImageFile, layout: str | None = None) -> ImageFile.ImageFile:
    if layout:
        image.tile = [tile._replace(args=layout) for tile in image.tile]
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    return image


def _bands(image: Image.Image) -> Iterator[tuple[slice, npt.NDArray[np.uint8]]]:
    for rows in bands(image.height, image.width):
        yield rows, np.asarray(image.crop((0, rows.start, image.width, min(rows.stop, image.height))))


def _grey(image: ImageFile.ImageFile) -> tuple[Levels, Levels | None]:
    levels = np.asarray(_loaded(image))
    key = image.info.get("transparency")
    return levels, None if key is None else np.where(levels == key, 0, OPAQUE).astype(np.uint16)


def _grey_and_alpha(image: ImageFile.ImageFile) -> tuple[Levels, Levels]:
    image = _loaded(image, "RGBA")  # the four bytes of a pixel
    found = np.empty((2, image.height, image.width), np.uint16)
    for rows, band in _bands(image):
        for part in (0, 1):
            found[part, rows] = band[..., 2 * part] * np.uint16(256) + band[..., 2 * part + 1]
    return found[0], found[1]


def _colours(image: ImageFile.ImageFile, again: Callable[[], ImageFile.ImageFile]) -> tuple[Levels, Levels | None]:
    """Luminance and opacity, summed up over the upper bytes of all samples and then the lower ones."""
    mode, key = image.mode, image.info.get("transparency")
    for byte, (order, weight) in enumerate((("16B", 256), ("16L", 1))):
        image = _loaded(image if byte == 0 else again(), f"{mode};{order}")
        if byte == 0:
            levels = np.zeros((image.height, image.width), np.uint32)
            alpha = np.zeros(levels.shape, np.uint16)
            is_key = np.full(levels.shape, key is not None)
        for rows, band in _bands(image):
            levels[rows] += band[..., :3] @ LUMINANCE * np.uint32(weight)
            if mode == "RGBA":
                alpha[rows] += band[..., 3] * np.uint16(weight)
            elif key is not None:
                is_key[rows] &= (band == [value >> 8 if byte == 0 else value & 255 for value in key]).all(-1)
    levels += 2**15
    levels >>= 16
    if mode != "RGBA" and key is None:
        return levels, None
    return levels, alpha if mode == "RGBA" else np.where(is_key, 0, OPAQUE).astype(np.uint16)
