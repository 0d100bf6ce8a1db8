"""Correct slips of one letter in the long terms that reports mention."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

_TERMS = """
atelectasis atelectases atelectatic pneumothorax pneumothoraces hydropneumothorax cardiomegaly consolidation
consolidations pneumonia effusion effusions infiltrate infiltrates infiltration opacity opacities opacification fracture
fractures mediastinum mediastinal cardiomediastinum cardiomediastinal interstitial catheter pacemaker degenerative
scoliosis granuloma granulomas emphysema hyperinflated hyperexpanded hemidiaphragm calcified calcification tracheostomy
thickening congestion enlarged unchanged silhouette costophrenic
"""
# Other words that lie one letter away from a term.
_WORDS = """
opacify opacifies pneumonic fractured infiltrated infiltrator calcifies silhouetted enlarges tracheostoma granulomata
"""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LONG_WORD = re.compile(r"[a-z]{6,}", re.IGNORECASE)


@cache
def _slips() -> dict[str, str]:
    """Every word one letter away from a term (left out, put in, changed or two swapped), and its term."""
    terms = _TERMS.split()
    known = {*terms, *(f"{term}s" for term in terms), *_WORDS.split()}
    return {slip: term for term in terms for slip in _one_letter_away(term) if slip not in known}


def _one_letter_away(term: str) -> Iterator[str]:
    for position in range(len(term) + 1):
        head, tail = term[:position], term[position:]
        yield from (head + letter + tail for letter in _LETTERS)
        yield from (head + letter + tail[1:] for letter in _LETTERS if tail)
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]


def corrected(text: str) -> str:
    """``text`` with slips of one letter in long terms corrected ("atelectesis"); all else as it was."""
    slips = _slips()
    if slips.keys().isdisjoint(_LONG_WORD.findall(text.lower())):
        return text
    return _LONG_WORD.sub(lambda word: slips.get(word[0].lower(), word[0]), text)
