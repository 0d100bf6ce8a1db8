"""How good the probabilities of statements are: their ROC area, their calibration error, and risk against coverage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from radscribe.metrics.significance import Figure, Resampling, interval

# Bins of equal width that probabilities are compared with frequencies in (Naeini et al., AAAI 2015).
BINS = 10


class Statements(NamedTuple):
    """S statements: the study each is on (a row number), how likely it is true, and whether it is."""

    studies: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    true: NDArray[np.bool_]


class StatementScores(NamedTuple):
    """Figures of statements of one kind; those of no meaning for them are None."""

    number: int
    share_true: Figure | None
    area: Figure | None  # ROC area of the probability
    calibration_error: Figure | None


def score_statements(statements: Statements, studies: int, resampling: Resampling) -> StatementScores:
    """The figures of ``statements`` on N ``studies``, which are what is resampled."""
    if not len(statements.true):
        return StatementScores(0, None, None, None)
    times = resampling.sums(np.eye(studies))[:, statements.studies]  # (1 + R) x S
    told = times.sum(1)
    drawn = told > 0
    times, told = times[drawn], told[drawn]
    area = None
    if 0 < statements.true.sum() < len(statements.true):
        area = interval(_areas(statements, times))
    return StatementScores(
        len(statements.true),
        interval(times @ statements.true / told),
        area,
        interval(_errors(statements, times) / told),
    )


def _errors(statements: Statements, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The summed calibration error of each of R draws: over bins, how far the true ones are from what was promised."""
    excess = np.zeros((len(statements.true), BINS))
    excess[np.arange(len(excess)), bin_of(statements.probabilities)] = statements.probabilities - statements.true
    return np.asarray(np.abs(times @ excess).sum(1))


def bin_of(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each probability."""
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)


def _areas(statements: Statements, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """ROC areas of R draws, ``times`` (R x S) being how often each has every statement; NaN where all are alike."""
    order = np.argsort(statements.probabilities)
    _, firsts = np.unique(statements.probabilities[order], return_index=True)
    ordered, true = times[:, order], statements.true[order]
    hits, misses = (np.add.reduceat(ordered * chosen, firsts, axis=1) for chosen in (true, ~true))
    below = np.cumsum(misses, 1) - misses / 2
    pairs = hits.sum(1) * misses.sum(1)
    return np.asarray(np.divide((hits * below).sum(1), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))


def risk_by_coverage(statements: Statements) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For statements dropped from the least sure on: the share that is left, and of these the share that is wrong."""
    order = np.argsort(-statements.probabilities, kind="stable")
    counts = np.arange(1, len(order) + 1)
    return counts / len(order), np.cumsum(~statements.true[order]) / counts
