"""Reports to tokens and back."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from radscribe.core.errors import RadscribeError
from radscribe.models.decoding.tokenizer import START, STATE_TOKENS, ReportTokenizer, read_tokenizer, train_word_pieces

REPORTS = ["The heart size is normal. A 5.2 cm mass (left) is seen, well-defined. No effusion."] * 3


@pytest.fixture
def tokenizer() -> ReportTokenizer:
    return ReportTokenizer(train_word_pieces(REPORTS, 200))


def test_a_report_survives_the_way_there_and_back(tokenizer: ReportTokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode(REPORTS[0], 100)) == REPORTS[0]


def test_sentences_partition_the_tokens_and_numbers_keep_their_stop(tokenizer: ReportTokenizer) -> None:
    ids = tokenizer.encode(REPORTS[0], 100)
    sentences = tokenizer.sentences(ids)
    assert [text for text, _, _ in sentences] == [
        "The heart size is normal.", "A 5.2 cm mass (left) is seen, well-defined.", "No effusion.",
    ]  # fmt: skip
    edges = [(first, last) for _, first, last in sentences]
    assert edges[0][0] == 0 and edges[-1][1] == len(ids) - 1
    assert all(before[1] == after[0] for before, after in pairwise(edges))


def test_an_end_token_is_kept_within_the_limit(tokenizer: ReportTokenizer) -> None:
    assert tokenizer.encode(REPORTS[0], 4)[-1] == tokenizer.end
    assert len(tokenizer.encode(REPORTS[0], 4)) == 4


def test_words_behind_the_end_are_not_part_of_the_report(tokenizer: ReportTokenizer) -> None:
    ids = tokenizer.encode("No effusion.", 20)
    assert tokenizer.decode([*ids, *ids]) == "No effusion."


def test_special_tokens_are_added_where_a_vocabulary_lacks_them() -> None:
    backend = train_word_pieces(REPORTS, 200)
    size = backend.get_vocab_size()
    assert len(ReportTokenizer(backend)) == size  # our own vocabularies have them
    tokenizer = ReportTokenizer(backend)
    assert len({tokenizer.start, *tokenizer.states}) == 1 + len(STATE_TOKENS)
    assert tokenizer.start in tokenizer.banned and START == "[DEC]"
    assert tokenizer.end not in tokenizer.banned


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_a_missing_or_damaged_tokenizer_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RadscribeError, match=r"tokenizer\.json"):
        read_tokenizer(path)


def test_a_vocabulary_is_the_same_every_time_and_spells_what_it_has_not_seen() -> None:
    texts = ["b a b a", "c d c d", "rare"]
    first, second = train_word_pieces(texts, 60), train_word_pieces(reversed(texts), 60)
    assert first.get_vocab() == second.get_vocab()
    assert first.encode("rare").tokens == ["r", "##a", "##r", "##e"]
    assert first.get_vocab_size() <= 60


def test_the_mark_of_de_identification_is_read_but_never_drafted() -> None:
    tokenizer = ReportTokenizer(train_word_pieces(["Compared to XXXX, the lungs are clear."] * 2, 200))
    ids = tokenizer.encode("Compared to XXXX, the lungs are clear.", 50)
    assert tokenizer.backend.token_to_id("xxxx") in ids and tokenizer.backend.token_to_id("xxxx") in tokenizer.banned
    assert tokenizer.decode(ids) == "Compared to xxxx, the lungs are clear."
    assert set(ReportTokenizer(train_word_pieces(["Clear."] * 2, 100)).banned) == set(
        ReportTokenizer(train_word_pieces(["Clear."] * 2, 100)).special
    )
