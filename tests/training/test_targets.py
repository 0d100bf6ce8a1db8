"""What the generator learns to write holds no mark of removed words, and states what the report states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.labels.rules import label_report
from radscribe.training.targets import knowable, writable


@pytest.mark.parametrize(
    ("report", "written"),
    [
        ("The lungs are clear. No effusion.", "The lungs are clear. No effusion."),
        ("The lungs are clear. Heart XXXX are normal.", "The lungs are clear."),
        ("Heart is normal. There is XXXX patchy opacity.", "Heart is normal. There is patchy opacity."),
        ("Compared to XXXX, XXXX is stable.", "Compared to, is stable."),
        ("", ""),
    ],
)
def test_marked_sentences_go_unless_they_tell_a_finding(report: str, written: str) -> None:
    assert writable(report) == written


_SENTENCES = (
    "The lungs are clear.",
    "XXXX XXXX intact.",
    "There is a small left XXXX pleural effusion.",
    "Xxxx opacities in the right mid lung.",
    "Possible pneumonia at XXXX.",
    "No pneumothorax.",
)


@given(st.lists(st.sampled_from(_SENTENCES), min_size=1).map(" ".join))
def test_findings_survive_and_marks_do_not(report: str) -> None:
    written = writable(report)
    assert "xxxx" not in written.lower()
    told = [[state in (1, 3) for state in label_report(text)[:13]] for text in (report, written)]
    assert told[0] == told[1]
    assert writable(written) == written


def test_what_no_model_of_one_film_can_know_is_not_taught() -> None:
    unknown = ("The effusion is unchanged since the prior study.", "A 3 mm nodule.", "There is XXXX patchy opacity.")
    assert knowable(" ".join(("The lungs are clear.", *unknown, "No effusion."))) == "The lungs are clear. No effusion."
    assert knowable("There is XXXX patchy opacity.") == "There is patchy opacity."  # there is nothing else to teach
