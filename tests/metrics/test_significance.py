"""The bootstrap against brute force, and the properties an interval and a paired test must have."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from radscribe.core.errors import WrongUse
from radscribe.metrics.significance import (
    Floats,
    Resampling,
    balanced_accuracy,
    holm,
    interval,
    paired_test,
    randomization_test,
    ratio,
)

FEW = Resampling(resamples=50)


def test_sums_are_those_of_the_drawn_studies() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (7, 3))
    drawn = np.random.default_rng(5).integers(0, 7, (20, 7))
    sums = Resampling(resamples=20, seed=5).sums(counts)
    assert np.array_equal(sums, np.concatenate([[counts.sum(0)], counts[drawn].sum(1)]))


def test_blocks_change_nothing_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.arange(12.0).reshape(6, 2)
    whole = Resampling(resamples=31).sums(counts)
    monkeypatch.setattr("radscribe.metrics.significance.DRAWS_PER_BLOCK", 24)
    assert np.array_equal(Resampling(resamples=31).sums(counts), whole)


def test_clusters_are_drawn_whole() -> None:
    counts = np.array([[1, 0], [1, 0], [0, 1]])
    sums = Resampling(("p", "p", "q"), resamples=200).sums(counts)
    assert {tuple(row) for row in sums[1:]} == {(4, 0), (2, 1), (0, 2)}


def test_order_of_studies_changes_no_cluster_bootstrap() -> None:
    counts, order = np.random.default_rng(1).integers(0, 5, (30, 2)), np.random.default_rng(2).permutation(30)
    names = tuple(f"p{row % 11}" for row in range(30))
    shuffled = Resampling(tuple(names[row] for row in order)).sums(counts[order])
    assert np.array_equal(Resampling(names).sums(counts), shuffled)


def test_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(3).normal(size=(2000, 1))
    figure = interval(Resampling(resamples=2000).sums(values)[:, 0] / 2000)
    assert figure.high - figure.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(2000), rel=0.08)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_interval_holds_its_value(rows: list[tuple[bool, bool]], seed: int) -> None:
    sums = Resampling(resamples=30, seed=seed).sums(np.array(rows, dtype=int))
    figure = interval(ratio(sums[:, 0], sums[:, 1]))
    assert figure.low <= figure.value <= figure.high


def test_paired_test_is_symmetric_and_never_zero() -> None:
    rng = np.random.default_rng(4)
    first, second = (FEW.sums(rng.random((40, 1)) + shift)[:, 0] / 40 for shift in (0.0, 0.5))
    forth, back = paired_test(first, second), paired_test(second, first)
    assert forth.p_value == back.p_value == pytest.approx(1 / 51)
    assert forth.difference.value == -back.difference.value
    assert forth.difference.low == pytest.approx(-back.difference.high)
    assert paired_test(first, first).p_value == 1


def test_balanced_accuracy_is_scikit_learns() -> None:
    rng = np.random.default_rng(6)
    said, truth = rng.random(60) < 0.5, rng.random(60) < 0.2
    figure = balanced_accuracy(said, truth, FEW)
    assert figure.value == pytest.approx(balanced_accuracy_score(truth, said))
    assert figure.low < figure.value < figure.high


def test_balanced_accuracy_survives_resamples_of_one_class() -> None:
    figure = balanced_accuracy([True, False, False], [True, False, False], FEW)
    assert (figure.value, figure.low, figure.high) == (1, 1, 1)


@pytest.mark.parametrize(("said", "truth"), [([True], [True]), ([True, False], [True])])
def test_balanced_accuracy_refuses_what_has_no_meaning(said: list[bool], truth: list[bool]) -> None:
    with pytest.raises(WrongUse):
        balanced_accuracy(said, truth)


def test_nothing_to_resample_is_refused() -> None:
    with pytest.raises(WrongUse, match="no study"):
        Resampling().sums(np.zeros((0, 3)))
    with pytest.raises(WrongUse, match="2 cluster names for 3 studies"):
        Resampling(("a", "b")).sums(np.zeros((3, 1)))


def test_holm_is_as_by_hand() -> None:
    # 0.01 x 4; 0.02 x 3; 0.03 x 2; and 0.04 x 1, which may not fall below the step before it
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.001, 0.4]) == pytest.approx([0.8, 0.003, 0.8])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([0.03]) == [0.03] and holm([]) == []


def f1(sums: Floats) -> Floats:
    """Not a mean: a ratio of sums, as F1 is."""
    return ratio(2 * sums[:, 0], 2 * sums[:, 0] + sums[:, 1])


@pytest.mark.parametrize("clusters", [None, tuple("aabbccddee")])
def test_randomization_is_that_of_all_exchanges(clusters: tuple[str, ...] | None) -> None:
    rng = np.random.default_rng(7)
    one, two = rng.integers(0, 4, (10, 2)), rng.integers(0, 4, (10, 2)) + np.array([0, 1])
    names = clusters or tuple(map(str, range(10)))
    observed = abs(f1(one.sum(0, keepdims=True)) - f1(two.sum(0, keepdims=True)))[0]
    units = sorted(set(names))
    larger = 0
    for choice in product((False, True), repeat=len(units)):
        exchanged = np.array([dict(zip(units, choice, strict=True))[name] for name in names])[:, None]
        sums = [np.where(exchanged, b, a).sum(0, keepdims=True) for a, b in ((one, two), (two, one))]
        larger += abs(f1(sums[0]) - f1(sums[1]))[0] >= observed - 1e-12
    exact = larger / 2 ** len(units)
    assert 0.02 < exact < 0.9
    draws = 20000
    found = randomization_test(*map(f1, Resampling(clusters, draws, seed=1).swapped_sums(one, two)))
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / draws))


def test_both_tests_reject_what_is_the_same_as_often_as_they_say() -> None:
    by_bootstrap, by_randomization = [], []
    for seed in range(400):
        outcomes = np.random.default_rng(seed).integers(0, 3, (2, 60, 2))
        resampling = Resampling(resamples=99, seed=seed)
        by_bootstrap.append(paired_test(*(f1(resampling.sums(of_one)) for of_one in outcomes)).p_value)
        by_randomization.append(randomization_test(*map(f1, resampling.swapped_sums(*outcomes))))
    for p_values in (by_bootstrap, by_randomization):
        # Uniform p-values stray from each bound by more than 0.07 less than once in a hundred tries.
        for bound in (0.05, 0.2, 0.5, 0.8):
            assert np.mean(np.array(p_values) <= bound) == pytest.approx(bound, abs=0.07), bound


def test_clusters_are_exchanged_whole() -> None:
    """Twenty copies of each of five patients' differences are no more evidence than five."""
    excess = np.repeat([3.0, 2.0, 4.0, 1.0, -1.0], 20)[:, None]
    zero, patients = np.zeros_like(excess), tuple(f"p{row // 20}" for row in range(100))
    alone, whole = (
        randomization_test(*(sums[:, 0] for sums in Resampling(names, 999).swapped_sums(excess, zero)))
        for names in (None, patients)
    )
    assert alone == 1 / 1000
    # Of the 32 exchanges 6 differ by the observed 9 or more: none, the patient of 1 or that of -1, and their reverse.
    assert whole == pytest.approx(6 / 32, abs=0.05)


def test_exchanges_of_different_studies_are_refused() -> None:
    with pytest.raises(WrongUse, match="the same studies"):
        Resampling().swapped_sums(np.zeros((3, 1)), np.zeros((2, 1)))


def test_blocks_of_exchanges_change_nothing_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.random.default_rng(0).integers(0, 9, (2, 6, 2))
    whole = Resampling(resamples=31).swapped_sums(*counts)
    monkeypatch.setattr("radscribe.metrics.significance.DRAWS_PER_BLOCK", 24)
    assert np.array_equal(Resampling(resamples=31).swapped_sums(*counts), whole)
