"""Words and n-grams of many texts at once, against counting them one by one."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from radscribe.metrics.ngrams import count_orders, number_words

TEXTS = st.lists(st.text(alphabet="ab  \t\n\xa0\u2003é\x1c", max_size=9), max_size=6)


@given(TEXTS)
def test_words_are_those_of_split(texts: list[str]) -> None:
    words = number_words(texts)
    numbers: dict[str, int] = {}
    expected = [[numbers.setdefault(word, len(numbers)) for word in text.split()] for text in texts]
    assert words.by_text() == expected
    assert words.vocabulary == max(1, len(numbers))
    if words.plain:
        assert all(text.split() == text.split(" ") for text in texts)


@given(TEXTS)
def test_orders_are_what_counting_one_by_one_gives(texts: list[str]) -> None:
    texts = texts[: len(texts) // 2 * 2]
    split = [text.split() for text in texts]
    for length, order in enumerate(count_orders(number_words(texts)), start=1):
        counts = [Counter(tuple(words[at : at + length]) for at in range(len(words) - length + 1)) for words in split]
        pairs = list(zip(counts[::2], counts[1::2], strict=True))
        for row, (said, true) in enumerate(pairs):
            mine = order.pair == row
            found = sorted(zip(order.said[mine].tolist(), order.true[mine].tolist(), strict=True))
            assert found == sorted((said[gram], true[gram]) for gram in said | true)
        documents = Counter(gram for _, true in pairs for gram in true)
        frequency = np.bincount(order.gram[order.true > 0], minlength=order.kinds)
        assert sorted(frequency[frequency > 0].tolist()) == sorted(documents.values())
