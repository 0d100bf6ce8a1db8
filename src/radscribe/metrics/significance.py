"""Compute intervals and paired tests over studies or patients, from additive per-study counts.

Every figure of a scorecard is a function of sums over studies, so a resample needs no rescoring: it is one row of
a matrix product of how often each study was drawn and the counts of each study (Efron & Tibshirani, 1993). The same
holds where two systems exchange the outcomes of studies (approximate randomization: Noreen, 1989).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import WrongUse

Floats = NDArray[np.float64]

LEVEL = 0.95
# Draws in memory at once: 8 bytes each, so 32 MB a block whatever the number of studies and resamples.
DRAWS_PER_BLOCK = 4_000_000
# Smaller differences are rounding errors.
ROUNDING = 1e-12


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
    """The first system minus the second, on the same resamples."""

    difference: Figure
    p_value: float  # two-sided, of the hypothesis that there is no difference


@dataclass(frozen=True)
class Resampling:
    """How studies are resampled."""

    # One name a study, such as its patient: whole clusters are drawn. None: single studies are drawn.
    clusters: tuple[str, ...] | None = None
    resamples: int = 1000
    seed: int = 0  # of the random draws

    def sums(self, counts: NDArray[np.number]) -> Floats:
        """Sums ``(1 + R) x K`` of the counts of each study (``N x K``): row 0 over all studies, then over resamples.

        Raises ``WrongUse`` without any study, or with another number of clusters.
        """
        amounts = self._by_unit(counts)
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

    def swapped_sums(self, first: NDArray[np.number], second: NDArray[np.number]) -> tuple[Floats, Floats]:
        """Sums ``(1 + R) x K`` of the counts of two systems (``N x K`` each): row 0 over all studies as they are.

        In each other row the two systems exchange the counts of every study, or whole cluster, with probability 1/2.
        Raises ``WrongUse`` where the shapes differ, and as ``sums`` does.
        """
        own, other = self._by_unit(first), self._by_unit(second)
        if own.shape != other.shape:
            raise WrongUse(
                f"counts of shape {own.shape} and {other.shape}: not the same studies; compare systems on the same"
            )
        excess, both = other - own, own.sum(axis=0) + other.sum(axis=0)
        units = len(own)
        generator = np.random.default_rng(self.seed)
        block = max(1, DRAWS_PER_BLOCK // units)
        rows = [own.sum(axis=0, keepdims=True)]
        for start in range(0, self.resamples, block):
            swapped = generator.integers(0, 2, (min(block, self.resamples - start), units))
            rows.append(rows[0] + swapped.astype(np.float64) @ excess)
        sums = np.concatenate(rows)
        return sums, both - sums

    def _by_unit(self, counts: NDArray[np.number]) -> Floats:
        """Counts of each study, ``N x K``, summed over each cluster where there are clusters."""
        amounts = np.asarray(counts, dtype=np.float64)
        if len(amounts) == 0:
            raise WrongUse("no study to resample; give at least one")
        if self.clusters is None:
            return amounts
        if len(self.clusters) != len(amounts):
            raise WrongUse(f"{len(self.clusters)} cluster names for {len(amounts)} studies; give one for each study")
        names, members = np.unique(self.clusters, return_inverse=True)
        by_cluster = np.zeros((len(names), amounts.shape[1]))
        np.add.at(by_cluster, members, amounts)
        return by_cluster

    def subset(self, rows: NDArray[np.bool_]) -> Resampling:
        """The same resampling over the studies where ``rows`` (``N``) is true."""
        if self.clusters is None:
            return self
        kept = tuple(name for name, keep in zip(self.clusters, rows, strict=True) if keep)
        return Resampling(kept, self.resamples, self.seed)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Elementwise quotient (of any shapes that broadcast) with 0 / 0 = 0, the convention of every clinical figure."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    quotient: Floats = np.divide(top, bottom, out=np.zeros(top.shape), where=bottom != 0)
    return quotient


def interval(values: Floats) -> Figure:
    """The figure with its percentile interval, from a statistic of the rows of ``Resampling.sums`` (``1 + R``).

    Resamples where the statistic is undefined (NaN) are left out. The interval is widened to include the value itself:
    resamples without any positive of a rare condition bias macro averages down, so that percentiles can miss it.
    """
    value = float(values[0])
    defined = values[1:][~np.isnan(values[1:])]
    if len(defined) == 0:
        return Figure(value, value, value)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(value, min(float(low), value), max(float(high), value))


@dataclass(frozen=True)
class Additive:
    """``F`` figures that are functions of sums over studies."""

    names: tuple[str, ...]  # F
    counts: Floats  # N x K
    of_sums: Callable[[Floats], Floats]  # from sums ... x K to figures ... x F

    def figures(self, resampling: Resampling) -> dict[str, Figure]:
        """Each figure with its interval."""
        values = self.of_sums(resampling.sums(self.counts))
        return {name: interval(values[:, column]) for column, name in enumerate(self.names)}

    def per_study(self) -> dict[str, Floats]:
        """Each figure of each study alone, ``N``."""
        return dict(zip(self.names, self.of_sums(self.counts).T, strict=True))


def mean_of(name: str, values: Floats) -> Additive:
    """The figure that is the mean of ``values`` (``N``) over studies."""
    return Additive(
        (name,), np.column_stack([values, np.ones(len(values))]), lambda sums: sums[..., :1] / sums[..., 1:]
    )


def paired_test(first: Floats, second: Floats) -> PairedTest:
    """Compare one statistic of two systems on the same resamples (both ``1 + R``, from equal resamplings).

    The p-value is the share of resamples whose difference is at least as far from the observed difference as that is
    from zero; the observed data count as one of them, so that it is never zero.
    """
    difference = first - second
    strays = np.abs(difference[1:] - difference[0]) >= np.abs(difference[0])
    return PairedTest(interval(difference), float((1 + strays.sum()) / len(difference)))


def randomization_test(first: Floats, second: Floats) -> float:
    """Two-sided p-value of one statistic of two systems on ``Resampling.swapped_sums`` (both ``1 + R``).

    The share of exchanges whose difference is at least as large as the observed one, which is counted as one of them.
    """
    sizes = np.abs(first - second)
    return float((1 + (sizes[1:] >= sizes[0] - ROUNDING).sum()) / len(sizes))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of a family of tests, adjusted by Holm's step-down method (1979), in their given order."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty_like(values)
    steps = np.arange(len(values), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * steps))
    return [float(value) for value in adjusted]


def balanced_accuracy(
    predicted: NDArray[np.bool_] | Sequence[bool],
    actual: NDArray[np.bool_] | Sequence[bool],
    resampling: Resampling | None = None,
) -> Figure:
    """Mean of sensitivity and specificity of ``predicted`` for ``actual`` (both ``N``), with its interval.

    Raises ``WrongUse`` where ``actual`` holds one class only, for which the figure is undefined.
    """
    said, truth = np.asarray(predicted, dtype=bool), np.asarray(actual, dtype=bool)
    if said.shape != truth.shape:
        raise WrongUse(f"{said.size} predictions for {truth.size} labels; give one for each study")
    if truth.all() or not truth.any():
        raise WrongUse("balanced accuracy: the labels hold one class only; give positive and negative ones")
    counts = np.stack([said & truth, truth, ~said & ~truth, ~truth], axis=1)
    sums = (resampling or Resampling()).sums(counts)
    with np.errstate(invalid="ignore"):  # a resample without one of the classes is undefined, not zero
        return interval((sums[:, 0] / sums[:, 1] + sums[:, 2] / sums[:, 3]) / 2)
