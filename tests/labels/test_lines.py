"""Which line breaks end a statement, and which sections say nothing of the film."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.core.report_text import tidy_lines
from radscribe.labels.conditions import CONDITIONS, NO_FINDING, POSITIVE
from radscribe.labels.lines import statement_lines, without_page_breaks, without_silent_sections
from radscribe.labels.rules import label_report

PAGE = "There is a large right pleural effusion with adjacent atelectasis, seen in the\nright lower lobe"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PAGE, PAGE.replace("\n", " ")),
        ("Lungs clear.\n\nNo effusion.", "Lungs clear. No effusion."),
        ("Lungs clear\nNo effusion", "Lungs clear\nNo effusion"),
        ("no edema\nlarge effusion", "no edema\nlarge effusion"),
        ("- No effusion\n- Large heart", "- No effusion\n- Large heart"),
        ("No effusion or\npneumothorax", "No effusion or pneumothorax"),
        ("", ""),
    ],
)
def test_breaks_of_a_page_are_spaces_and_those_of_a_list_stay(text: str, found: str) -> None:
    assert without_page_breaks(text) == found


@given(st.text(alphabet="ab. \n"))
def test_no_word_is_lost(text: str) -> None:
    assert without_page_breaks(tidy_lines(text)).split() == text.split()
    assert statement_lines(text).split() == text.split()


LINES = ["no pneumothorax", "small left effusion", "No edema", "Large heart.", "- atelectasis", "1. No nodule"]


@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=6))
def test_a_report_reads_alike_with_and_without_its_page(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert label_report(without_page_breaks(text)) == label_report(text)


@pytest.mark.parametrize("space", [" ", "\t", "\u2000", "\u2007", "\u205f", "\u1680", "\x1c", "\x1f", "\u3000"])
def test_a_line_of_any_white_space_is_empty(space: str) -> None:
    assert label_report(f"No effusion\n{space}\nSmall nodule") == label_report("No effusion.\n\nSmall nodule")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("COMPARISON:\n\nLarge right pneumothorax. Heart normal.", "pneumothorax"),
        ("TECHNIQUE:\n\nThere is a large right pleural effusion.\n\nIMPRESSION: As above.", "pleural effusion"),
        ("HISTORY: Fall\nRight rib fracture.\nIMPRESSION: As above.", "fracture"),
        ("INDICATION: chest pain\nLarge right pneumothorax.\nLungs: otherwise clear", "pneumothorax"),
        ("COMPARISON: None.\nThere is a small effusion.\nIMPRESSION: No change.", "pleural effusion"),
        ("Study: Large pneumothorax.", "pneumothorax"),
        ("Views: PA. Comparison: none. Heart enlarged, mild edema. Impression: as above.", "edema"),
    ],
)
def test_findings_without_a_heading_are_kept(text: str, condition: str) -> None:
    states = label_report(text)
    assert states[CONDITIONS.index(condition)] == POSITIVE and states[NO_FINDING] != POSITIVE


def test_a_history_of_several_sentences_ends_at_the_next_heading() -> None:
    text = "HISTORY: Cough and\nfever. Pneumonia in May. IMPRESSION: Normal chest."
    assert without_silent_sections(text).strip() == "IMPRESSION: Normal chest."
