"""A sentence that names one side while its map peaks on the other draws a warning."""

from __future__ import annotations

import numpy as np
import pytest

from radscribe.core.records import DraftSentence
from radscribe.drafting.evidence_maps import evidence_map
from radscribe.drafting.sides import named_side, side_warnings


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("There is a left-sided effusion.", "left"),
        ("Opacity, right.", "right"),
        ("Left and right effusions.", None),
        ("Bilateral effusions, left greater than before.", None),
        ("The heart is upright.", None),
    ],
)
def test_one_side_is_named_or_none(text: str, side: str | None) -> None:
    assert named_side(text) == side


def sentence(
    text: str, column: int | None, condition: str = "pleural effusion", kind: str = "activation"
) -> DraftSentence:
    evidence = None
    if column is not None:
        values = np.zeros((7, 7))
        values[5, column] = 1
        evidence = evidence_map(kind, values)
    return DraftSentence(text, {condition: "positive"}, 0.9, (), None, evidence=evidence)


def test_a_map_on_the_other_side_is_told_and_nothing_else() -> None:
    left = "There is a left effusion."
    assert side_warnings([sentence(left, 1)]) == (
        "“There is a left effusion.” names the left side, and its map peaks on the patient's right.",
    )
    quiet = [
        sentence(left, 6),
        sentence(left, 3),  # the midline
        sentence(left, None),
        sentence("There is an effusion.", 1),
        sentence(left, 1, kind="attention"),
        sentence("A left subclavian line.", 1, "support devices"),
    ]
    assert side_warnings(quiet) == ()
