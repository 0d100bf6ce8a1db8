"""Drafts keep to the words of training reports: against a plain set of them, on toy decoders."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from radscribe.core.errors import RadscribeError
from radscribe.models.decoding.decoder import DecoderConfig, ReportDecoder
from radscribe.models.decoding.phrases import BEFORE, Phrases
from radscribe.models.decoding.search import SearchConfig, search

VOCABULARY, END, START = 9, 1, 2
REPORTS = [[3, 4, 5, 6, END], [3, 5, 7, END], [8, 4, 5, 7, END]]


def rows_of(report: list[int], length: int) -> set[tuple[int, ...]]:
    padded = [BEFORE] * (length - 1) + report
    return {tuple(padded[place : place + length]) for place in range(len(report))}


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=5),
    st.integers(2, 5),
    st.lists(st.integers(0, 5), max_size=5),
)
def test_what_is_left_is_what_some_report_has(reports: list[list[int]], length: int, written: list[int]) -> None:
    known = set().union(*(rows_of(report, length) for report in reports))
    context = tuple(([BEFORE] * (length - 1) + written)[-(length - 1) :])
    allowed = {row[-1] for row in known if row[:-1] == context}
    likely = torch.randn(1, 6).log_softmax(-1)
    before = likely.clone()
    Phrases.of(reports, length).keep_to(torch.tensor([written], dtype=torch.long), likely)
    for piece in range(6):
        left = piece in allowed or not allowed
        assert likely[0, piece] == (before[0, piece] if left else float("-inf"))


def test_a_row_of_which_nothing_would_be_left_stays_as_it_is() -> None:
    likely = torch.tensor([[0.0, -1.0, float("-inf")]])
    before = likely.clone()
    Phrases.of([[0, 2]], 2).keep_to(torch.tensor([[0]]), likely)  # only 2 follows 0, and it is banned
    assert torch.equal(likely, before)


@pytest.mark.parametrize(
    "search_for", [SearchConfig(beams=1, max_new_tokens=12, temperature=2.0), SearchConfig(beams=3)]
)
@pytest.mark.parametrize("length", [2, 3])
def test_every_drawn_or_searched_report_keeps_to_the_phrases(search_for: SearchConfig, length: int) -> None:
    torch.manual_seed(0)
    decoder = ReportDecoder(DecoderConfig(layers=1, width=16, heads=4, feed_forward=32), VOCABULARY, 12).eval()
    torch.nn.init.normal_(decoder.words.weight, std=1.0)
    memory, prompt = torch.randn(40, 5, 12), torch.full((40, 1), START)
    known = set().union(*(rows_of(report, length) for report in REPORTS))
    free, kept = (
        search(decoder, memory, prompt, search_for, END, (0, START), seeds=torch.arange(40), phrases=phrases)
        for phrases in (None, Phrases.of(REPORTS, length))
    )
    assert all(rows_of([*report, END], length) <= known for report in kept)
    assert not all(rows_of([*report, END], length) <= known for report in free)
    assert not search_for.temperature or len({tuple(report) for report in kept}) > 2


def test_phrases_are_the_same_after_their_rows_were_stored() -> None:
    phrases = Phrases.of(REPORTS, 3)
    again = Phrases(phrases.rows.int())
    likely = torch.randn(2, VOCABULARY)
    other = likely.clone()
    for each, of in ((phrases, likely), (again, other)):
        each.keep_to(torch.tensor([[3, 4], [8, 8]]), of)
    assert torch.equal(likely, other)


@pytest.mark.parametrize("rows", [torch.zeros(0, 3), torch.zeros(4), torch.zeros(2, 6), torch.tensor([[0, 40000]])])
def test_rows_that_are_no_phrases_are_refused(rows: torch.Tensor) -> None:
    with pytest.raises(RadscribeError, match="phrases"):
        Phrases(rows)
