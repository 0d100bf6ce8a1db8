"""Test whether the attention of a sentence peaks where its finding is.

The pointing game of Zhang et al. (2018, "Top-down neural attention by excitation backprop"), by side of the chest or
by lesion mask; the control is the same test on the maps of another film.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from radscribe.core.errors import WrongUse
from radscribe.drafting.sides import finite_map


@dataclass(frozen=True)
class Pointing:
    """How many of ``n`` maps peak where they should."""

    hits: int
    n: int
    rate: float  # hits / n, 0 where n is 0


def peak_in_mask(attention: ArrayLike, mask: NDArray[np.bool_]) -> bool:
    """Whether a map (``h x w``) peaks in a cell that the lesion mask (``H x W``, the same view) touches.

    Raises ``WrongUse`` as ``drafting.sides.peak_side`` does.
    """
    weights, lesion = finite_map(attention), np.asarray(mask, dtype=bool)
    rows, columns = np.nonzero(lesion)
    touched = np.zeros(weights.shape, dtype=bool)
    touched[rows * weights.shape[0] // lesion.shape[0], columns * weights.shape[1] // lesion.shape[1]] = True
    # A flat map points nowhere: every one of its peaks must lie in the lesion.
    return bool(touched[weights == weights.max()].all())


def pointing(hits: Iterable[bool]) -> Pointing:
    """The count and the rate of hits."""
    found = [bool(hit) for hit in hits]
    return Pointing(sum(found), len(found), sum(found) / len(found) if found else 0.0)


def paired_hits_p_value(true_hits: Sequence[bool], shuffled_hits: Sequence[bool]) -> float:
    """Exact one-sided McNemar test that the maps of the true film hit more often than those of another film.

    Both hold one hit or miss for the same sentences. Only sentences where they differ count; without any the p-value
    is 1. Source: McNemar (1947). Raises ``WrongUse`` where the numbers of sentences differ.
    """
    true, shuffled = np.asarray(true_hits, dtype=bool), np.asarray(shuffled_hits, dtype=bool)
    if true.shape != shuffled.shape:
        raise WrongUse(f"{true.size} hits of true films, {shuffled.size} of shuffled ones; give the same sentences")
    gains, losses = int((true & ~shuffled).sum()), int((~true & shuffled).sum())
    if gains + losses == 0:
        return 1.0
    return float(binomtest(gains, gains + losses, 0.5, alternative="greater").pvalue)
