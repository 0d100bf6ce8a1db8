"""Cleaning and cutting by the published rules, on texts whose outcome was worked out by hand."""

from __future__ import annotations

import re
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.core.errors import WrongUse
from radscribe.metrics.protocols import (
    PROTOCOLS,
    clean_iu,
    clean_mimic,
    clean_sentences,
    known_words,
    protocol_named,
    read_by,
    runs_on,
    tokenize,
    vocabulary_of,
)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("The heart is normal. Lungs are clear.", "the heart is normal . lungs are clear ."),
        ("A 5.2 cm mass at 3:40; x-ray.", "a 52 cm mass at 340 x-ray ."),
        ('"Quoted", and/or patient\'s.', "quoted andor patients ."),
        ("Clear. . Heart", "clear .  . heart ."),
        ("", " ."),
    ],
)
def test_the_core_cleans_sentences_and_keeps_empty_ones(text: str, cleaned: str) -> None:
    assert clean_sentences(text) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("1. Clear lungs. 2. Normal heart. 3. No mass.", "clear lungs . normal heart . no mass ."),
        ("Clear.. Normal....", "clear . normal ."),
        ("Findings 2. stable 6. other", "findings . stable 6 . other ."),
    ],
)
def test_iu_numbering_goes_from_one_to_five(text: str, cleaned: str) -> None:
    assert clean_iu(text) == cleaned


def test_mimic_lines_blanks_and_dots_are_folded() -> None:
    assert clean_mimic("Heart\nis ___ normal.....   Clear  lungs. ") == "heart is  normal . clear lungs ."
    assert clean_mimic("a" + " " * 64 + "b") == "a b ."  # six halvings reach 64 blanks


def _published(text: str) -> str:
    """The core once more, by a regular expression: the oracle of the translation tables."""
    removed = re.compile("[" + re.escape(".,?;*!%^&_+()[]{}") + ":-\\[" + "]")
    pieces = text.lower().strip().split(". ")
    cleaned = [removed.sub("", re.sub(r"[\"/\\']", "", piece).strip().lower()) for piece in pieces]
    return " . ".join(cleaned) + " ."


@given(st.text(alphabet=string.printable, max_size=80))
def test_the_core_is_the_published_pattern(text: str) -> None:
    assert clean_sentences(text) == _published(text)


@given(st.lists(st.sampled_from(["the heart is normal", "no effusion", "x-ray", "52 cm mass"]), min_size=1, max_size=9))
def test_drafts_in_cleaned_form_stay_as_they_are(sentences: list[str]) -> None:
    draft = " . ".join(sentences) + " ."
    for name in ("r2gen-iu", "r2gen-mimic"):
        said, true = read_by(PROTOCOLS[name], [draft], [". ".join(sentences) + "."])
        assert said == true


def test_cuts_are_those_of_each_protocol() -> None:
    long = " ".join(f"w{n}" for n in range(150))
    for name, said_words, true_words in (
        ("r2gen-iu", 60, 59),
        ("r2gen-mimic", 100, 99),
        ("promptmrg", 150, 100),
        ("full", 150, 150),
        ("as-is", 150, 150),
    ):
        said, true = read_by(PROTOCOLS[name], [long], [long])
        assert (len(said[0].split()), len(true[0].split())) == (said_words, true_words), name


def test_promptmrg_spaces_drafts_and_keeps_empty_tokens_of_references() -> None:
    said, true = read_by(PROTOCOLS["promptmrg"], ["clear lungs. x - ray."], ["Clear. . Normal."])
    assert said == ["clear lungs . x-ray . "]
    assert true == ["clear .  . normal ."]
    assert read_by(PROTOCOLS["r2gen-mimic"], ["a"], ["Clear. . Normal."])[1] == ["clear . . normal ."]


def test_words_outside_the_vocabulary_become_unknown() -> None:
    assert known_words("the heart .  . odd", {"the", "heart", "."}) == "the heart .  . <unk>"


def test_full_sets_punctuation_apart_and_folds_space() -> None:
    assert tokenize("  No  X-ray\nchange; 5.2 cm (XXXX).") == "no x - ray change ; 5 . 2 cm ( xxxx ) ."
    assert tokenize(" \n") == ""


def test_an_unknown_protocol_is_reported() -> None:
    with pytest.raises(WrongUse, match="not one of full, r2gen-iu"):
        protocol_named("r2gen")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("双肺纹理清晰，未见T3实变。", "双 肺 纹 理 清 晰 ， 未 见 t3 实 变 。"),
        ("肺野は清明です。", "肺 野 は 清 明 で す 。"),
        ("심비대 없음.", "심 비 대 없 음 ."),
        ("5.2cm大", "5 . 2cm 大"),
        ("𠀀影", "𠀀 影"),
        ("Épanchement pleural", "épanchement pleural"),
    ],
)
def test_full_takes_characters_of_scripts_without_spaces_for_tokens(text: str, tokens: str) -> None:
    assert tokenize(text) == tokens
    assert tokenize(unicodedata.normalize("NFD", text)) == tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("双肺纹理清晰，未见明显实变影。", True),
        ("肺野清晰，心膈未见异常", True),
        ("ปอดทั้งสองข้างปกติ", True),
        ("双 肺 纹 理 清 晰 ， 未 见 实 变 。", False),
        ("双肺 纹理 清晰 ， 未见 明显 实变影 。", False),
        ("심비대 소견은 보이지 않습니다.", False),
        ("The lungs are clear.", False),
        ("", False),
    ],
)
def test_clauses_without_spaces_are_noticed_and_words_set_apart_are_not(text: str, found: bool) -> None:
    assert runs_on(text) is found


def test_as_is_touches_nothing() -> None:
    odd = " Heart.  normal\n, <unk> X-Ray . "
    assert read_by(PROTOCOLS["as-is"], [odd], [odd]) == ([odd], [odd])
    assert PROTOCOLS["as-is"].casing == "as given" and PROTOCOLS["as-is"].truncation is None


def test_generated_drafts_stay_as_the_model_wrote_them() -> None:
    for draft in ("the lungs are <unk> . .", "no effusion . the heart is", "<unk>", "left pleural effusion ", ""):
        assert read_by(PROTOCOLS["r2gen-iu"], [draft], ["Clear."])[0] == [draft.strip()]
    assert read_by(PROTOCOLS["r2gen-iu"], ["Clear lungs . No effusion."], [""])[0] == ["clear lungs . no effusion ."]


def test_a_vocabulary_holds_the_words_that_are_common_enough() -> None:
    reports = ["Clear lungs. Odd.", "clear Lungs.", "Clear."]
    assert vocabulary_of(PROTOCOLS["r2gen-iu"], reports, 2) == {"clear", "lungs", "."}
    assert vocabulary_of(PROTOCOLS["r2gen-iu"], reports, 3) == {"clear", "."}
