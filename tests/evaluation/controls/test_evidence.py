"""Sides, masks and the exact paired test of attention maps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from radscribe.core.errors import WrongUse
from radscribe.drafting.sides import peak_side
from radscribe.evaluation.controls.evidence import paired_hits_p_value, peak_in_mask, pointing


def peak_at(row: int, column: int, size: int = 7) -> np.ndarray:
    attention = np.full((size, size), 0.1)
    attention[row, column] = 1
    return attention


@pytest.mark.parametrize(("column", "side"), [(0, "right"), (2, "right"), (3, "midline"), (4, "left"), (6, "left")])
def test_the_images_left_is_the_patients_right(column: int, side: str) -> None:
    assert peak_side(peak_at(5, column)) == side
    assert peak_side(peak_at(5, column)[:, ::-1]) == {"left": "right", "right": "left"}.get(side, side)


def test_maps_of_even_width_have_a_midline_too() -> None:
    assert [peak_side(peak_at(0, column, 14)) for column in (5, 6, 7, 8)] == ["right", "midline", "midline", "left"]


def test_a_flat_map_points_nowhere() -> None:
    assert peak_side(np.ones((7, 7))) == "midline"
    lesion = np.zeros((224, 224), dtype=bool)
    lesion[:32, :32] = True
    assert not peak_in_mask(np.ones((7, 7)), lesion)


def test_a_lesion_is_every_cell_it_touches() -> None:
    lesion = np.zeros((224, 224), dtype=bool)
    lesion[31:33, 100] = True
    assert peak_in_mask(peak_at(0, 3), lesion)
    assert peak_in_mask(peak_at(1, 3), lesion)
    assert not peak_in_mask(peak_at(2, 3), lesion)
    assert not peak_in_mask(peak_at(0, 3), np.zeros((224, 224), dtype=bool))


def test_pointing_is_the_share_of_hits() -> None:
    found = pointing([True, False, False, True])
    assert (found.hits, found.n, found.rate) == (2, 4, 0.5)
    assert pointing([]).rate == 0


def test_p_value_is_the_binomial_tail_of_the_differing_sentences() -> None:
    true, shuffled = [True] * 9 + [False] * 1 + [True] * 5, [False] * 9 + [True] * 1 + [True] * 5
    assert paired_hits_p_value(true, shuffled) == pytest.approx(binom.sf(8, 10, 0.5))
    assert paired_hits_p_value(shuffled, true) > 0.9
    assert paired_hits_p_value(true, true) == 1
    with pytest.raises(WrongUse):
        paired_hits_p_value([True], [True, False])


@pytest.mark.parametrize("attention", [np.ones(7), np.full((7, 7), np.nan), np.ones((0, 7))])
def test_what_is_no_map_is_refused(attention: np.ndarray) -> None:
    with pytest.raises(WrongUse):
        peak_side(attention)
