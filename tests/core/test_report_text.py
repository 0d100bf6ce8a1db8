"""The lines of a report: which white space is layout, and which ends a statement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.core.report_text import one_line, tidy_lines


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("- Clear \r\n-  No\teffusion\r", "- Clear\n- No effusion"),
        ("Clear\x0b\x0cStable\u2028Normal\x85Old", "Clear\n\nStable\nNormal\nOld"),
        ("\n\n Clear\n \n\t\n\nStable\n\n", "Clear\n\nStable"),
        (" \n ", ""),
    ],
)
def test_lines_are_kept_and_their_layout_is_not(text: str, tidy: str) -> None:
    assert tidy_lines(text) == tidy


@given(st.text(alphabet="ab. \n\r\t\u2028"))
def test_tidying_twice_changes_nothing_and_no_word_is_lost(text: str) -> None:
    tidy = tidy_lines(text)
    assert tidy_lines(tidy) == tidy and tidy.split() == text.split() and "\n\n\n" not in tidy


@given(st.text(alphabet="ab. \t\u00a0"))
def test_a_text_of_one_line_is_the_same_in_all_forms(text: str) -> None:
    assert tidy_lines(text) == one_line(text)
