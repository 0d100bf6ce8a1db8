"""N-grams of many texts at once: how often each stands in a hypothesis and in its reference.

Words become numbers, an n-gram the number of its first n - 1 words with its last word; every count is then a count of
whole numbers, which Arrow's hash table does for all texts together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Integers = NDArray[np.int64]


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


def count_orders(
    hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[str]], orders: int = 4
) -> list[Order]:
    """The n-grams of orders 1 to ``orders`` of N tokenized hypotheses and their N references."""
    both = [*hypotheses, *references]
    text = np.repeat(np.arange(len(both)), [len(words) for words in both])
    words, vocabulary = _numbered(pa.array(chain.from_iterable(both), type=pa.string()))
    start, gram, kinds = np.arange(len(words)), words, vocabulary
    found = [_order(text, gram, kinds, len(hypotheses))]
    for further in range(1, orders):
        # An n-gram goes on where its next word still belongs to the same text.
        start, gram = start[start + further < len(words)], gram[start + further < len(words)]
        same = text[start] == text[start + further]
        start, gram = start[same], gram[same]
        gram, kinds = _numbered(pa.array(gram * vocabulary + words[start + further]))
        found.append(_order(text[start], gram, kinds, len(hypotheses)))
    return found


def _numbered(values: pa.Array) -> tuple[Integers, int]:
    """Each value's number among the distinct ones, and how many there are (at least 1)."""
    encoded = values.dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), max(len(encoded.dictionary), 1)


def _order(text: Integers, gram: Integers, kinds: int, pairs: int) -> Order:
    encoded = pa.array(text % max(pairs, 1) * kinds + gram, type=pa.int64()).dictionary_encode()
    place, key = encoded.indices.to_numpy(), encoded.dictionary.to_numpy()
    first_of_reference = int(np.searchsorted(text, pairs))
    said, true = (np.bincount(part, minlength=len(key)) for part in np.split(place, [first_of_reference]))
    return Order(key // kinds, key % kinds, said, true, kinds)
