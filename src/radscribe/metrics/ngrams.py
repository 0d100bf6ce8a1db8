"""Count n-grams of many texts at once: how often each occurs in a hypothesis and in its reference.

Words become numbers, and an n-gram the pair of the number of its first n - 1 words and its last word, so that all texts
are counted together as whole numbers: Arrow's hash table numbers them, and one sort of each order counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Words:
    """The words of ``T`` texts, one text after the other, as numbers."""

    numbers: Integers
    lengths: Integers  # T, the number of words of each text
    vocabulary: int  # numbers are less than this
    # Words are separated by exactly one space and no text is empty, so that these are the tokens between spaces too.
    plain: bool

    def by_text(self) -> list[list[int]]:
        """Each text's numbers."""
        numbers, ends = self.numbers.tolist(), np.cumsum(self.lengths).tolist()
        return [numbers[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@dataclass(frozen=True)
class Order:
    """The ``K`` distinct n-grams of one order in each of ``N`` pairs of texts."""

    pair: Integers  # K, the pair that it occurs in
    gram: Integers  # K, its number, less than ``kinds``
    said: Integers  # K, how often the hypothesis has it
    true: Integers  # K, how often the reference has it
    kinds: int


def number_words(texts: Sequence[str]) -> Words:
    """The words of ``T`` texts, as ``str.split`` separates them."""
    # An empty text, or a space at either end of a text, makes two spaces in a row here.
    joined = f" {' '.join(texts)} "
    plain = joined.isprintable() and "  " not in joined  # printable: no tab, line break or other white space
    folded = texts if plain else [" ".join(text.split()) for text in texts]
    parts = pc.split_pattern(pa.array(folded, type=pa.string()), " ")
    lengths, words = np.diff(parts.offsets.to_numpy()).astype(np.int64), parts.values
    if not plain:
        lengths[[not text for text in folded]] = 0
        words = words.filter(pc.not_equal(words, ""))
    numbers, vocabulary = _numbered(words)
    return Words(numbers, lengths, vocabulary, plain)


def count_orders(words: Words, orders: int = 4) -> list[Order]:
    """The n-grams of orders 1 to ``orders`` in texts that alternate between hypothesis and reference."""
    text = np.repeat(np.arange(len(words.lengths)), words.lengths)
    rest = np.repeat(np.cumsum(words.lengths), words.lengths) - np.arange(len(text))  # words of its text from here on
    gram, kinds = words.numbers, words.vocabulary
    found = [_order(text, gram, kinds)]
    for further in range(1, orders):
        # N-grams across two texts are numbered like the others, which is faster, and then left out.
        size = max(0, len(text) - further)
        gram, kinds = _numbered(pa.array(gram[:size] * words.vocabulary + words.numbers[further:]))
        whole = np.flatnonzero(rest[:size] > further)
        found.append(_order(text[whole], gram[whole], kinds))
    return found


def _numbered(values: pa.Array) -> tuple[Integers, int]:
    """Each value's number among the distinct ones, and how many there are (at least 1)."""
    encoded = values.dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), max(len(encoded.dictionary), 1)


def _order(text: Integers, gram: Integers, kinds: int) -> Order:
    """Counts of the n-grams ``gram``, of texts that alternate between hypotheses and references."""
    keys = ((text >> 1) * kinds + gram) << 1 | text & 1
    keys.sort(kind="stable")  # pairs are together, so the keys are nearly sorted already
    of_reference, keys = keys & 1, keys >> 1
    bounds = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))[: len(keys)]
    true = np.add.reduceat(of_reference, bounds) if len(bounds) else bounds
    both = np.diff(bounds, append=len(keys))
    return Order(keys[bounds] // kinds, keys[bounds] % kinds, both - true, true, kinds)
