"""Find which words and phrases of the scored texts METEOR 1.5 matches with one another, and by which matcher.

Source: Denkowski & Lavie (2014). The jar compares words and stems by Java's 32-bit hash of a string, for which a few
short words are equal ("at" and "c6", "as" and "c5"); equal scores need the same.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from radscribe.metrics.meteor.resources import Phrase, WordLists, read_paraphrases
from radscribe.metrics.meteor.stem import stem

EXACT, STEM, SYNONYM, PARAPHRASE = range(4)

# The endings of WordNet's inflected forms and what the base form has in their place, in the order they are tried.
INFLECTIONS = (
    *(("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man")),
    *(("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    *(("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
)


@dataclass(frozen=True)
class Lexicon:
    """The relations between the words of a vocabulary."""

    function_words: frozenset[str]
    keys: Mapping[str, int]  # word -> the number that represents it in the jar
    like: Mapping[str, Sequence[tuple[int, frozenset[str]]]]  # word -> matchers with the other words that they match
    paraphrases: Mapping[Phrase, Mapping[Phrase, int]]  # phrase -> its paraphrases, each with its number of words
    beginnings: frozenset[Phrase]  # beginnings of longer phrases and paraphrases


def read_lexicon(folder: Path, lists: WordLists, texts: Collection[tuple[str, ...]]) -> Lexicon:
    """The relations of all words of ``texts``; reads the whole paraphrase table, which takes seconds.

    Raises ``RadscribeError`` as ``read_paraphrases`` does.
    """
    words = {word for text in texts for word in text}
    keys = {word: string_hash(word) for word in words}
    same = _sharing({word: {key} for word, key in keys.items()})
    like: dict[str, list[tuple[int, frozenset[str]]]] = {}
    for matcher, sharing, besides in (
        (EXACT, same, {word: {word} for word in words}),
        (STEM, _sharing({word: {string_hash(stem(word))} for word in words}), same),
        (SYNONYM, _sharing({word: _synsets(word, lists) for word in words}), same),
    ):
        for word in words:
            if others := sharing[word] - besides[word]:
                like.setdefault(word, []).append((matcher, others))
    table = read_paraphrases(folder, texts)
    return Lexicon(
        function_words=lists.function_words,
        keys=keys,
        like=like,
        paraphrases={
            phrase: {paraphrase: paraphrase.count(" ") + 1 for paraphrase in paraphrases}
            for phrase, paraphrases in table.items()
        },
        beginnings=frozenset(
            " ".join(parts[:length])
            for parts in map(str.split, chain(table, *table.values()))
            for length in range(1, len(parts))
        ),
    )


def string_hash(word: str) -> int:
    """Java's ``String.hashCode``, as a number from 0 to 2**32 - 1."""
    number = 0
    for unit in memoryview(word.encode("utf-16-le")).cast("H"):
        number = (31 * number + unit) & 0xFFFFFFFF
    return number


def _synsets(word: str, lists: WordLists) -> set[str]:
    """The WordNet sets of ``word`` and of its base forms."""
    bases = lists.bases.get(word) or [_base(word, lists)]
    return {number for form in (word, *bases) for number in lists.synsets.get(form, "").split()}


def _base(word: str, lists: WordLists) -> str:
    """The first base form of a regularly inflected word that WordNet knows, or ``word`` itself."""
    if word.endswith("ss") or len(word) < 3:
        return word
    forms = (word.removesuffix(ending) + base for ending, base in INFLECTIONS if word.endswith(ending))
    return next((form for form in forms if form in lists.synsets), word)


def _sharing(properties: Mapping[str, Set[Hashable]]) -> dict[str, frozenset[str]]:
    """For each word the words that share one of its properties."""
    holders: dict[Hashable, list[str]] = {}
    for word, values in properties.items():
        for value in values:
            holders.setdefault(value, []).append(word)
    return {word: frozenset(chain(*(holders[value] for value in values))) for word, values in properties.items()}
