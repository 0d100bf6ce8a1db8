"""Compare scorecards: their figures, paired tests of every difference, and why figures of one name differ.

The tests compare reports, not ways of scoring: the reports of all systems are first scored again, on the studies that
all of them have and by the settings of the first scorecard.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from radscribe.core.errors import WrongUse
from radscribe.core.progress import progress
from radscribe.evaluation.compare.differences import SAME, Difference, adopted, find_differences
from radscribe.evaluation.compare.rescoring import Rescored, Rescorer
from radscribe.evaluation.scorecard.saved import SavedScorecard
from radscribe.labels.labeler import Labeler, RuleLabeler
from radscribe.metrics.clinical import f1_parts
from radscribe.metrics.significance import (
    Additive,
    Figure,
    Floats,
    PairedTest,
    Resampling,
    holm,
    interval,
    mean_of,
    paired_test,
    randomization_test,
)

# Where no adjusted p-value can fall below this, a note asks for more draws.
ALPHA = 0.05
# Resamples leave rare conditions out or repeat them, so that the paired bootstrap rejects equal systems too often for
# means over conditions; exchanging their outcomes does not.
BY_RANDOMIZATION_ALONE = ("macro_f1", "macro_5_f1")


@dataclass(frozen=True)
class SystemTest:
    """One figure of two systems, first minus second, by paired bootstrap and by approximate randomization.

    For a figure ``by_randomization_alone`` both p-values are those of randomization.
    """

    first: str
    second: str
    figure: str
    bootstrap: PairedTest
    bootstrap_adjusted: float  # p-value adjusted by Holm's method over all bootstrap tests of the comparison
    randomization: float  # p-value
    randomization_adjusted: float  # by Holm's method over all randomization tests of the comparison

    @property
    def by_randomization_alone(self) -> bool:
        """Whether the bootstrap's p-value is not to be trusted, and not given."""
        return self.figure in BY_RANDOMIZATION_ALONE


@dataclass(frozen=True)
class Comparison:
    """Two or more systems compared, the first one with the others or each with each."""

    systems: tuple[str, ...]
    counts: Mapping[str, int]  # studies of each system
    studies: int  # that all systems have
    unit: str  # what is resampled and exchanged: "study" or "patient"
    resamples: int
    scored: Mapping[str, Mapping[str, Figure]]  # by system and name: the figures in the scorecards
    # The figures that the tests compare: on the common studies, by the settings of the first scorecard except where
    # ``notes`` say otherwise.
    tested: Mapping[str, Mapping[str, Figure]]
    tests: tuple[SystemTest, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def scored_alike(self) -> bool:
        """Whether the tests compare exactly the figures in the scorecards."""
        both = (
            (self.scored[system][name], figure)
            for system in self.systems
            for name, figure in self.tested[system].items()
        )
        return all(abs(scored.value - tested.value) < SAME for scored, tested in both)


def compare(
    cards: Sequence[SavedScorecard],
    *,
    all_pairs: bool = False,
    resamples: int = 1000,
    seed: int = 0,
    vocabularies: Sequence[Collection[str]] = (),
    labelers: Sequence[Labeler] = (RuleLabeler(),),
) -> Comparison:
    """Compare each scorecard with the first, or with ``all_pairs`` each with each.

    ``vocabularies`` and ``labelers`` are those that scorecards may have been made with; ``resamples`` and ``seed`` are
    those of all tests and intervals. Sources: ``metrics.significance``.

    Raises:
        WrongUse: no study is in all scorecards, or they disagree on the patient of a study.
    """
    first = cards[0]
    common = tuple(sorted(set(first.rows.study_ids).intersection(*(card.rows.study_ids for card in cards))))
    if not common:
        raise WrongUse(f"{', '.join(card.name for card in cards)}: no study is in all of them; score the same studies")
    names = tuple(name for name in first.figures if all(name in card.figures for card in cards))
    resampling = Resampling(_patients(cards, common), resamples, seed)
    rescore = Rescorer(names, vocabularies, labelers)
    aligned: list[Rescored] = []
    differences: list[Difference] = []
    notes = _left_out(cards, names)
    # Reports are scored again once by the first's settings and once for each setting that differs.
    for card in progress(cards, "scoring again", "system"):
        aligned.append(rescore(card, common, adopted(card, first, common), resampling))
        found, unexplained = find_differences(card, first, common, aligned[-1], rescore)
        differences += found
        notes += unexplained
    parts, on_parts = _parts(cards, aligned, common, names)
    notes += on_parts
    values = [_values(of_system, resampling.sums(_counts(of_system)), names) for of_system in parts]
    pairs = list(combinations(range(len(cards)), 2)) if all_pairs else [(0, other) for other in range(1, len(cards))]
    smallest = len(pairs) * len(values[0]) / (1 + resamples)
    if smallest > ALPHA:
        notes.append(
            f"with {resamples} draws no adjusted p-value can be below {min(smallest, 1):.3f}: take more (--resamples)"
        )
    return Comparison(
        systems=tuple(card.name for card in cards),
        counts={card.name: len(card.rows.study_ids) for card in cards},
        studies=len(common),
        unit="study" if resampling.clusters is None else "patient",
        resamples=resamples,
        scored={card.name: {name: card.figures[name] for name in names} for card in cards},
        tested={
            card.name: {name: interval(column) for name, column in found.items()}
            for card, found in zip(cards, values, strict=True)
        },
        tests=tuple(_tests([card.name for card in cards], pairs, parts, values, resampling)),
        differences=tuple(differences),
        notes=tuple(notes),
    )


def _patients(cards: Sequence[SavedScorecard], study_ids: Sequence[str]) -> tuple[str, ...] | None:
    """The patient of each study, None unless all are known."""
    known: dict[str, str] = {}
    for card in cards:
        for study_id, patient in zip(card.rows.study_ids, card.rows.resampling.clusters or (), strict=False):
            if known.setdefault(study_id, patient) != patient:
                raise WrongUse(
                    f"{card.name}: study {study_id} has another patient than in the scorecards before; score again"
                )
    return tuple(known[study_id] for study_id in study_ids) if known.keys() >= set(study_ids) else None


def _left_out(cards: Sequence[SavedScorecard], names: Collection[str]) -> list[str]:
    absent = sorted({name for card in cards for name in card.figures} - set(names))
    return [f"{', '.join(absent)}: not in all scorecards, so not compared"] if absent else []


def _parts(
    cards: Sequence[SavedScorecard], aligned: Sequence[Rescored], study_ids: tuple[str, ...], names: Sequence[str]
) -> tuple[list[list[Additive]], list[str]]:
    """The sums behind the tested figures of each system, the same figures for all, and notes on their sources."""
    notes = []
    both = list(zip(cards, aligned, strict=True))
    language = next((f"{card.name}: {again.language_reason}" for card, again in both if again.language_reason), "")
    clinical = next((f"{card.name}: {again.clinical_reason}" for card, again in both if again.clinical_reason), "")
    if language:
        notes.append(
            "language figures are tested as their scorecards scored each study, differences of scoring included, and "
            f"BLEU and METEOR as means over studies, not of the corpus ({language})"
        )
    if clinical:
        notes.append(
            "clinical figures are tested from the states in the scorecards, differences of scoring included "
            f"({clinical})"
        )
    parts = []
    for card, again in both:
        stored = card.rows.of_studies(study_ids)
        rows = stored if again.card is None else again.card.per_study
        if language:
            of_system = [mean_of(name, stored.language[name]) for name in names if name in stored.language]
        else:
            of_system = list(rows.parts)
        parts.append([*of_system, f1_parts((stored if clinical else rows).outcomes())])
    everywhere = [name for name in names if all(any(name in part.names for part in of_system) for of_system in parts)]
    if len(everywhere) < len(names):
        reasons = {reason for again in aligned if again.card for reason in again.card.missing.values()}
        absent = ", ".join(name for name in names if name not in everywhere)
        notes.append(f"{absent}: not tested: {'; '.join(sorted(reasons)) or 'not in the rows of all scorecards'}")
    return [[part for part in of_system if part.names[0] in everywhere] for of_system in parts], notes


def _counts(parts: Sequence[Additive]) -> Floats:
    return np.concatenate([part.counts for part in parts], axis=1)


def _values(parts: Sequence[Additive], sums: Floats, names: Collection[str]) -> dict[str, Floats]:
    """The figures ``names`` (``1 + R`` values each) of the sums ``(1 + R) x K`` of the counts of all parts together."""
    ends = np.cumsum([part.counts.shape[1] for part in parts])
    found: dict[str, Floats] = {}
    for part, of_part in zip(parts, np.split(sums, ends[:-1], axis=1), strict=True):
        found |= dict(zip(part.names, part.of_sums(of_part).T, strict=True))
    return {name: values for name, values in found.items() if name in names}


def _tests(
    systems: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    parts: Sequence[Sequence[Additive]],
    values: Sequence[Mapping[str, Floats]],
    resampling: Resampling,
) -> list[SystemTest]:
    found = []
    for one, other in pairs:
        swapped = resampling.swapped_sums(_counts(parts[one]), _counts(parts[other]))
        exchanged = [_values(parts[row], sums, values[one]) for row, sums in zip((one, other), swapped, strict=True)]
        for name in values[one]:
            bootstrap = paired_test(values[one][name], values[other][name])
            p_value = randomization_test(exchanged[0][name], exchanged[1][name])
            if name in BY_RANDOMIZATION_ALONE:
                bootstrap = replace(bootstrap, p_value=p_value)
            found.append((one, other, name, bootstrap, p_value))
    by_bootstrap = holm([bootstrap.p_value for *_, bootstrap, _ in found])
    by_randomization = holm([p_value for *_, p_value in found])
    return [
        SystemTest(systems[one], systems[other], name, bootstrap, adjusted, p_value, p_adjusted)
        for (one, other, name, bootstrap, p_value), adjusted, p_adjusted in zip(
            found, by_bootstrap, by_randomization, strict=True
        )
    ]
