"""Stem English words by the Snowball stemmer in the version of METEOR 1.5.

Source: M. F. Porter, "The English (Porter2) stemming algorithm", 2002 (snowballstem.org). Later revisions stem some
words differently, so an installed stemmer cannot be used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def _endings(table: str) -> dict[str, str]:
    """Endings with their replacements, from entries such as "ousli:ous" or, without replacement, "ness:"."""
    return dict(entry.split(":") for entry in table.split())


IRREGULAR = _endings(
    "skis:ski skies:sky dying:die lying:lie tying:tie idly:idl gently:gentl ugly:ugli early:earli only:onli "
    "singly:singl sky:sky news:news howe:howe atlas:atlas cosmos:cosmos bias:bias andes:andes"
)
# Words that stay as they are once a plural s is gone.
FINISHED = frozenset(("inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"))

# In each step the longest matching ending counts.
POSSESSIVE = _endings("'s': 's: ':")
DERIVED = _endings(
    "tional:tion enci:ence anci:ance abli:able entli:ent izer:ize ization:ize ational:ate ation:ate ator:ate "
    "alism:al aliti:al alli:al fulness:ful ousli:ous ousness:ous iveness:ive iviti:ive biliti:ble bli:ble ogi:og "
    "fulli:ful lessli:less li:"
)
FORMED = _endings("tional:tion ational:ate alize:al icate:ic iciti:ic ical:ic ful: ness: ative:")
RESIDUAL = _endings("al: ance: ence: er: ic: able: ible: ant: ement: ment: ent: ism: ate: iti: ous: ive: ize: ion:")
LONGEST_ENDING = 7
# The letters that must precede a suffix for it to be removed.
BEFORE = {"ogi": ("l",), "li": tuple("cdeghkmnrt"), "ion": ("s", "t")}

REGION = re.compile(r"[aeiouy][^aeiouy]")
LONG_START = re.compile(r"arsen|commun|gener")
SHORT_END = re.compile(r"(?:[^aeiouy][aeiouy][^aeiouywxY]|^[aeiouy][^aeiouy])$")
VOWEL = re.compile(r"[aeiouy]")
DOUBLE_END = re.compile(r"(?:bb|dd|ff|gg|mm|nn|pp|rr|tt)$")
PAST_OR_PRESENT = re.compile(r"(?:ed|ing)(?:ly)?$")
FINAL_Y = re.compile(r"(?<=.[^aeiouy])[yY]$")


def stem(word: str) -> str:
    """The stem of a lower-case word; a word of one or two letters is its own stem."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) < 3:
        return word
    word = _mark_consonant_y(word.removeprefix("'"))
    first, second = _regions(word)
    word = _without_plural(_replaced(word, POSSESSIVE, 0))
    if word not in FINISHED:
        word = _without_past_or_present(word, first)
        word = FINAL_Y.sub("i", word)
        word = _replaced(word, DERIVED, first)
        word = _replaced(word, FORMED, second if word.endswith("ative") else first)
        word = _replaced(word, RESIDUAL, second)
        word = _without_final_e_or_l(word, first, second)
    return word.replace("Y", "y")


def _mark_consonant_y(word: str) -> str:
    """A y at the start or after a vowel, which is a consonant, in upper case."""
    marked = ""
    for letter in word:
        marked += "Y" if letter == "y" and (not marked or marked[-1] in "aeiouy") else letter
    return marked


def _regions(word: str) -> tuple[int, int]:
    """Where R1 and R2 start: after the first consonant that follows a vowel, and once more from there."""
    prefix = LONG_START.match(word)
    first = prefix or REGION.search(word)
    start = first.end() if first else len(word)
    second = REGION.search(word, start)
    return start, second.end() if second else len(word)


def _replaced(word: str, endings: Mapping[str, str], region: int) -> str:
    """``word`` with its longest ending of ``endings`` replaced, if that lies in the region and its letters allow."""
    for length in range(min(LONGEST_ENDING, len(word)), 0, -1):
        ending = word[-length:]
        if ending in endings:
            rest = word[:-length]
            allowed = ending not in BEFORE or rest.endswith(BEFORE[ending])
            return rest + endings[ending] if len(rest) >= region and allowed else word
    return word


def _without_plural(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and VOWEL.search(word[:-2]):
        return word[:-1]
    return word


def _without_past_or_present(word: str, first: int) -> str:
    if word.endswith(("eed", "eedly")):
        rest = word.removesuffix("ly")[:-3]
        return rest + "ee" if len(rest) >= first else word
    rest = PAST_OR_PRESENT.sub("", word)
    if rest == word or not VOWEL.search(rest):
        return word
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if DOUBLE_END.search(rest):
        return rest[:-1]
    return rest + "e" if len(rest) == first and SHORT_END.search(rest) else rest


def _without_final_e_or_l(word: str, first: int, second: int) -> str:
    rest = word[:-1]
    if word.endswith("e") and (len(rest) >= second or (len(rest) >= first and not SHORT_END.search(rest))):
        return rest
    return rest if word.endswith("ll") and len(rest) >= second else word
