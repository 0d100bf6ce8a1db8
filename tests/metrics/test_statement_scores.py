"""Figures of statements' probabilities, beside scikit-learn and sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from radscribe.metrics.significance import Resampling
from radscribe.metrics.statement_scores import Statements, risk_by_coverage, score_statements

FEW = Resampling(resamples=50)


def drawn(seed: int, count: int, studies: int = 20, steps: int = 7) -> Statements:
    generator = np.random.default_rng(seed)
    likely = generator.integers(0, steps + 1, count) / steps  # with ties
    return Statements(generator.integers(0, studies, count), likely, generator.random(count) < likely)


@given(st.integers(0, 1000), st.integers(30, 200))
def test_the_area_is_that_of_scikit_learn(seed: int, count: int) -> None:
    statements = drawn(seed, count)
    found = score_statements(statements, 20, FEW)
    if found.area is not None:
        assert found.area.value == pytest.approx(roc_auc_score(statements.true, statements.probabilities))
        assert found.area.low <= found.area.value <= found.area.high


def test_a_study_drawn_twice_counts_its_statements_twice() -> None:
    statements = Statements(np.array([0, 0, 1]), np.array([0.9, 0.2, 0.4]), np.array([True, False, True]))
    found = score_statements(statements, 2, Resampling(resamples=400))
    assert found.share_true is not None and found.share_true.value == pytest.approx(2 / 3)
    assert (found.share_true.low, found.share_true.high) == (0.5, 1.0)  # study 0 alone, study 1 alone


def test_the_calibration_error_is_the_gap_of_each_bin_by_its_size() -> None:
    likely, true = np.array([0.95, 0.95, 0.95, 0.15]), np.array([True, True, False, False])
    found = score_statements(Statements(np.arange(4), likely, true), 4, FEW)
    assert found.calibration_error is not None
    assert found.calibration_error.value == pytest.approx(3 / 4 * abs(0.95 - 2 / 3) + 1 / 4 * 0.15)


def test_true_probabilities_have_a_small_error_and_overstated_ones_a_large_one() -> None:
    statements = drawn(0, 5000, 500, 1000)
    fair = score_statements(statements, 500, FEW)
    boast = score_statements(statements._replace(probabilities=statements.probabilities**0.2), 500, FEW)
    assert fair.calibration_error is not None and boast.calibration_error is not None
    assert fair.calibration_error.value < 0.03 < 0.2 < boast.calibration_error.value


def test_without_statements_there_are_no_figures() -> None:
    nothing = Statements(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool))
    assert score_statements(nothing, 3, FEW) == (0, None, None, None)


def test_the_surest_are_kept_the_longest() -> None:
    likely, true = np.array([0.2, 0.9, 0.6]), np.array([False, True, False])
    coverage, risk = risk_by_coverage(Statements(np.arange(3), likely, true))
    assert coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert risk.tolist() == pytest.approx([0, 1 / 2, 2 / 3])
