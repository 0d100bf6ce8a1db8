"""Find every match of METEOR 1.5 between hypotheses and references, in the order in which METEOR finds them.

Source: Denkowski & Lavie (2014). The order matters: the search for the best alignment keeps it among equals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from radscribe.metrics.meteor.lexicon import EXACT, PARAPHRASE, Lexicon
from radscribe.metrics.meteor.resources import Phrase

Words = tuple[str, ...]
Integers = NDArray[np.int64]

# Pair, matcher, first word and number of words in the reference, the same two in the hypothesis.
Row = tuple[int, int, int, int, int, int]


@dataclass(frozen=True)
class Text:
    """The words of a text, and its phrases that have paraphrases."""

    words: Words
    places: dict[Phrase, list[int]]  # where each word and phrase starts
    sources: list[tuple[int, int, Phrase]]  # place, number of words, phrase


@dataclass(frozen=True)
class Matches:
    """The ``M`` matches of ``P`` pairs, by pair, then place in the reference, then as found."""

    pair: Integers
    matcher: Integers
    reference_start: Integers
    reference_length: Integers
    hypothesis_start: Integers
    hypothesis_length: Integers
    hypothesis_words: Integers  # P
    reference_words: Integers  # P


def read_text(words: Words, lexicon: Lexicon) -> Text:
    """Find the places of all words and phrases that the matchers look for."""
    places: dict[Phrase, list[int]] = {}
    sources: list[tuple[int, int, Phrase]] = []
    for place, phrase in enumerate(words):
        for end in range(place + 1, len(words) + 1):
            places.setdefault(phrase, []).append(place)
            if phrase in lexicon.paraphrases:
                sources.append((place, end - place, phrase))
            if phrase not in lexicon.beginnings or end == len(words):
                break
            phrase = f"{phrase} {words[end]}"
    return Text(words, places, sources)


def find_matches(pairs: Sequence[tuple[Text, Text]], lexicon: Lexicon) -> Matches:
    """All matches of ``P`` pairs of hypothesis and reference."""
    rows = chain.from_iterable(
        _rows(number, hypothesis, reference, lexicon) for number, (hypothesis, reference) in enumerate(pairs)
    )
    table = np.fromiter(chain.from_iterable(rows), dtype=np.int64).reshape(-1, 6)
    words = np.array([[len(text.words) for text in pair] for pair in pairs], dtype=np.int64).reshape(-1, 2)
    return Matches(*np.ascontiguousarray(table.T), *words.T)


def _rows(number: int, hypothesis: Text, reference: Text, lexicon: Lexicon) -> Iterable[Row]:
    if [*map(lexicon.keys.get, hypothesis.words)] == [*map(lexicon.keys.get, reference.words)]:
        # All matches are exact, and the search would choose these.
        return ((number, EXACT, place, 1, place, 1) for place in range(len(reference.words)))
    found: list[list[Row]] = [[] for _ in reference.words]
    places, present = hypothesis.places, hypothesis.places.keys()
    for word in set(reference.words):
        single = [(EXACT, place) for place in places.get(word, ())]
        for matcher, others in lexicon.like.get(word, ()):
            single += [(matcher, place) for other in others & present for place in places[other]]
        single.sort()
        for start in reference.places[word]:
            found[start] = [(number, matcher, start, 1, place, 1) for matcher, place in single]
    for start, length, phrase in reference.sources:
        for paraphrase, size in lexicon.paraphrases[phrase].items():
            for place in places.get(paraphrase, ()):
                found[start].append((number, PARAPHRASE, start, length, place, size))
    for place, size, phrase in hypothesis.sources:
        for paraphrase, length in lexicon.paraphrases[phrase].items():
            for start in reference.places.get(paraphrase, ()):
                found[start].append((number, PARAPHRASE, start, length, place, size))
    return chain.from_iterable(found)
