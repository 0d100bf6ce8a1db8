"""Drafts keep to the words of training reports: against a plain reading of them, on toy decoders."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from radscribe.core.errors import RadscribeError
from radscribe.models.decoding.decoder import DecoderConfig, ReportDecoder
from radscribe.models.decoding.phrases import Phrases
from radscribe.models.decoding.search import SearchConfig, search

VOCABULARY, END, START = 9, 1, 2
REPORTS = [[3, 4, 5, 6, END], [3, 5, 7, END], [8, 4, 5, 7, END]]


class Pieces:
    """A tokenizer whose last pieces go on with the word before."""

    def __init__(self, first_continuing: int = VOCABULARY) -> None:
        self.first = first_continuing

    def __len__(self) -> int:
        return VOCABULARY

    def continues(self, piece: int) -> bool:
        return piece >= self.first


def last_words(pieces: list[int], count: int, tokenizer: Pieces) -> tuple[tuple[int, ...], ...]:
    """The last words as tuples of pieces; a report that begins within a word counts that as one."""
    words: list[tuple[int, ...]] = []
    for piece in pieces:
        if words and tokenizer.continues(piece):
            words[-1] += (piece,)
        else:
            words.append((piece,))
    return tuple(words[-count:])


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=7), min_size=1, max_size=5),
    st.integers(2, 4),
    st.integers(3, 6),
    st.lists(st.integers(0, 5), max_size=6),
)
def test_what_is_left_is_what_follows_these_words_in_some_report(
    reports: list[list[int]], words: int, continuing: int, written: list[int]
) -> None:
    tokenizer: Any = Pieces(continuing)
    allowed = {
        report[place]
        for report in reports
        for place in range(len(report))
        if last_words(report[:place], words - 1, tokenizer) == last_words(written, words - 1, tokenizer)
    }
    likely = torch.randn(1, VOCABULARY).log_softmax(-1)
    before = likely.clone()
    Phrases.of(reports, words, tokenizer).keep_to(torch.tensor([written], dtype=torch.long), likely)
    for piece in range(VOCABULARY):
        left = piece in allowed or not allowed
        assert likely[0, piece] == (before[0, piece] if left else float("-inf"))


def test_no_word_is_spelled_that_no_report_has() -> None:
    tokenizer: Any = Pieces(6)  # 6, 7 and 8 go on with a word
    reports = [[3, 6, 7, 8, END], [4, 6, 7, 6, END]]
    likely = torch.zeros(1, VOCABULARY)
    Phrases.of(reports, 2, tokenizer).keep_to(torch.tensor([[3, 6, 7]]), likely)
    assert likely.isfinite().nonzero()[:, 1].tolist() == [8]  # 4 6 7 6 is another word


def test_a_row_of_which_nothing_would_be_left_stays_as_it_is() -> None:
    tokenizer: Any = Pieces()
    likely = torch.tensor([[0.0, -1.0, float("-inf")]])
    before = likely.clone()
    Phrases.of([[0, 2]], 2, tokenizer).keep_to(torch.tensor([[0]]), likely)  # only 2 follows 0, and it is banned
    assert torch.equal(likely, before)


@pytest.mark.parametrize("config", [SearchConfig(beams=1, max_new_tokens=12, temperature=2.0), SearchConfig(beams=3)])
@pytest.mark.parametrize("words", [2, 3])
def test_every_drawn_or_searched_report_keeps_to_the_phrases(config: SearchConfig, words: int) -> None:
    torch.manual_seed(0)
    tokenizer: Any = Pieces()
    decoder = ReportDecoder(DecoderConfig(layers=1, width=16, heads=4, feed_forward=32), VOCABULARY, 12).eval()
    torch.nn.init.normal_(decoder.words.weight, std=1.0)
    memory, prompt = torch.randn(40, 5, 12), torch.full((40, 1), START)

    def rows(report: list[int]) -> set[tuple[int, ...]]:
        return {(place < words, *report[max(0, place - words + 1) : place + 1]) for place in range(len(report))}

    known = set().union(*map(rows, REPORTS))
    free, kept = (
        search(decoder, memory, prompt, config, END, (0, START), seeds=torch.arange(40), phrases=phrases)
        for phrases in (None, Phrases.of(REPORTS, words, tokenizer))
    )
    assert all(rows([*report, END]) <= known for report in kept)
    assert not all(rows([*report, END]) <= known for report in free)
    assert not config.temperature or len({tuple(report) for report in kept}) > 2


@pytest.mark.parametrize(
    ("contexts", "followers"),
    [([], []), ([1, 2], [3]), ([2, 1], [3, 3]), ([1, 2], [3, VOCABULARY]), ([1, 2], [-1, 3])],
)
def test_pairs_that_are_no_phrases_are_refused(contexts: list[int], followers: list[int]) -> None:
    tokenizer: Any = Pieces()
    with pytest.raises(RadscribeError, match="phrases"):
        Phrases(torch.tensor(contexts), torch.tensor(followers), 3, tokenizer)
