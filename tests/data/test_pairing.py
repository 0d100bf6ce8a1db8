"""Pairing images with reports: nearest, agreeing on what decides, and evenly."""

from __future__ import annotations

from collections import Counter

import pytest

from radscribe.data.pairing import pair

OPACITY, PNEUMONIA, EFFUSION, HEART = 2, 6, 9, 1
DECISIVE = {OPACITY, PNEUMONIA}


def sets(*groups: tuple[int, ...]) -> list[frozenset[int]]:
    return [frozenset(group) for group in groups]


def test_an_exact_report_comes_before_a_nearer_looking_one() -> None:
    reports = sets((OPACITY,), (OPACITY, EFFUSION), (EFFUSION,))
    pairs = pair(sets((OPACITY, EFFUSION), (EFFUSION,)), reports, DECISIVE, 1, seed=0)
    assert [(found.report, found.distance) for found in pairs] == [(1, 0), (2, 0)]


def test_the_decisive_conditions_agree_even_when_another_report_is_nearer() -> None:
    reports = sets((EFFUSION, HEART), (OPACITY,))
    (found,) = pair(sets((PNEUMONIA, EFFUSION, HEART)), reports, DECISIVE, 1, seed=0)
    assert (found.report, found.distance) == (1, 4)


def test_tied_reports_are_used_evenly_and_in_a_seeded_order() -> None:
    reports = sets(*[(OPACITY,)] * 10)
    images = sets(*[(OPACITY,)] * 95)
    pairs = pair(images, reports, DECISIVE, 1, seed=3)
    assert set(Counter(found.report for found in pairs).values()) == {9, 10}
    assert pairs == pair(images, reports, DECISIVE, 1, seed=3)
    assert pairs != pair(images, reports, DECISIVE, 1, seed=4)


def test_a_small_pool_is_widened_by_one_step() -> None:
    reports = sets((OPACITY, PNEUMONIA), (OPACITY,), (OPACITY, HEART, EFFUSION))
    images = sets(*[(OPACITY, PNEUMONIA)] * 10)
    assert {found.report for found in pair(images, reports, DECISIVE, 1, seed=0)} == {0}
    widened = pair(images, reports, DECISIVE, 2, seed=0)
    assert {(found.report, found.distance, found.widened) for found in widened} == {(0, 0, False), (1, 1, True)}


def test_no_agreeing_report_is_an_error() -> None:
    with pytest.raises(ValueError, match="agrees"):
        pair(sets((OPACITY,)), sets((HEART,)), DECISIVE, 1, seed=0)
