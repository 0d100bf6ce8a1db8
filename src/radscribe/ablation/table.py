"""Compare the runs of an ablation: figures over seeds, and each row tested against the full system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import WrongUse
from radscribe.evaluation.scorecard.breakdown import frequency_bands
from radscribe.evaluation.scorecard.saved import SavedScorecard
from radscribe.labels.conditions import CHEXBERT_CONDITIONS, NO_FINDING
from radscribe.metrics.clinical import condition_sums, macro, micro
from radscribe.metrics.significance import Floats, PairedTest, holm, paired_test, randomization_test

# Figures that are tested; the rare one only where the training split has rare conditions.
MICRO, RARE = "micro_f1", "rare_macro_f1"
MICRO_13 = "micro_13_f1"  # without "no finding"; shown, not tested
OF_SCORECARD = (MICRO, "macro_f1", "bleu_4", "rouge_l")
# Figures of a scorecard that are shown in a table of their own, with those of ``SavedScorecard.more``.
FURTHER = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider")
FIGURES = (MICRO, MICRO_13, "macro_f1", RARE, "bleu_4", "rouge_l")


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
    """A figure of the full system minus that of the row; p of the rare figure is by randomization."""

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
    more: Mapping[str, tuple[float, ...]] = field(default_factory=dict)  # as ``figures``; those that are not tested


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

    A test compares means over seeds, on the same resamples of patients for every run. Of macro-F1 over rare conditions
    the bootstrap rejects equal systems too often, so that its p-value is that of an approximate randomization of the
    runs paired by their order. Raises ``WrongUse`` for runs that scored different studies.
    """
    draws = [_draws(run.card, rare) for run in finished]
    shown = [{name: float(values[0]) for name, values in of_run.items()} for of_run in draws]
    for of_run in draws:
        del of_run[MICRO_13]
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
        if figure == RARE:
            cards = {name: [finished[place].card for place in places] for name, places in of_row.items()}
            p_values = [_randomized(cards[full], cards[name], rare) for name in others]
            found = [replace(test, p_value=p_value) for test, p_value in zip(found, p_values, strict=True)]
        for name, test, adjusted in zip(others, found, holm([test.p_value for test in found]), strict=True):
            tests[name][figure] = AgainstFull(test, adjusted)
    rows = []
    for name, places in of_row.items():
        runs = [finished[place] for place in places]
        figures = {figure: tuple(run.card.figures[figure].value for run in runs) for figure in OF_SCORECARD}
        figures |= {
            name: tuple(shown[place][name] for place in places) for name in (MICRO_13, RARE) if name in shown[0]
        }
        minutes = tuple(run.minutes for run in runs)
        seeds = tuple(run.seed for run in runs)
        further = [{name: run.card.figures[name].value for name in FURTHER if name in run.card.figures} for run in runs]
        further = [{**found, **run.card.more} for found, run in zip(further, runs, strict=True)]
        more = {name: tuple(found[name] for found in further) for name in further[0] if all(name in f for f in further)}
        rows.append(RowFigures(name, seeds, runs[0].parameters, minutes, figures, tests[name], more))
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
    found = {MICRO: micro(sums)[:, 2], MICRO_13: micro(sums[:, :NO_FINDING])[:, 2]}
    if len(rare):
        found[RARE] = macro(sums[:, rare])[:, 2]
    return found


def _randomized(full: Sequence[SavedScorecard], row: Sequence[SavedScorecard], rare: NDArray[np.int64]) -> float:
    """P-value of the difference of rare macro-F1, means over seeds: patients exchange the two systems, in all seeds."""
    exchanged = []
    for one, other in zip(full, row, strict=False):
        counts = [card.rows.outcomes()[:, rare].reshape(len(card.rows.study_ids), -1) for card in (one, other)]
        sums = one.rows.resampling.swapped_sums(*counts)
        exchanged.append([macro(of_system.reshape(len(of_system), -1, 3))[:, 2] for of_system in sums])
    means = np.mean(exchanged, axis=0)
    return randomization_test(means[0], means[1])
