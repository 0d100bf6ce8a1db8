"""Count what METEOR 1.5 needs of pairs of texts: words, matched words by matcher and kind, and chunks.

Source: Denkowski & Lavie (2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from radscribe.metrics.meteor.lexicon import Lexicon
from radscribe.metrics.meteor.matches import Matches, Text, Words, find_matches, read_text
from radscribe.metrics.meteor.score import MATCHERS, STATISTICS
from radscribe.metrics.meteor.search import choose
from radscribe.metrics.significance import Floats

# Pairs aligned at once, by the product of their lengths: about a hundred reports, so that memory is bounded.
BLOCK = 2**20


def count(pairs: Sequence[tuple[Words, Words]], lexicon: Lexicon) -> Floats:
    """The ``STATISTICS`` of ``N`` pairs of hypothesis and reference, ``N x 23``.

    They are the jar's, except that a pair with all words matched in one chunk has no chunk, as when the jar sums them.
    """
    distinct = sorted(set(pairs), key=lambda pair: len(pair[0]))
    sizes = np.cumsum([len(hypothesis) * len(reference) for hypothesis, reference in distinct])
    counts = np.zeros((len(distinct), len(STATISTICS)))
    for rows in np.split(np.arange(len(distinct)), np.flatnonzero(np.diff(sizes // BLOCK)) + 1):
        block = [distinct[row] for row in rows]
        texts = {words: read_text(words, lexicon) for words in set(chain(*block))}
        known = [(texts[hypothesis], texts[reference]) for hypothesis, reference in block]
        matches = find_matches(known, lexicon)
        counts[rows] = _count(known, matches, choose(matches), lexicon.function_words)
    number = {pair: row for row, pair in enumerate(distinct)}
    return np.asarray(counts[[number[pair] for pair in pairs]])


def _count(
    pairs: Sequence[tuple[Text, Text]],
    matches: Matches,
    chosen: NDArray[np.bool_],
    function_words: frozenset[str],
) -> Floats:
    pair, matcher = matches.pair[chosen], matches.matcher[chosen]
    starts = matches.hypothesis_start[chosen], matches.reference_start[chosen]
    lengths = matches.hypothesis_length[chosen], matches.reference_length[chosen]
    words = np.stack([matches.hypothesis_words, matches.reference_words], axis=1)
    functions = np.zeros((len(pairs), 2))
    matched = np.zeros((len(pairs), len(MATCHERS), 2, 2))  # matcher, content or function, hypothesis or reference
    joins = np.zeros(len(pair), dtype=bool)
    joins[1:] = pair[1:] == pair[:-1]
    for side, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        flags = [word in function_words for texts in pairs for word in texts[side].words]
        before = np.concatenate([[0], np.cumsum(flags)])
        offsets = np.concatenate([[0], np.cumsum(words[:, side])])
        functions[:, side] = np.diff(before[offsets])
        place = offsets[pair] + start
        function = before[place + length] - before[place]
        for kind, amount in enumerate((length - function, function)):
            np.add.at(matched[:, :, kind, side], (pair, matcher), amount)
        joins[1:] &= start[1:] == start[:-1] + length[:-1]
    chunks = np.bincount(pair[~joins], minlength=len(pairs))
    totals = matched.sum(axis=(1, 2))
    whole = (totals == words).all(axis=1) & (chunks == 1)
    return np.column_stack([words, functions, matched.reshape(-1, 16), np.where(whole, 0, chunks), totals])
