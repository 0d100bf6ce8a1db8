"""Sentence splitting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.labels.scope import LONGEST_SENTENCE, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("No effusion. Heart normal.", ["No effusion", "Heart normal"]),
        ("A 2.5 cm nodule. Clear.", ["A 2.5 cm nodule", "Clear"]),
        ("1. No effusion. 2. Cardiomegaly", ["No effusion", "Cardiomegaly"]),
        ("Base atelectasis.Catheter in place.", ["Base atelectasis", "Catheter in place"]),
        ("Discussed with Dr. XXXX. Normal.", ["Discussed with Dr XXXX", "Normal"]),
        ("no effusion . heart normal .", ["no effusion", "heart normal"]),
        ("No effusion; heart normal", ["No effusion", "heart normal"]),
        ("The heart\nis normal\n\nNo effusion", ["The heart is normal", "No effusion"]),
        ("Normal..", ["Normal"]),
        (" . 3. ", []),
    ],
)
def test_split(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(st.text(alphabet="ab .\n;1", max_size=4_000))
def test_no_letter_is_lost_and_no_sentence_too_long(text: str) -> None:
    sentences = split_sentences(text)
    assert [letter for letter in "".join(sentences) if letter in "ab"] == [letter for letter in text if letter in "ab"]
    assert all(len(sentence) <= LONGEST_SENTENCE for sentence in sentences)
