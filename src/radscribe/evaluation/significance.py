"""Bootstrap over studies or patients: 95 % intervals and paired tests from additive per-study counts.

Every figure of a scorecard is a function of sums over studies, so a resample needs no rescoring: it is one row of
a matrix product of how often each study was drawn with what each study counts (Efron & Tibshirani, 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.study import WrongUse

Floats = NDArray[np.float64]

LEVEL = 0.95
# Draws held at once: 8 bytes each, so 32 MB a block whatever the number of studies and resamples.
DRAWS_PER_BLOCK = 4_000_000


@dataclass(frozen=True)
class Figure:
    """A figure and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class PairedTest:
    """First system minus second on the same resamples; ``p_value`` is two-sided for "there is no difference"."""

    difference: Figure
    p_value: float


@dataclass(frozen=True)
class Resampling:
    """How to resample: whole clusters (one name a study, such as its patient) when given, else single studies."""

    clusters: tuple[str, ...] | None = None
    resamples: int = 1000
    seed: int = 0

    def sums(self, counts: NDArray[np.number]) -> Floats:
        """Counts of each study, ``N x K``, to sums, ``(1 + R) x K``: row 0 all studies as they are, then resamples."""
        amounts = np.asarray(counts, dtype=np.float64)
        if len(amounts) == 0:
            raise WrongUse("no study to resample: give at least one")
        if self.clusters is not None:
            if len(self.clusters) != len(amounts):
                raise WrongUse(f"{len(self.clusters)} cluster names for {len(amounts)} studies: give one a study")
            names, members = np.unique(self.clusters, return_inverse=True)
            by_cluster = np.zeros((len(names), amounts.shape[1]))
            np.add.at(by_cluster, members, amounts)
            amounts = by_cluster
        units = len(amounts)
        generator = np.random.default_rng(self.seed)
        block = max(1, DRAWS_PER_BLOCK // units)
        rows = [amounts.sum(axis=0, keepdims=True)]
        for start in range(0, self.resamples, block):
            size = min(block, self.resamples - start)
            drawn = generator.integers(0, units, (size, units)) + units * np.arange(size)[:, None]
            times = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
            rows.append(times.astype(np.float64) @ amounts)
        return np.concatenate(rows)

    def subset(self, rows: NDArray[np.bool_]) -> Resampling:
        """The same resampling over the studies where ``rows`` (``N``) is true."""
        if self.clusters is None:
            return self
        kept = tuple(name for name, keep in zip(self.clusters, rows, strict=True) if keep)
        return Resampling(kept, self.resamples, self.seed)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Elementwise quotient with 0 / 0 = 0, the convention of every clinical figure."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    quotient: Floats = np.divide(top, bottom, out=np.zeros(top.shape), where=bottom != 0)
    return quotient


def interval(values: Floats) -> Figure:
    """A statistic on the rows of ``Resampling.sums`` (``1 + R``) to the figure with its percentile interval.

    Resamples where the statistic is undefined (NaN) are left out. The interval is widened to hold the value itself:
    losing every positive of a rare condition biases resampled macro averages down, so percentiles can miss it.
    """
    value = float(values[0])
    defined = values[1:][~np.isnan(values[1:])]
    if len(defined) == 0:
        return Figure(value, value, value)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(value, min(float(low), value), max(float(high), value))


def paired_test(first: Floats, second: Floats) -> PairedTest:
    """Compare one statistic of two systems on the same resamples (both ``1 + R``, from equal resamplings).

    The p-value is the share of resamples whose difference strays from the observed one by at least the observed
    difference, the observed data counted as one of them, so that it is never zero.
    """
    difference = first - second
    strays = np.abs(difference[1:] - difference[0]) >= np.abs(difference[0])
    return PairedTest(interval(difference), float((1 + strays.sum()) / len(difference)))


def balanced_accuracy(
    predicted: NDArray[np.bool_] | Sequence[bool],
    actual: NDArray[np.bool_] | Sequence[bool],
    resampling: Resampling | None = None,
) -> Figure:
    """Mean of sensitivity and specificity of ``predicted`` for ``actual`` (both ``N``), with its interval.

    Raises ``WrongUse`` when ``actual`` holds one class only: the figure has no meaning there.
    """
    said, truth = np.asarray(predicted, dtype=bool), np.asarray(actual, dtype=bool)
    if said.shape != truth.shape:
        raise WrongUse(f"{said.size} predictions for {truth.size} labels: give one a study")
    if truth.all() or not truth.any():
        raise WrongUse("balanced accuracy needs positive and negative labels: these hold one class only")
    counts = np.stack([said & truth, truth, ~said & ~truth, ~truth], axis=1)
    sums = (resampling or Resampling()).sums(counts)
    with np.errstate(invalid="ignore"):  # a resample without one of the classes is undefined, not zero
        return interval((sums[:, 0] / sums[:, 1] + sums[:, 2] / sums[:, 3]) / 2)
