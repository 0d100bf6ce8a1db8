"""Grey levels of a film: what every reader checks before and after it decodes, and the scaling to eight bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from radscribe.study import RadscribeError

Levels = npt.NDArray[Any]
Pixels = npt.NDArray[np.uint8]

# The largest flat panels give about 20 million pixels; Pillow itself warns from 89 million on.
MAXIMUM_PIXELS = 80_000_000
MINIMUM_SIDE = 16
# Black and white points of a film whose header names no window: markers and collimator edges fall outside.
BLACK_AND_WHITE_PERCENT = (0.5, 99.5)
PERCENTILE_SAMPLE = 1_000_000


class RefusedFilm(RadscribeError):
    """A file that is not read as a chest radiograph; ``reason`` is the part of the message without the file's name."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason

    def __reduce__(self) -> tuple[type[RefusedFilm], tuple[str, str]]:
        return type(self), (self.source, self.reason)  # it travels between the processes of a pool


def check_size(rows: int, columns: int, source: str) -> None:
    """Refuse a film by the size its header claims, before any memory is spent on its pixels.

    Raises:
        RefusedFilm: for an empty film, one too small to show a chest, or more pixels than any detector gives.
    """
    if rows * columns > MAXIMUM_PIXELS:
        raise RefusedFilm(
            source, f"its header claims {columns} x {rows} pixels, more than the limit of {MAXIMUM_PIXELS:,}"
        )
    if min(rows, columns) < MINIMUM_SIDE:
        raise RefusedFilm(source, f"its header claims {columns} x {rows} pixels, too few for a radiograph")


def check_content(pixels: Pixels, source: str) -> Pixels:
    """``pixels`` (height x width) as they are, unless they show nothing.

    Raises:
        RefusedFilm: when all pixels are equal.
    """
    if pixels.min() == pixels.max():
        raise RefusedFilm(source, "it decodes to nothing: all its pixels are equal")
    return pixels


def stretch(levels: Levels, low: float, high: float) -> Pixels:
    """Map ``levels`` (height x width) linearly to 0 .. 255, everything outside ``low`` .. ``high`` clipped."""
    if high <= low:
        return np.zeros(levels.shape, np.uint8)
    scaled: npt.NDArray[np.float32] = (levels.astype(np.float32) - low) * (255.0 / (high - low))
    return np.rint(scaled).clip(0, 255).astype(np.uint8)


def stretch_by_percentiles(levels: Levels, valid: npt.NDArray[np.bool_] | None = None) -> Pixels:
    """Map ``levels`` (height x width) to 0 .. 255 between robust percentiles of the ``valid`` ones (default all)."""
    sample = levels.ravel() if valid is None else levels[valid]
    if sample.size == 0:
        return np.zeros(levels.shape, np.uint8)
    low, high = np.percentile(sample[:: 1 + sample.size // PERCENTILE_SAMPLE], BLACK_AND_WHITE_PERCENT)
    if high <= low:  # nearly all pixels share one level: the rest is the picture
        low, high = sample.min(), sample.max()
    return stretch(levels, float(low), float(high))
