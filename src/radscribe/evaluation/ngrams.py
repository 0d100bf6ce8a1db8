"""N-grams of many texts at once: how often each stands in a hypothesis and in its reference.

Words become numbers, an n-gram the number of its first n - 1 words with its last word; every count is then a count of
whole numbers, for all texts together: Arrow's hash table numbers them, one sort of each order counts them.
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
    # Pairs stand together, so that what is sorted is nearly in order already.
    texts = list(chain.from_iterable(zip(hypotheses, references, strict=True)))
    lengths = [len(words) for words in texts]
    text = np.repeat(np.arange(len(texts)), lengths)
    rest = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(text))  # words of the same text from here on
    words, vocabulary = _numbered(pa.array(chain.from_iterable(texts), type=pa.string()))
    gram, kinds = words, vocabulary
    found = [_order(text, gram, kinds)]
    for further in range(1, orders):
        # N-grams that run into the next text are numbered like others, which is quicker, and then left out.
        gram, kinds = _numbered(pa.array(gram[: max(0, len(words) - further)] * vocabulary + words[further:]))
        whole = np.flatnonzero(rest[: len(gram)] > further)
        found.append(_order(text[whole], gram[whole], kinds))
    return found


def _numbered(values: pa.Array) -> tuple[Integers, int]:
    """Each value's number among the distinct ones, and how many there are (at least 1)."""
    encoded = values.dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), max(len(encoded.dictionary), 1)


def _order(text: Integers, gram: Integers, kinds: int) -> Order:
    """Counts of the n-grams ``gram``, of texts that alternate between hypotheses and references."""
    keys = ((text >> 1) * kinds + gram) << 1 | text & 1
    keys.sort(kind="stable")
    of_reference, keys = keys & 1, keys >> 1
    bounds = np.flatnonzero(np.diff(keys, prepend=-1))
    true = np.add.reduceat(of_reference, bounds) if len(bounds) else bounds
    both = np.diff(bounds, append=len(keys))
    return Order(keys[bounds] // kinds, keys[bounds] % kinds, both - true, true, kinds)
