"""N-grams of many texts at once: how often each stands in a hypothesis and in its reference.

Words become numbers, an n-gram the number of its first n - 1 words with its last word; every count is then a count of
whole numbers, for all texts together: Arrow's hash table numbers them, one sort of each order counts them.
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
    """The words of ``T`` texts, one text after the other, as numbers less than ``vocabulary``.

    ``lengths`` (``T``) says how many are whose. ``plain``: what parts the words is one space each time, and no text is
    empty, so that these are the tokens between spaces as well.
    """

    numbers: Integers
    lengths: Integers
    vocabulary: int
    plain: bool

    def by_text(self) -> list[list[int]]:
        """Each text's numbers."""
        numbers, ends = self.numbers.tolist(), np.cumsum(self.lengths).tolist()
        return [numbers[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@dataclass(frozen=True)
class Order:
    """The distinct n-grams of one order in each of N pairs of texts, all ``K``.

    ``pair`` and ``gram`` say whose and which n-gram it is, ``said`` and ``true`` how often the hypothesis and the
    reference hold it; ``gram`` is less than ``kinds``.
    """

    pair: Integers
    gram: Integers
    said: Integers
    true: Integers
    kinds: int


def number_words(texts: Sequence[str]) -> Words:
    """The words of texts, as ``str.split`` parts them."""
    # An empty text, or a space at either end, leaves two spaces side by side here.
    joined = f" {' '.join(texts)} "
    plain = joined.isprintable() and "  " not in joined  # printable: no tab, no line break, no other blank
    folded = texts if plain else [" ".join(text.split()) for text in texts]
    parts = pc.split_pattern(pa.array(folded, type=pa.string()), " ")
    lengths, words = np.diff(parts.offsets.to_numpy()).astype(np.int64), parts.values
    if not plain:
        lengths[[not text for text in folded]] = 0
        words = words.filter(pc.not_equal(words, ""))
    numbers, vocabulary = _numbered(words)
    return Words(numbers, lengths, vocabulary, plain)


def count_orders(words: Words, orders: int = 4) -> list[Order]:
    """The n-grams of orders 1 to ``orders`` in texts that alternate: hypothesis, reference, hypothesis, ..."""
    text = np.repeat(np.arange(len(words.lengths)), words.lengths)
    rest = np.repeat(np.cumsum(words.lengths), words.lengths) - np.arange(len(text))  # words of its text from here on
    gram, kinds = words.numbers, words.vocabulary
    found = [_order(text, gram, kinds)]
    for further in range(1, orders):
        # N-grams that run into the next text are numbered like others, which is quicker, and then left out.
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
    keys.sort(kind="stable")  # pairs stand together, so they are nearly in order already
    of_reference, keys = keys & 1, keys >> 1
    bounds = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))[: len(keys)]
    true = np.add.reduceat(of_reference, bounds) if len(bounds) else bounds
    both = np.diff(bounds, append=len(keys))
    return Order(keys[bounds] // kinds, keys[bounds] % kinds, both - true, true, kinds)
