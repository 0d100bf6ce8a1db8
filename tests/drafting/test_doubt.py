"""What a calibrated draft says, hedges, rewords and leaves out."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.core.records import DraftSentence
from radscribe.drafting.calibration import (
    CALIBRATION,
    Calibration,
    PresenceFit,
    load_calibration,
    save_calibration,
    signs_of,
)
from radscribe.drafting.doubt import judge
from radscribe.drafting.findings import findings_believed, unsaid_warnings
from radscribe.drafting.index_files import CheckpointError
from radscribe.labels.conditions import BLANK, CONDITIONS, NEGATIVE, NO_FINDING, POSITIVE, STATES, UNCERTAIN
from radscribe.labels.rules import label_sentence

# The probability of a condition is the model's own, whatever is stated.
TRUSTING = PresenceFit(0.0, (1.0, 0.0), (0.0, 0.0), (0.0,) * 18)
PLAIN = Calibration("abc", TRUSTING, withheld_below=0.2)
SENTENCES = (
    "There is a left pleural effusion.",
    "No pleural effusion.",
    "The heart is enlarged.",
    "The heart is normal in size.",
    "No pneumothorax or pleural effusion.",
    "Possible left basal atelectasis.",
    "There is a fracture of the right clavicle.",
    "The effusion has increased since the prior study.",
    "There is a 2 cm nodule in the right upper lobe.",
    "XXXX sternotomy wires.",
    "The trachea is midline.",
)


def film(**likely: float) -> np.ndarray:
    """The signs of one film whose model holds conditions as likely as this, and the others at one half."""
    probabilities = np.full((1, 18), 0.5)
    for name, value in likely.items():
        probabilities[0, CONDITIONS.index(name.replace("_", " "))] = value
    return signs_of(probabilities, None, 1)[0]


def test_a_likely_finding_stands_and_a_doubtful_one_is_possible_and_an_unlikely_one_withheld() -> None:
    for likely, text, hedged in (
        (0.9, "There is a left pleural effusion.", False),
        (0.4, "There is possibly a left pleural effusion.", True),
    ):
        (found,) = judge(PLAIN, SENTENCES[:1], film(pleural_effusion=likely))
        assert (found.text, found.hedged, found.withheld) == (text, hedged, None)
        assert found.probabilities == {"pleural effusion": pytest.approx(likely)}
        assert found.conditions == {"pleural effusion": UNCERTAIN if hedged else POSITIVE}
    (found,) = judge(PLAIN, SENTENCES[:1], film(pleural_effusion=0.1))
    assert found.withheld == "Its finding is unlikely (0.10)."


def test_what_is_denied_must_be_likelier_absent_than_there() -> None:
    (sure,) = judge(PLAIN, ["No pleural effusion."], film(pleural_effusion=0.1))
    (wrong,) = judge(PLAIN, ["No pleural effusion."], film(pleural_effusion=0.7))
    assert sure.probabilities == {"pleural effusion": pytest.approx(0.9)} and sure.withheld is None
    assert wrong.withheld == "What it denies is likely (0.70)."


def test_a_sentence_that_says_possible_already_is_left_in_its_words() -> None:
    (found,) = judge(PLAIN, ["Possible left basal atelectasis."], film(atelectasis=0.4))
    assert found.text == "Possible left basal atelectasis." and found.hedged and found.withheld is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The effusion has increased since the prior study.", "It speaks of an earlier film, and none is given."),
        ("There is a 2 cm nodule in the right upper lobe.", "It gives a size, which the model cannot measure."),
        ("XXXX sternotomy wires.", "A word of it was taken out of the reports that the model learned from."),
    ],
)
def test_what_no_model_can_know_is_withheld(text: str, reason: str) -> None:
    (found,) = judge(PLAIN, [text], film(pleural_effusion=0.9, lung_lesion=0.9, support_devices=0.9))
    assert found.withheld == reason


def test_a_word_that_states_nothing_is_withheld_and_one_that_states_something_is_not() -> None:
    empty, heart = judge(PLAIN, ["Normal.", "Cardiomegaly."], film(cardiomegaly=0.9))
    assert (empty.withheld, heart.withheld) == ("It says nothing by itself.", None)


def test_a_size_is_said_where_validation_allows_it() -> None:
    (found,) = judge(replace(PLAIN, sizes=True), ["There is a 2 cm nodule in the right lung."], film(lung_lesion=0.9))
    assert found.withheld is None


def test_conditions_that_are_not_assessed_are_neither_stated_nor_denied() -> None:
    blind = replace(PLAIN, not_assessed=("pneumothorax", "fracture"))
    both, broken, air = judge(
        blind,
        ["No pneumothorax or pleural effusion.", "There is a fracture of the right clavicle.", "No pneumothorax."],
        film(pleural_effusion=0.1),
    )
    assert (both.text, both.conditions) == ("No pleural effusion.", {"pleural effusion": NEGATIVE})
    assert (broken.withheld, air.withheld) == ("Not assessed: fracture.", "Not assessed: pneumothorax.")


def test_of_two_that_contradict_the_likelier_stays() -> None:
    said, denied = judge(PLAIN, SENTENCES[:2], film(pleural_effusion=0.4))  # 0.4 there, 0.6 absent
    assert said.withheld == "It contradicts another sentence." and denied.withheld is None


@given(
    st.lists(st.sampled_from(SENTENCES), max_size=6),
    st.lists(st.floats(0, 1), min_size=18, max_size=18),
    st.sets(st.sampled_from([name for name in CONDITIONS if name != "no finding"])),
)
def test_no_draft_contradicts_itself_or_speaks_of_what_is_not_assessed(
    sentences: list[str], likely: list[float], unknown: set[str]
) -> None:
    calibration = replace(PLAIN, not_assessed=tuple(sorted(unknown)))
    judged = judge(calibration, sentences, signs_of(np.array([likely]), None, 1)[0])
    kept = [sentence for sentence in judged if sentence.withheld is None]
    for sentence in kept:
        assert not set(sentence.probabilities) & unknown
        assert not {name for name in sentence.present if name in unknown}
        assert all(value >= 0.2 for value in sentence.probabilities.values())
        read = {CONDITIONS[column]: state for column, state in enumerate(label_sentence(sentence.text)) if state}
        assert {name: read.get(name) for name in sentence.conditions} == dict(sentence.conditions)
    for first, second in combinations(kept, 2):
        for name in set(first.conditions) & set(second.conditions):
            assert (first.conditions[name] == NEGATIVE) == (second.conditions[name] == NEGATIVE)


def test_a_statement_and_its_denial_are_complements() -> None:
    signs = film(pleural_effusion=0.3)[None]
    column = CONDITIONS.index("pleural effusion")
    states = np.zeros((1, 18), np.int64)
    states[0, column] = POSITIVE
    there = PLAIN.probabilities(states, signs)
    states[0, column] = NEGATIVE
    absent = PLAIN.probabilities(states, signs)
    assert there[0, column] + absent[0, column] == pytest.approx(1)
    assert np.isnan(np.delete(there, column)).all()
    states[0] = BLANK
    states[0, NO_FINDING] = POSITIVE
    assert np.isnan(PLAIN.probabilities(states, signs)).all()


def test_a_calibration_survives_its_file_and_belongs_to_its_weights(tmp_path: Path) -> None:
    fit = PresenceFit(-0.1, (0.3, 0.7), (0.2, -0.4), tuple(np.linspace(-1, 1, 18).tolist()))
    stored = Calibration("abc", fit, ("fracture",), 0.1, 0.4, True, {"studies": 3})
    assert load_calibration(tmp_path, "abc") is None
    save_calibration(stored, tmp_path)
    assert load_calibration(tmp_path, "abc") == stored
    with pytest.raises(CheckpointError, match="fitted for another model; calibrate again"):
        load_calibration(tmp_path, "abd")
    (tmp_path / CALIBRATION).write_text('{"format": "radscribe-calibration/1", "fingerprint": "abc", "odd": 1}')
    with pytest.raises(CheckpointError, match="unknown key 'odd'"):
        load_calibration(tmp_path, "abc")


@pytest.mark.parametrize(
    "wrong",
    [{"not_assessed": ("hiccups",)}, {"withheld_below": 1.5}, {"presence": None}],
    ids=min,
)
def test_a_calibration_refuses_what_makes_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        if "presence" in wrong:
            PresenceFit(0.0, (1.0,), (0.0, 0.0), (0.0,) * len(STATES))
        else:
            replace(PLAIN, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("likely", "state", "probability"), [(0.9, "positive", 0.9), (0.1, "blank", 0.9)])
def test_no_finding_holds_only_where_it_is_likely(likely: float, state: str, probability: float) -> None:
    text = "The heart is normal in size."
    heart = DraftSentence(text, {"cardiomegaly": "negative"}, 0.9, (), None)
    found = findings_believed(PLAIN, [heart], film(no_finding=likely, cardiomegaly=0.1))
    normal, size = (found[CONDITIONS.index(name)] for name in ("no finding", "cardiomegaly"))
    assert (normal.state, normal.probability) == (state, pytest.approx(probability, abs=1e-3))
    assert (size.state, size.probability) == ("negative", pytest.approx(0.9, abs=1e-3))


def test_what_is_held_likely_and_is_not_stated_draws_a_warning() -> None:
    heart = DraftSentence("The heart is enlarged.", {"cardiomegaly": "positive"}, 0.9, (), None)
    signs = film(no_finding=0.9, cardiomegaly=0.9, lung_opacity=0.97, edema=0.3)
    held = "The model holds lung opacity likely (97%), and the report does not state it."
    assert unsaid_warnings(findings_believed(PLAIN, [heart], signs)) == (held,)
    blind = replace(PLAIN, not_assessed=("lung opacity",))
    assert unsaid_warnings(findings_believed(blind, [heart], signs)) == ()
