"""Sentences about what a past illness left."""

from __future__ import annotations

import pytest

from radscribe.labels.old_changes import without_old_changes


@pytest.mark.parametrize(
    "sentence",
    [
        "Left apical scarring.",
        "Calcified granulomas in the right lung.",
        "Fibrotic opacities at the bases.",
        "Chronic interstitial markings.",
        "Emphysematous lungs.",
    ],
)
def test_a_sentence_on_an_old_change_goes_and_the_others_stay(sentence: str) -> None:
    assert without_old_changes(f"Heart size is normal. {sentence} There is a new opacity.") == (
        "Heart size is normal\n\nThere is a new opacity"
    )


def test_words_that_only_look_alike_stay() -> None:
    assert without_old_changes("Scarce vessels are seen.") == "Scarce vessels are seen"
    assert without_old_changes("The folder is bold.") == "The folder is bold"
