"""Compute clinical figures: precision, recall and F1 of the conditions that two sets of reports state.

Positive means state 1 only, unless the policy for uncertain statements says otherwise; blank and negative never count
as stated. 0 / 0 = 0. Sources: example-based averaging is PromptMRG's (Jin et al., 2024, arXiv:2308.12604); the five
conditions are those of CheXbert-5. The micro-average of 13 leaves "no finding" out, whose convention differs between
labelers more than any other condition's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import WrongUse
from radscribe.labels.conditions import (
    CHEXBERT_CONDITIONS,
    CHEXBERT_COUNT,
    FIVE_CONDITIONS,
    NO_FINDING,
    POSITIVE,
    UNCERTAIN,
)
from radscribe.metrics.significance import (
    Additive,
    Figure,
    Floats,
    PairedTest,
    Resampling,
    interval,
    paired_test,
    ratio,
)

Outcomes = NDArray[np.int64]
# An uncertain statement counts as negative (PromptMRG, R2GenCMN), as positive (ORGan), or as a class of its own.
Uncertain = Literal["negative", "positive", "own"]

AVERAGES = ("micro", "macro", "example", "micro_5", "macro_5", "micro_13")
FIVE = [CHEXBERT_CONDITIONS.index(name) for name in FIVE_CONDITIONS]
THIRTEEN = [column for column in range(CHEXBERT_COUNT) if column != NO_FINDING]


@dataclass(frozen=True)
class Scores:
    """Precision, recall and F1, each with its interval."""

    precision: Figure
    recall: Figure
    f1: Figure


@dataclass(frozen=True)
class ConditionScores(Scores):
    """Scores of one condition with the counts behind them."""

    support: int  # references that state it
    true_positives: int
    false_positives: int
    false_negatives: int


@dataclass(frozen=True)
class Clinical:
    """Averages over 14, over 5 and over 13 conditions (without "no finding"), and each of the 14 alone."""

    micro: Scores
    macro: Scores
    example: Scores
    micro_5: Scores
    macro_5: Scores
    micro_13: Scores
    per_condition: Mapping[str, ConditionScores]


def outcomes(
    hypothesis_states: NDArray[np.integer], reference_states: NDArray[np.integer], uncertain: Uncertain = "negative"
) -> Outcomes:
    """True positives, false positives and false negatives of each study and condition.

    States are ``N x 14`` or ``N x 18`` (the last four are left out); the result is ``N x 14 x 3`` of 0 and 1. Where
    uncertain is a class of its "own", positive and uncertain are one decision each and their outcomes are added.

    Raises:
        WrongUse: an unknown policy, states of another shape, or different numbers of studies.
    """
    if uncertain not in get_args(Uncertain):
        raise WrongUse(f"uncertain policy {uncertain!r} is not one of {', '.join(get_args(Uncertain))}")
    for rows in (hypothesis_states, reference_states):
        if rows.ndim != 2 or rows.shape[1] < CHEXBERT_COUNT:
            raise WrongUse(f"states of shape {rows.shape}: not usable; give studies x 14 or studies x 18")
    if len(hypothesis_states) != len(reference_states):
        raise WrongUse(
            f"{len(hypothesis_states)} hypotheses for {len(reference_states)} references; give one for each study"
        )
    classes = {"negative": [[POSITIVE]], "positive": [[POSITIVE, UNCERTAIN]], "own": [[POSITIVE], [UNCERTAIN]]}
    found = np.zeros((len(hypothesis_states), CHEXBERT_COUNT, 3), dtype=np.int64)
    for states in classes[uncertain]:
        stated, true = (np.isin(rows[:, :CHEXBERT_COUNT], states) for rows in (hypothesis_states, reference_states))
        found += np.stack([stated & true, stated & ~true, ~stated & true], axis=-1)
    return found


def precision_recall_f1(counts: NDArray[np.number]) -> Floats:
    """Precision, recall and F1 (``... x 3``) of true positives, false positives and false negatives (``... x 3``)."""
    hits, false_alarms, misses = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    return np.stack(
        [
            ratio(hits, hits + false_alarms),
            ratio(hits, hits + misses),
            ratio(hits, hits + (false_alarms + misses) / 2),
        ],
        axis=-1,
    )


def condition_sums(studies: Outcomes, resampling: Resampling) -> Floats:
    """Outcomes ``N x C x 3`` summed over all studies and over each resample: ``(1 + R) x C x 3``."""
    return resampling.sums(studies.reshape(len(studies), -1)).reshape(-1, studies.shape[1], 3)


def micro(sums: Floats) -> Floats:
    """Precision, recall and F1 over all decisions (``... x 3``) of sums ``... x C x 3``."""
    return precision_recall_f1(sums.sum(axis=-2))


def macro(sums: Floats) -> Floats:
    """The means over conditions of precision, recall and F1 (``... x 3``) of sums ``... x C x 3``."""
    means: Floats = precision_recall_f1(sums).mean(axis=-2)
    return means


def score_states(
    hypothesis_states: NDArray[np.integer],
    reference_states: NDArray[np.integer],
    resampling: Resampling | None = None,
    uncertain: Uncertain = "negative",
) -> Clinical:
    """All clinical figures of ``N x 14`` or ``N x 18`` states, each with its bootstrap interval.

    Raises ``WrongUse`` as ``outcomes`` does.
    """
    resampling = resampling or Resampling()
    studies = outcomes(hypothesis_states, reference_states, uncertain)
    sums = condition_sums(studies, resampling)
    by_study = precision_recall_f1(studies.sum(axis=1))
    example_sums = resampling.sums(np.column_stack([by_study, np.ones(len(studies))]))
    by_condition = precision_recall_f1(sums)
    return Clinical(
        micro=_scores(micro(sums)),
        macro=_scores(macro(sums)),
        example=_scores(example_sums[:, :3] / example_sums[:, 3:]),
        micro_5=_scores(micro(sums[:, FIVE])),
        macro_5=_scores(macro(sums[:, FIVE])),
        micro_13=_scores(micro(sums[:, THIRTEEN])),
        per_condition={
            name: _condition_scores(by_condition[:, column], studies[:, column].sum(axis=0))
            for column, name in enumerate(CHEXBERT_CONDITIONS)
        },
    )


def f1_parts(studies: Outcomes) -> Additive:
    """F1 of each of ``AVERAGES`` (named ``micro_f1`` and so on) of outcomes ``N x C x 3``."""
    count, conditions = studies.shape[:2]
    by_study = precision_recall_f1(studies.sum(axis=1))[:, 2]

    def of_sums(sums: Floats) -> Floats:
        found = sums[..., :-2].reshape(*sums.shape[:-1], conditions, 3)
        five, thirteen = found[..., FIVE, :], found[..., THIRTEEN, :]
        example = sums[..., -2] / sums[..., -1]
        f1 = [of[..., 2] for of in (micro(found), macro(found), micro(five), macro(five), micro(thirteen))]
        return np.stack([*f1[:2], example, *f1[2:]], axis=-1)

    counts = np.column_stack([studies.reshape(count, -1), by_study, np.ones(count)])
    return Additive(tuple(f"{average}_f1" for average in AVERAGES), counts, of_sums)


def compare_micro_f1(first: Outcomes, second: Outcomes, resampling: Resampling | None = None) -> PairedTest:
    """Paired bootstrap of the micro-F1 of two systems on the same studies (outcomes ``N x C x 3`` each).

    Raises ``WrongUse`` where the shapes differ.
    """
    if first.shape != second.shape:
        raise WrongUse(
            f"outcomes of shape {first.shape} and {second.shape}: not the same studies; compare systems on the same"
        )
    resampling = resampling or Resampling()
    values = [micro(condition_sums(studies, resampling))[:, 2] for studies in (first, second)]
    return paired_test(values[0], values[1])


def _scores(values: Floats) -> Scores:
    precision, recall, f1 = (interval(values[:, column]) for column in range(3))
    return Scores(precision, recall, f1)


def _condition_scores(values: Floats, counts: NDArray[np.int64]) -> ConditionScores:
    scores = _scores(values)
    hits, false_alarms, misses = (int(count) for count in counts)
    return ConditionScores(scores.precision, scores.recall, scores.f1, hits + misses, hits, false_alarms, misses)
