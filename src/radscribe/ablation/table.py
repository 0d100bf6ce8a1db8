"""Compare the runs of an ablation: figures over seeds, and each row tested against the full system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import WrongUse
from radscribe.evaluation.scorecard.breakdown import frequency_bands
from radscribe.evaluation.scorecard.saved import SavedScorecard
from radscribe.labels.conditions import CHEXBERT_CONDITIONS
from radscribe.metrics.clinical import condition_sums, macro, micro
from radscribe.metrics.significance import Floats, PairedTest, holm, paired_test

# Figures that are tested; the rare one only where the training split has rare conditions.
MICRO, RARE = "micro_f1", "rare_macro_f1"
OF_SCORECARD = (MICRO, "macro_f1", "bleu_4", "rouge_l")
FIGURES = (MICRO, "macro_f1", RARE, "bleu_4", "rouge_l")


@dataclass(frozen=True)
class Finished:
    """One scored run."""

    row: str
    seed: int
    parameters: float  # of the generator, in millions
    minutes: float  # without the shared steps
    card: SavedScorecard


@dataclass(frozen=True)
class AgainstFull:
    """A figure of the full system minus that of the row."""

    test: PairedTest
    adjusted: float  # p-value adjusted by Holm's method over all rows


@dataclass(frozen=True)
class RowFigures:
    """The finished runs of one row."""

    name: str
    seeds: tuple[int, ...]
    parameters: float  # of the generator, in millions
    minutes: tuple[float, ...]  # one a seed
    figures: Mapping[str, tuple[float, ...]]  # by name, one value a seed
    tests: Mapping[str, AgainstFull]  # by figure; none for the full system itself


@dataclass(frozen=True)
class AblationTable:
    """The rows with at least one finished seed, compared with the full system."""

    rows: tuple[RowFigures, ...]
    full: str  # the name of the full system's row
    unfinished: tuple[str, ...]  # rows without a finished seed
    wanted: int  # seeds of each row
    rare: tuple[str, ...]  # conditions
    studies: int
    resamples: int
    unit: str  # what is resampled: "study" or "patient"

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that the table shows."""
        return tuple(name for name in FIGURES if name in self.rows[0].figures)


def rare_columns(training_states: NDArray[np.integer]) -> NDArray[np.int64]:
    """The columns of those of the 14 conditions that few training studies (states ``N x 14`` or ``N x 18``) state."""
    return frequency_bands(training_states)[0][1]


def compared(
    finished: Sequence[Finished], names: Sequence[str], full: str, wanted: int, rare: NDArray[np.int64]
) -> AblationTable:
    """The table of ``finished`` runs, in the order of ``names``; ``rare`` are columns of conditions.

    A test compares means over seeds, on the same resamples of patients for every run. Raises ``WrongUse`` for runs
    that scored different studies.
    """
    draws = [_draws(run.card, rare) for run in finished]
    of_row = {name: [place for place, run in enumerate(finished) if run.row == name] for name in names}
    of_row = {name: sorted(places, key=lambda place: finished[place].seed) for name, places in of_row.items() if places}
    ids = finished[0].card.rows.study_ids
    if any(run.card.rows.study_ids != ids for run in finished):
        raise WrongUse("ablation: the runs scored different studies; repeat those whose data have changed")
    tests: dict[str, dict[str, AgainstFull]] = {name: {} for name in of_row}
    others = [name for name in of_row if name != full and full in of_row]
    for figure in draws[0]:
        means = {name: np.mean([draws[place][figure] for place in places], axis=0) for name, places in of_row.items()}
        found = [paired_test(means[full], means[name]) for name in others]
        for name, test, adjusted in zip(others, found, holm([test.p_value for test in found]), strict=True):
            tests[name][figure] = AgainstFull(test, adjusted)
    rows = []
    for name, places in of_row.items():
        runs = [finished[place] for place in places]
        figures = {figure: tuple(run.card.figures[figure].value for run in runs) for figure in OF_SCORECARD}
        if RARE in draws[0]:
            figures[RARE] = tuple(float(draws[place][RARE][0]) for place in places)
        minutes = tuple(run.minutes for run in runs)
        seeds = tuple(run.seed for run in runs)
        rows.append(RowFigures(name, seeds, runs[0].parameters, minutes, figures, tests[name]))
    resampling = finished[0].card.rows.resampling
    return AblationTable(
        rows=tuple(rows),
        full=full,
        unfinished=tuple(name for name in names if name not in of_row),
        wanted=wanted,
        rare=tuple(CHEXBERT_CONDITIONS[column] for column in rare),
        studies=len(ids),
        resamples=resampling.resamples,
        unit="study" if resampling.clusters is None else "patient",
    )


def _draws(card: SavedScorecard, rare: NDArray[np.int64]) -> dict[str, Floats]:
    """Each tested figure on all studies and on every resample, ``1 + R``."""
    sums = condition_sums(card.rows.outcomes(), card.rows.resampling)
    found = {MICRO: micro(sums)[:, 2]}
    if len(rare):
        found[RARE] = macro(sums[:, rare])[:, 2]
    return found
