"""Scales grey levels to 8 bits, and checks the size and content of every film before and after decoding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from radscribe.imaging.refusal import RefusedFilm

Levels = npt.NDArray[Any]
Pixels = npt.NDArray[np.uint8]
T = TypeVar("T", bound=np.generic)

# The largest flat panels and the finest digitised films give fewer pixels; mammograms are not chest films.
MAXIMUM_PIXELS = 30_000_000
# Of a decoded film, at its own number of bytes per pixel.
MAXIMUM_BYTES = 2 * MAXIMUM_PIXELS
MINIMUM_SIDE = 16
# Black and white points of a film whose header names no window: markers and collimator edges fall outside.
BLACK_AND_WHITE_PERCENT = (0.5, 99.5)
PERCENTILE_SAMPLE = 1_000_000
# Of 16 equal steps of grey, the two commonest hold less of a film: 0.67 at most in 3,550 films of six collections.
TWO_TONES = 0.8
ENOUGH_ROWS = 128  # to see what a picture mostly is
NO_CONTRAST = "nearly all of the picture is black, white or one grey: check whether it is a film, and its export"
# Pixels processed at a time where a whole film at once would take eight times its memory.
BAND_PIXELS = 2**20


def check_size(rows: int, columns: int, source: str, pixel_bytes: int = 1) -> None:
    """Refuse a film by the size its header claims, before any memory is spent on its pixels.

    Raises:
        RefusedFilm: for an empty film, one too small to show a chest, or more pixels than any detector gives.
    """
    if rows * columns > MAXIMUM_PIXELS:
        raise RefusedFilm(
            source, f"its header claims {columns} x {rows} pixels, more than the limit of {MAXIMUM_PIXELS:,}"
        )
    if rows * columns * pixel_bytes > MAXIMUM_BYTES:
        raise RefusedFilm(
            source, f"its header claims {columns} x {rows} pixels of {pixel_bytes} bytes, more than {MAXIMUM_BYTES:,}"
        )
    if min(rows, columns) < MINIMUM_SIDE:
        raise RefusedFilm(source, f"its header claims {columns} x {rows} pixels, too few for a radiograph")


def check_content(pixels: Pixels, source: str) -> Pixels:
    """Return ``pixels`` (height x width) unchanged, unless they show nothing.

    Raises:
        RefusedFilm: when all pixels are equal.
    """
    if pixels.min() == pixels.max():
        raise RefusedFilm(source, "it decodes to nothing: all its pixels are equal")
    return pixels


def contrast_warnings(pixels: Pixels) -> tuple[str, ...]:
    """A warning when ``pixels`` (height x width) are nearly all black, white or one grey, as in a mask."""
    step = max(1, min(pixels.shape) // ENOUGH_ROWS)
    return (NO_CONTRAST,) if two_toned(histogram(pixels[::step, ::step], 256)) else ()


def two_toned(counts: npt.NDArray[Any]) -> bool:
    """Whether a picture with ``counts`` (256) pixels of each grey level has no more than two tones to speak of."""
    steps = np.sort(counts.reshape(16, 16).sum(1))
    return bool(steps[-2:].sum() > TWO_TONES * steps.sum())


def histogram(codes: Levels, values: int) -> npt.NDArray[np.int64]:
    """How often each of ``values`` numbers occurs in ``codes`` (height x width, unsigned): ``values`` counts."""
    counts = np.zeros(values, np.int64)
    for rows in bands(*codes.shape):
        counts += np.bincount(codes[rows].ravel(), minlength=values)
    return counts


def bands(rows: int, columns: int = 1) -> Iterator[slice]:
    """Slices of rows with at most ``BAND_PIXELS`` pixels each, but at least one row."""
    step = max(1, BAND_PIXELS // columns)
    return (slice(first, first + step) for first in range(0, rows, step))


def look_up(table: npt.NDArray[T], codes: Levels) -> npt.NDArray[T]:
    """``table[codes]`` (codes: height x width, unsigned) in no more memory than its result."""
    found = np.empty(codes.shape, table.dtype)
    for rows in bands(*codes.shape):
        np.take(table, codes[rows], out=found[rows], mode="clip")
    return found


def stretch(levels: Levels, low: float, high: float) -> Pixels:
    """Map ``levels`` (any shape) linearly to 0 .. 255, everything outside ``low`` .. ``high`` clipped."""
    stretched = np.zeros(levels.shape, np.uint8)
    if high <= low:
        return stretched
    for rows in bands(len(levels), levels[:1].size):
        scaled: npt.NDArray[np.float32] = (levels[rows].astype(np.float32) - low) * (255.0 / (high - low))
        stretched[rows] = np.rint(scaled).clip(0, 255).astype(np.uint8)
    return stretched


def subsample(levels: Levels) -> Levels:
    """Evenly spaced ``levels`` (one axis), at most ``PERCENTILE_SAMPLE``: enough for percentiles."""
    return levels[:: 1 + levels.size // PERCENTILE_SAMPLE]


def black_and_white(sample: Levels, occurring: Levels) -> tuple[float, float]:
    """The levels to show as black and as white, from a ``sample`` of a film and all levels ``occurring`` in it."""
    low, high = np.percentile(sample, BLACK_AND_WHITE_PERCENT)
    if high <= low:  # nearly all pixels share one level: the rest is the picture
        low, high = occurring.min(), occurring.max()
    return float(low), float(high)
