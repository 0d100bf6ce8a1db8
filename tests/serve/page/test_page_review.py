"""What readers decide, held against the service's own rules; findings as chips; reading time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from radscribe.serve.editing import final_text
from radscribe.serve.messages import AddedSentence, Edits, SentenceEdit

Logic = Callable[..., Any]


def test_the_standing_text_is_the_final_text_of_the_service(logic: Logic) -> None:
    draws = random.Random(2)
    draft = {"sentences": [{"text": f"Sentence {number}.", "conditions": {}} for number in range(4)]}
    for _ in range(60):
        actions = [draws.choice(["accepted", "edited", "rejected"]) for _ in range(4)]
        edits = [
            SentenceEdit(index=index, action=action, text=f"New {index}." if action == "edited" else None)  # type: ignore[arg-type]
            for index, action in enumerate(actions)
        ]
        places = [draws.choice([-1, 0, 2, 3, None]) for _ in range(draws.randrange(4))]
        added = [AddedSentence(text=f"Added {number}.", after=place) for number, place in enumerate(places)]
        made = Edits(sentences=edits, added=added)
        answer = {"draft": draft, "edits": made.model_dump(), "status": "draft"}
        shown = logic("review", "m.standing(m.reviewOf(given)).join(' ')", answer)
        if shown:
            assert shown == final_text(made, draft)
        else:
            assert set(actions) == {"rejected"} and not added


def test_new_words_edit_reject_or_open_a_sentence(logic: Logic) -> None:
    call = "m.rewritten(3, 'The heart is large.', given)"
    assert logic("review", call, "  The heart\n is  normal. ") == {
        "index": 3,
        "action": "edited",
        "text": "The heart is normal.",
    }
    assert logic("review", call, "The heart is large. ") == {"index": 3, "action": "open"}
    assert logic("review", call, "  \n") == {"index": 3, "action": "rejected"}


def test_accepting_the_rest_leaves_decisions_alone(logic: Logic) -> None:
    given = {
        "draft": {"sentences": [{"text": text} for text in ("A.", "B.", "C.")]},
        "edits": {"sentences": [{"index": 1, "action": "rejected", "text": None}], "added": []},
        "status": "draft",
    }
    rest = logic("review", "m.acceptedRest(m.reviewOf(given))", given)
    assert rest == [{"index": 0, "action": "accepted"}, {"index": 2, "action": "accepted"}]
    after = logic("review", "m.standing(m.changed(m.reviewOf(given), m.acceptedRest(m.reviewOf(given))))", given)
    assert after == ["A.", "C."]


FINDINGS = [
    ("edema", "positive", 0.9),
    ("pneumonia", "uncertain", 0.6),
    ("pleural effusion", "blank", 0.1),
    ("cardiomegaly", "blank", 0.9),
    ("pneumothorax", "negative", 0.4),
    ("fracture", "not assessed", None),
    ("no finding", "blank", 0.99),
]


@pytest.mark.parametrize("calibrated", [True, False])
def test_chips_show_what_the_model_holds(calibrated: bool, logic: Logic) -> None:
    findings = [{"condition": name, "state": state, "probability": value} for name, state, value in FINDINGS]
    sentence = {
        "text": "Edema.",
        "conditions": {"edema": "positive"},
        "probabilities": {"edema": 0.9} if calibrated else {},
    }
    chips = logic("findings", "m.chipsOf(given)", {"sentences": [sentence], "findings": findings})
    shown = {chip["condition"]: (chip["standing"], chip["presence"]) for chip in chips}
    # Of what nobody states, a calibrated model says how likely it is absent; another one, how likely it is not named.
    unstated = (
        {"pleural effusion": ("likely", 0.9), "cardiomegaly": ("absent", 0.1)}
        if calibrated
        else {"pleural effusion": ("absent", None), "cardiomegaly": ("absent", None)}
    )
    assert shown == {
        "edema": ("present", 0.9),
        "pneumonia": ("possible", 0.6),
        **unstated,
        "pneumothorax": ("absent", 0.6),
        "fracture": ("not assessed", None),
    }


def test_a_probability_is_never_shown_as_certain(logic: Logic) -> None:
    shown = logic("findings", "[0, 0.004, 0.01, 0.555, 0.99, 0.9964, 1].map(m.percent)")
    assert shown == ["< 1 %", "< 1 %", "1 %", "56 %", "99 %", "> 99 %", "> 99 %"]


def test_reading_time_counts_neither_rests_nor_hidden_pages(logic: Logic) -> None:
    steps = """(() => {
        let now = 0;
        const clock = new m.ReadingClock(() => now);
        const after = (seconds, act) => { now += 1000 * seconds; act(); };
        clock.start();
        after(10, () => clock.touch());
        after(600, () => clock.touch());
        const first = clock.take();
        after(5, () => clock.pause());
        after(300, () => clock.resume());
        after(2, () => clock.touch());
        const second = clock.take();
        clock.put(3);
        return [first, second, clock.take()];
    })()"""
    assert logic("reading_clock", steps) == [70, 7, 3]
