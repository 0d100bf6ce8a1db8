"""Clinical figures against scikit-learn and against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from radscribe.core.errors import WrongUse
from radscribe.labels.conditions import CHEXBERT_CONDITIONS
from radscribe.metrics.clinical import FIVE, THIRTEEN, Scores, compare_micro_f1, f1_parts, outcomes, score_states
from radscribe.metrics.significance import Resampling

FEW = Resampling(resamples=30)


def random_states(seed: int, studies: int = 40, width: int = 18) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (studies, width))


def values(scores: Scores) -> list[float]:
    return [scores.precision.value, scores.recall.value, scores.f1.value]


@pytest.mark.parametrize(("average", "name"), [("micro", "micro"), ("macro", "macro"), ("samples", "example")])
def test_averages_are_scikit_learns(average: str, name: str) -> None:
    said, true = random_states(0), random_states(1, width=14)
    said[:, 3], true[0] = 0, 2  # a condition never said, a report without positives: 0 / 0
    ours = getattr(score_states(said, true, FEW), name)
    positive = said[:, :14] == 1, true == 1
    peer = precision_recall_fscore_support(positive[1], positive[0], average=average, zero_division=0)
    assert values(ours) == pytest.approx(peer[:3])


def test_five_conditions_are_scikit_learns() -> None:
    said, true = random_states(2), random_states(3)
    clinical = score_states(said, true, FEW)
    for average, ours in (("micro", clinical.micro_5), ("macro", clinical.macro_5)):
        peer = precision_recall_fscore_support(true[:, FIVE] == 1, said[:, FIVE] == 1, average=average, zero_division=0)
        assert values(ours) == pytest.approx(peer[:3])


def test_the_micro_average_of_13_leaves_no_finding_alone_out() -> None:
    said, true = random_states(20), random_states(21)
    ours = score_states(said, true, FEW).micro_13
    columns = [column for column, name in enumerate(CHEXBERT_CONDITIONS) if name != "no finding"]
    peer = precision_recall_fscore_support(
        true[:, columns] == 1, said[:, columns] == 1, average="micro", zero_division=0
    )
    assert values(ours) == pytest.approx(peer[:3])
    said[:, 13] = true[:, 13]
    again = score_states(said, true, FEW)
    assert values(again.micro_13) == values(ours) and columns == THIRTEEN
    parts = f1_parts(outcomes(said, true)).figures(FEW)
    assert parts["micro_13_f1"] == again.micro_13.f1 != parts["micro_f1"]


def test_each_condition_has_the_counts_of_brute_force() -> None:
    said, true = random_states(4), random_states(5)
    per_condition = score_states(said, true, FEW).per_condition
    assert tuple(per_condition) == CHEXBERT_CONDITIONS
    for column, scores in enumerate(per_condition.values()):
        pairs = [(a == 1, b == 1) for a, b in zip(said[:, column], true[:, column], strict=True)]
        assert scores.true_positives == pairs.count((True, True))
        assert scores.false_positives == pairs.count((True, False))
        assert scores.false_negatives == pairs.count((False, True))
        assert scores.support == scores.true_positives + scores.false_negatives


def test_uncertain_is_negative() -> None:
    counts = outcomes(np.full((1, 14), 3), np.full((1, 14), 1))
    assert counts.sum(axis=(0, 1)).tolist() == [0, 0, 14]
    assert outcomes(np.full((1, 14), 3), np.full((1, 14), 3)).sum() == 0


def test_perfect_reports_score_one() -> None:
    states = np.ones((5, 14), dtype=int)
    clinical = score_states(states, states, FEW)
    for scores in (clinical.micro, clinical.macro, clinical.example, clinical.micro_5, clinical.macro_5):
        assert values(scores) == [1, 1, 1]
        assert scores.f1.low == 1


def test_silence_scores_zero() -> None:
    clinical = score_states(np.zeros((5, 14), dtype=int), random_states(6, studies=5), FEW)
    for scores in (clinical.micro, clinical.macro, clinical.example):
        assert values(scores) == [0, 0, 0]


def test_order_of_studies_changes_no_value() -> None:
    said, true, order = random_states(7), random_states(8), np.random.default_rng(9).permutation(40)
    one, other = score_states(said, true, FEW), score_states(said[order], true[order], FEW)
    for name in ("micro", "macro", "example"):
        assert values(getattr(one, name)) == pytest.approx(values(getattr(other, name)))


def test_interval_is_that_of_rescored_resamples() -> None:
    said, true = random_states(10), random_states(11)
    drawn = np.random.default_rng(0).integers(0, 40, (30, 40))
    f1 = [
        precision_recall_fscore_support(true[rows, :14] == 1, said[rows, :14] == 1, average="macro", zero_division=0)[2]
        for rows in drawn
    ]
    figure = score_states(said, true, FEW).macro.f1
    value = figure.value
    assert figure.low == pytest.approx(min(np.quantile(f1, 0.025), value))
    assert figure.high == pytest.approx(max(np.quantile(f1, 0.975), value))


def test_comparison_is_symmetric_and_sees_a_difference() -> None:
    true = random_states(12, studies=80)
    good, poor = true.copy(), random_states(13, studies=80)
    good[::5] = poor[::5]
    pair = outcomes(good, true), outcomes(poor, true)
    forth, back = compare_micro_f1(*pair), compare_micro_f1(*pair[::-1])
    assert forth.p_value == back.p_value < 0.01
    assert forth.difference.low > 0
    assert compare_micro_f1(pair[0], pair[0]).p_value == 1


@pytest.mark.parametrize("shape", [(3, 14), (4, 13), (4,)])
def test_states_that_do_not_match_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(WrongUse):
        outcomes(np.zeros((4, 14), dtype=int), np.zeros(shape, dtype=int))
