"""Split a line of English text into words as METEOR 1.5 does with its option ``-norm``.

Source: the normalizer of METEOR 1.5 (Denkowski & Lavie, 2014), itself after the tokenizer of Moses (Koehn et al.,
2007). Punctuation marks are tokens and are kept; dashes inside words are removed; a full stop stays on its word where a
small letter follows, so lower-case text that is not tokenized keeps most full stops on its words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

LETTERS = "A-Za-zŠŽšžŸÀ-ÖØ-öø-ž\u0400-\u0527\ua640-\ua66e\ua67e-\ua697\u1d00-\u1d7f"

# In this order, each on lines with its mark; of two overlapping matches only the first is replaced.
RULES = tuple(
    (mark, re.compile(pattern, re.ASCII), replacement)
    for mark, pattern, replacement in (
        ("", rf"([^0-9{LETTERS}\s.'`,\-‘’])", r" \1 "),
        ("..", r"(\.{2,})", r" \1 "),
        (",", r"(\D),(\D)", r"\1 , \2"),
        (",", r"(\d),(\D)", r"\1 , \2"),
        (",", r"(\D),(\d)", r"\1 , \2"),
        *((quote, quote, "'") for quote in "`‘’"),
        *((quotes, quotes, ' " ') for quotes in ("“", "”", "''")),
        ("–", "–", "-"),
        ("--", "--", "-"),
        ("-", rf"([0-9{LETTERS}.])-([0-9{LETTERS}])", r"\1 \2"),
        ("'", rf"([^{LETTERS}])'([^{LETTERS}])", r"\1 ' \2"),
        ("'", rf"([^0-9{LETTERS}])'([{LETTERS}])", r"\1 ' \2"),
        ("'", rf"([{LETTERS}])'([^{LETTERS}])", r"\1 ' \2"),
        ("'", rf"([{LETTERS}])'([{LETTERS}])", r"\1 '\2"),
        ("'", r"(\d)'(s)", r"\1 '\2"),
    )
)
LETTER = re.compile(f"[{LETTERS}]")
TOKEN = re.compile(r"[^ \t\n\r\f]+")
SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
BLANK = "".join(map(chr, range(33)))


def words_of(line: str, abbreviations: Mapping[str, bool]) -> tuple[str, ...]:
    """The lower-case words of ``line``.

    ``abbreviations`` keep their full stop; each maps to whether that is so before a number only.
    """
    line = f" {line.strip(BLANK)} "
    for mark, pattern, replacement in RULES:
        if mark in line:
            line = pattern.sub(replacement, line)
    words = [
        _stop_apart(word, following, abbreviations) if word.endswith(".") else word
        for word, following in pairwise([*TOKEN.findall(line), ""])
    ]
    return tuple(TOKEN.findall(SPACES.sub(" ", " ".join(words)).strip(BLANK).lower()))


def _stop_apart(word: str, following: str, abbreviations: Mapping[str, bool]) -> str:
    """``word`` with a blank before its full stop, unless the stop belongs to it or it consists of stops."""
    start, first = word[:-1], following[:1]
    if not start or start.endswith("."):
        return word
    if "." in start and LETTER.search(start):
        return word.replace(".", "")
    only_before_number = abbreviations.get(start)
    if only_before_number is False or "a" <= first <= "z" or (only_before_number and "0" <= first <= "9"):
        return word
    return f"{start} ."
