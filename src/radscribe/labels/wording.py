"""Regular expressions written as lists of phrases."""

from __future__ import annotations

import re

_BREAK_IN_ALTERNATIVES = re.compile(r"(?<=\|)[ \t]*\n\s*")


def any_of(phrases: str) -> str:
    """An expression for any of the phrases (themselves expressions) that ``;`` separates, at word boundaries.

    A line break inside a phrase is a space, except after ``|``.
    """
    lines = _BREAK_IN_ALTERNATIVES.sub("", phrases)
    return rf"\b(?:{'|'.join(' '.join(phrase.split()) for phrase in lines.split(';') if phrase.strip())})\b"


def pattern(phrases: str) -> re.Pattern[str]:
    """``any_of``, compiled."""
    return re.compile(any_of(phrases))
