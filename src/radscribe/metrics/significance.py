"""Intervals and paired tests over studies or patients, from additive per-study counts.

Every figure of a scorecard is a function of sums over studies, so a resample needs no rescoring: it is one row of
a matrix product of how often each study was drawn with what each study counts (Efron & Tibshirani, 1993). Likewise
for studies whose outcomes two systems exchange (approximate randomization: Noreen, 1989).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import WrongUse

Floats = NDArray[np.float64]

LEVEL = 0.95
# Draws held at once: 8 bytes each, so 32 MB a block whatever the number of studies and resamples.
DRAWS_PER_BLOCK = 4_000_000
# Differences nearer to each other than this are equal but for rounding.
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
        """Counts of two systems, ``N x K`` each, to sums of both, ``(1 + R) x K`` each: row 0 as they are.

        In each other row every study, or whole cluster, has its outcomes exchanged with probability 1/2.
        """
        own, other = self._by_unit(first), self._by_unit(second)
        if own.shape != other.shape:
            raise WrongUse(f"counts of shape {own.shape} and {other.shape}: compare systems on the same studies")
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
            raise WrongUse("no study to resample: give at least one")
        if self.clusters is None:
            return amounts
        if len(self.clusters) != len(amounts):
            raise WrongUse(f"{len(self.clusters)} cluster names for {len(amounts)} studies: give one a study")
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


@dataclass(frozen=True)
class Additive:
    """Figures that are functions of sums over studies.

    ``counts`` are ``N x K``; ``of_sums`` makes of sums ``... x K`` the figures ``... x F``, one a name.
    """

    names: tuple[str, ...]
    counts: Floats
    of_sums: Callable[[Floats], Floats]

    def figures(self, resampling: Resampling) -> dict[str, Figure]:
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

    The p-value is the share of resamples whose difference strays from the observed one by at least the observed
    difference, the observed data counted as one of them, so that it is never zero.
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
    """P-values of a family of tests, adjusted by Holm's step-down method (1979), in the order they came in."""
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
