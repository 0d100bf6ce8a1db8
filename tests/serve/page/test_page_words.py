"""Word differences, sides of sentences, and contradictions between text and findings."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from radscribe.data.phantom import generate
from radscribe.labels.rules import label_sentence
from radscribe.serve.page import stated

Logic = Callable[..., Any]


def words(text: str) -> list[str]:
    return re.findall(r"[\w'’-]+|[^\w\s]", text)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("The heart is large.", "The heart is large.", [("same", "The heart is large.")]),
        (
            "A small right effusion.",
            "A large right effusion.",
            [("same", "A"), ("removed", "small"), ("added", "large"), ("same", "right effusion.")],
        ),
        ("", "New words.", [("added", "New words.")]),
        ("Old words.", "", [("removed", "Old words.")]),
        (
            "Left-sided effusion, small.",
            "Left-sided effusion.",
            [("same", "Left-sided effusion"), ("removed", ", small"), ("same", ".")],
        ),
    ],
)
def test_differences_are_in_words(before: str, after: str, expected: list[tuple[str, str]], logic: Logic) -> None:
    parts = logic("word_diff", "m.wordDiff(...given)", [before, after])
    assert [(part["kind"], part["text"]) for part in parts] == expected


def test_a_difference_holds_both_texts_and_no_word_twice(logic: Logic) -> None:
    reports = [study.findings for study in generate(40, seed=7, lateral_share=0.0)]
    pairs = list(pairwise(reports))
    for (before, after), parts in zip(
        pairs, logic("word_diff", "given.map((each) => m.wordDiff(...each))", pairs), strict=True
    ):
        for kind, text in (("removed", before), ("added", after)):
            kept = [word for part in parts if part["kind"] in ("same", kind) for word in words(part["text"])]
            assert kept == words(text)
        same = sum(len(words(part["text"])) for part in parts if part["kind"] == "same")
        assert same == longest_common(words(before), words(after))


def longest_common(first: list[str], second: list[str]) -> int:
    row = [0] * (len(second) + 1)
    for word in first:
        corner = 0
        for place, other in enumerate(second, 1):
            corner, row[place] = row[place], corner + 1 if word == other else max(row[place], row[place - 1])
    return row[-1]


SIDES = [
    (
        "There is a small right pleural effusion.",
        "There is a small left pleural effusion.",
        "There are small bilateral pleural effusions.",
    ),
    (
        "A large right pleural effusion is present, which has grown.",
        "A large left pleural effusion is present, which has grown.",
        "Large bilateral pleural effusions are present, which have grown.",
    ),
    ("Opacity in the right lower lobe.", "Opacity in the left lower lobe.", "Opacity in both lower lobes."),
    ("The right lung is clear.", "The left lung is clear.", "Both lungs are clear."),
    (
        "There is mild right basilar atelectasis.",
        "There is mild left basilar atelectasis.",
        "There is mild bilateral basilar atelectasis.",
    ),
    (
        "Right-sided pleural effusion has increased.",
        "Left-sided pleural effusion has increased.",
        "Bilateral pleural effusions have increased.",
    ),
    (
        "Blunting of the costophrenic angle on the right.",
        "Blunting of the costophrenic angle on the left.",
        "Blunting of the costophrenic angle on both sides.",
    ),
    (
        "Fractures of the right ribs are seen.",
        "Fractures of the left ribs are seen.",
        "Fractures of bilateral ribs are seen.",
    ),
    ("Opacity in the right middle lobe.", "Opacity in the lingula.", None),
    (
        "A right pacemaker and a right chest tube are present.",
        "A left pacemaker and a left chest tube are present.",
        None,
    ),
]


@pytest.mark.parametrize(("right", "left", "both"), SIDES)
def test_a_sentence_is_turned_to_each_side(right: str, left: str, both: str | None, logic: Logic) -> None:
    turned = "['right', 'left', 'both'].map((side) => m.onSide(given, side))"
    assert logic("sides", turned, right) == [right, left, both]
    assert logic("sides", turned, left)[:2] == [right, left]
    assert logic("sides", "given.map((text) => m.sideOf(text))", [right, left]) == ["right", "left"]


@pytest.mark.parametrize(
    ("both", "left"),
    [
        ("There are small bilateral pleural effusions.", "There is a small left pleural effusion."),
        ("Bilateral opacities are seen.", "A left opacity is seen."),
        ("Both lungs are clear.", "The left lung is clear."),
        ("Bibasilar atelectasis is seen.", "Left basilar atelectasis is seen."),
        ("There is opacity in both lower lobes.", "There is opacity in the left lower lobe."),
        ("Lungs are clear bilaterally.", "Lungs are clear on the left."),
    ],
)
def test_a_sentence_about_both_sides_is_turned_to_one(both: str, left: str, logic: Logic) -> None:
    assert logic("sides", "[m.sideOf(given), m.onSide(given, 'left')]", both) == ["both", left]


@pytest.mark.parametrize(
    "text",
    [
        "The heart is not enlarged.",
        "Bilateral pleural effusions, left greater than right.",
        "A left pacemaker and a right chest tube are present.",
        "The left ventricle is enlarged.",
    ],
)
def test_a_sentence_of_no_side_or_of_two_is_left_alone(text: str, logic: Logic) -> None:
    assert logic("sides", "[m.sideOf(given), m.onSide(given, 'left'), m.onSide(given, 'both')]", text) == [None] * 3


def test_turning_phantom_sentences_changes_the_side_and_no_statement(logic: Logic) -> None:
    sentences = {
        sentence
        for study in generate(600, seed=11, lateral_share=0.0)
        for sentence in re.split(r"(?<=\.)\s+", study.findings)
        if re.search(r"\b(left|right)\b", sentence, re.IGNORECASE)
    }
    turned = logic(
        "sides", "given.map((text) => ['left', 'right', 'both'].map((side) => m.onSide(text, side)))", sorted(sentences)
    )
    count = 0
    for text, made in zip(sorted(sentences), turned, strict=True):
        for side, other in zip(("left", "right", "both"), made, strict=True):
            if other is None:
                continue
            count += 1
            assert label_sentence(other) == label_sentence(text), (text, other)
            if side != "both":
                assert set(re.findall(r"\b(left|right)\b", other.lower())) == {side}
            else:
                assert not re.search(r"\b(left|right)\b", other, re.IGNORECASE), other
    assert count > 2.5 * len(sentences) > 300  # nearly all of them can be about each side


CHIPS = [
    {"condition": "pleural effusion", "standing": "present", "presence": 0.83, "stated": True},
    {"condition": "edema", "standing": "absent", "presence": 0.03, "stated": True},
    {"condition": "pneumothorax", "standing": "likely", "presence": 0.9, "stated": False},
    {"condition": "fracture", "standing": "not assessed", "presence": None, "stated": False},
]
FITTING = ["Small left effusion.", "No pulmonary edema.", "There is a pneumothorax."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FITTING, []),
        (["No effusion.", *FITTING[1:]], [("pleural effusion", "denied")]),
        ([FITTING[0], "There is pulmonary edema.", FITTING[2]], [("edema", "unlikely")]),
        (FITTING[:2], [("pneumothorax", "silent")]),
        ([*FITTING, "There is no pneumothorax."], [("pneumothorax", "both ways")]),
        ([*FITTING, "There is a rib fracture."], []),
        ([FITTING[0], FITTING[2]], []),
    ],
)
def test_contradictions_of_text_and_findings_are_found(
    text: list[str], expected: list[tuple[str, str]], logic: Logic
) -> None:
    given = {"chips": CHIPS, "statements": [stated(sentence) for sentence in text]}
    found = logic("contradictions", "m.contradictions(given.chips, given.statements)", given)
    assert [(each["condition"], each["kind"]) for each in found] == expected
    assert all(each["condition"] in each["message"] for each in found)
