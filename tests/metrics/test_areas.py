"""ROC areas of conditions' probabilities: against SciPy's rank sum, and what a resample without positives gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from radscribe.labels.conditions import CHEXBERT_CONDITIONS, NO_FINDING
from radscribe.metrics.areas import LEAST_POSITIVES, MEAN, areas
from radscribe.metrics.significance import Resampling


@given(seed=st.integers(0, 10_000))
def test_areas_are_those_of_the_rank_sum_with_ties_and_their_mean_is_last(seed: int) -> None:
    random = np.random.default_rng(seed)
    probabilities = random.integers(0, 9, (80, 14)) / 8  # many ties
    positive = random.random((80, 14)) < 0.4
    positive[:, 2] = False
    positive[: LEAST_POSITIVES - 1, 2] = True
    found = areas(probabilities, positive, Resampling(resamples=20))
    expected = {
        name: mannwhitneyu(probabilities[positive[:, c], c], probabilities[~positive[:, c], c]).statistic
        / (positive[:, c].sum() * (~positive[:, c]).sum())
        for c, name in enumerate(CHEXBERT_CONDITIONS)
        if c not in (2, NO_FINDING)
    }
    assert list(found) == [*expected, MEAN]
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value)
        assert found[name].low <= value <= found[name].high
    assert found[MEAN].value == pytest.approx(np.mean(list(expected.values())))


def test_patients_are_resampled_whole_and_no_positive_gives_no_area() -> None:
    probabilities, positive = np.zeros((40, 14)), np.zeros((40, 14), bool)
    assert areas(probabilities, positive, Resampling()) == {}
    positive[:20, 0], probabilities[:20, 0] = True, 1.0
    # Two patients, one with all positives: a draw of either alone has no area and is left out.
    found = areas(probabilities, positive, Resampling(("a",) * 20 + ("b",) * 20, resamples=50))
    first = found[CHEXBERT_CONDITIONS[0]]
    assert (first.value, first.low, first.high) == (1.0, 1.0, 1.0)
