"""How often a study is drawn, by its rarest condition."""

from __future__ import annotations

import numpy as np
import pytest

from makers import TINY
from radscribe.core.config import RecipeError, from_mapping
from radscribe.labels.conditions import POSITIVE
from radscribe.training.generator import repeat_factors
from radscribe.training.recipe import Recipe


def test_a_study_is_drawn_by_the_rate_of_its_rarest_positive_condition() -> None:
    states = np.zeros((100, 18), dtype=np.int64)
    states[:50, 0] = POSITIVE
    states[40:44, 1] = POSITIVE  # four of them have the first one, too
    states[60, 2] = POSITIVE
    states[70, 15] = POSITIVE  # no condition that is scored
    states[80, 1] = 2  # negated
    factors = repeat_factors(states, 0.25)
    assert factors[[0, 39, 45, 50, 70, 80]].tolist() == [1.0] * 6
    assert factors[[40, 60]] == pytest.approx([(0.25 / 0.04) ** 0.5, 5.0])


def test_a_rate_above_one_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"generator: rare_rate must be between 0 and 1, not 2\.0"):
        from_mapping(Recipe, {**TINY, "generator": {**TINY["generator"], "rare_rate": 2}})
