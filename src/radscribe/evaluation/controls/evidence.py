"""Is the evidence true: does the attention of a sentence peak where the finding is?

The pointing game of Zhang et al. (2018, "Top-down neural attention by excitation backprop") by side of the chest or
by lesion mask, with the same test on maps of another film as its control.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from radscribe.core.errors import WrongUse

Side = Literal["left", "right", "midline"]

# Half the width of the midline as a share of the map's width: the middle column of a 7 x 7 map.
MIDLINE_HALF_WIDTH = 0.5 / 7


@dataclass(frozen=True)
class PointingRecord:
    """A sentence's attention map, ``H x W``, and the side of the patient its finding is on."""

    attention: ArrayLike
    side: Side


@dataclass(frozen=True)
class Pointing:
    hits: int
    n: int
    rate: float


def peak_side(attention: ArrayLike) -> Side:
    """Side of the patient on which a map (``H x W``) peaks: the patient's right is the image's left.

    Equal peaks are taken at their mean column, so a flat map is "midline" and not the side that is read first.
    """
    weights = _map(attention)
    columns = np.nonzero(weights == weights.max())[1]
    offset = (columns.mean() + 0.5) / weights.shape[1] - 0.5
    if abs(offset) <= MIDLINE_HALF_WIDTH:
        return "midline"
    return "right" if offset < 0 else "left"


def peak_in_mask(attention: ArrayLike, mask: NDArray[np.bool_]) -> bool:
    """Whether a map (``h x w``) peaks in a cell that the lesion mask (``H x W``, the same view) touches."""
    weights, lesion = _map(attention), np.asarray(mask, dtype=bool)
    rows, columns = np.nonzero(lesion)
    touched = np.zeros(weights.shape, dtype=bool)
    touched[rows * weights.shape[0] // lesion.shape[0], columns * weights.shape[1] // lesion.shape[1]] = True
    # A flat map points nowhere: every one of its peaks must lie in the lesion.
    return bool(touched[weights == weights.max()].all())


def pointing(hits: Iterable[bool]) -> Pointing:
    """Hits to their count and rate; the rate of nothing is 0."""
    found = [bool(hit) for hit in hits]
    return Pointing(sum(found), len(found), sum(found) / len(found) if found else 0.0)


def side_hits(records: Sequence[PointingRecord]) -> list[bool]:
    """Whether each map peaks on the side of its finding; a peak on the midline misses either side."""
    return [peak_side(record.attention) == record.side for record in records]


def pointing_test(records: Sequence[PointingRecord]) -> Pointing:
    """How often maps peak on the side of their finding."""
    return pointing(side_hits(records))


def paired_hits_p_value(true_hits: Sequence[bool], shuffled_hits: Sequence[bool]) -> float:
    """Exact one-sided McNemar test that the maps of the true film hit more often than those of another film.

    Both hold one hit or miss for the same sentences. Only sentences where they differ tell anything; without any, 1.
    """
    true, shuffled = np.asarray(true_hits, dtype=bool), np.asarray(shuffled_hits, dtype=bool)
    if true.shape != shuffled.shape:
        raise WrongUse(f"{true.size} hits of true films, {shuffled.size} of shuffled ones: give the same sentences")
    gains, losses = int((true & ~shuffled).sum()), int((~true & shuffled).sum())
    if gains + losses == 0:
        return 1.0
    return float(binomtest(gains, gains + losses, 0.5, alternative="greater").pvalue)


def _map(attention: ArrayLike) -> NDArray[np.float64]:
    weights = np.asarray(attention, dtype=np.float64)
    if weights.ndim != 2 or weights.size == 0 or not np.isfinite(weights).all():
        raise WrongUse(f"an attention map of shape {weights.shape}: give a finite, non-empty height x width array")
    return weights
