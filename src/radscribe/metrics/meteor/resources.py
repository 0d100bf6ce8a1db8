"""Read the word lists and tables of METEOR 1.5 for English from the installed package pycocoevalcap.

Source: Denkowski & Lavie (2014); the synonyms are WordNet 3.0's. Nothing is downloaded and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import pyarrow as pa
from pyarrow import compute, csv

from radscribe.core.errors import RadscribeError

LISTS = (
    "nonbreaking/english.prefixes",
    "function/english.words",
    "synonym/english.synsets",
    "synonym/english.exceptions",
)

Phrase = str  # words with one blank between


@dataclass(frozen=True)
class WordLists:
    """The jar's word lists for English."""

    abbreviations: Mapping[str, bool]  # -> whether they keep their full stop before a number only
    function_words: frozenset[str]
    synsets: Mapping[str, str]  # word -> the numbers of its WordNet sets, in one string
    bases: Mapping[str, list[str]]  # irregular form -> its base forms


def resource_folder() -> Path | None:
    """The folder of METEOR's jar and data, None where pycocoevalcap is not installed."""
    package = find_spec("pycocoevalcap")
    places = (package and package.submodule_search_locations) or []
    return next((Path(place) / "meteor" for place in places), None)


def read_word_lists(folder: Path) -> WordLists:
    """The word lists in the jar; raises ``RadscribeError`` where it is missing or not METEOR's."""
    jar = folder / "meteor-1.5.jar"
    try:
        with ZipFile(jar) as archive:
            prefixes, function_words, synsets, exceptions = (
                archive.read(name).decode("utf-8").split("\n") for name in LISTS
            )
    except (OSError, BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise RadscribeError(f"{jar}: it cannot be read ({error}); install pycocoevalcap again") from error
    entries = [line.split() for line in prefixes if line.strip() and not line.startswith("#")]
    bases: dict[str, list[str]] = {}
    for base, forms in zip(exceptions[::2], exceptions[1::2], strict=False):
        for form in forms.split():
            bases.setdefault(form, []).append(base)
    return WordLists(
        abbreviations={entry[0]: entry[1:] == ["#NUMERIC_ONLY#"] for entry in entries},
        function_words=frozenset(function_words),
        synsets=dict(zip(synsets[::2], synsets[1::2], strict=False)),
        bases=bases,
    )


def read_paraphrases(folder: Path, texts: Collection[tuple[str, ...]]) -> dict[Phrase, list[Phrase]]:
    """Each phrase to its paraphrases in the order of the table, where both can occur in ``texts``.

    A phrase can occur where all its words and all pairs of adjacent words do: of the 5 million entries of the table
    some thousands are left for reports. Raises ``RadscribeError`` where the table is missing or not METEOR's.
    """
    words = {word.encode() for text in texts for word in text}
    neighbours = {(first.encode(), second.encode()) for text in texts for first, second in pairwise(text)}

    def occurs(phrase: bytes) -> bool:
        parts = phrase.split()
        return words.issuperset(parts) and neighbours.issuperset(pairwise(parts))

    table = folder / "data" / "paraphrase-en.gz"
    found: dict[Phrase, list[Phrase]] = {}
    lines = pa.array([], pa.binary())
    try:
        # Arrow's reader unpacks and parts lines in threads of its own. A line is one cell: no mark parts or quotes.
        for batch in csv.open_csv(
            table,
            csv.ReadOptions(column_names=["line"]),
            csv.ParseOptions(delimiter="\x01", quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(column_types={"line": pa.binary()}),
        ):
            lines = pa.concat_arrays([lines, batch["line"]])
            whole = len(lines) // 3 * 3  # an entry is three lines: a probability and two phrases
            phrases, paraphrases, lines = lines[1:whole:3], lines[2:whole:3], lines[whole:]
            runs = compute.run_end_encode(phrases)  # the table is sorted: twelve entries a phrase
            known = pa.array(map(occurs, runs.values.to_pylist()), pa.bool_())
            left = compute.run_end_decode(pa.RunEndEncodedArray.from_arrays(runs.run_ends, known))
            sides = (side.filter(left).to_pylist() for side in (phrases, paraphrases))
            for phrase, paraphrase in zip(*sides, strict=True):
                if occurs(paraphrase):
                    found.setdefault(phrase.decode(), []).append(paraphrase.decode())
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise RadscribeError(f"{table}: it cannot be read ({error}); install pycocoevalcap again") from error
    return found
