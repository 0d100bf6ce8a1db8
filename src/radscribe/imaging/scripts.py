"""Tell whether a header's names could be found in a text at all: by their characters, and by their script."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Two letters together, so that "β-blocker" and "µm" are no Greek.
SCRIPTS = {
    "Han": re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]{2}|[\u3040-\u30ff]{2}"),
    "Hangul": re.compile("[\uac00-\ud7af]{2}"),
    "Cyrillic": re.compile("[\u0400-\u04ff]{2}"),
    "Greek": re.compile("[\u0370-\u03ff\u1f00-\u1fff]{2}"),
    "Hebrew": re.compile("[\u0590-\u05ff]{2}"),
    "Arabic": re.compile("[\u0600-\u06ff\u0750-\u077f]{2}"),
    "Thai": re.compile("[\u0e00-\u0e7f]{2}"),
    "Devanagari": re.compile("[\u0900-\u097f]{2}"),
}
# What a name of one letter is, too.
_LETTER = {name: re.compile(script.pattern.replace("{2}", "")) for name, script in SCRIPTS.items()}
_LOST = re.compile("\ufffd|(?<=\\w)\\?(?=\\w)")


def scripts_of(names: Iterable[str]) -> frozenset[str]:
    """The scripts, Latin aside, that letters of ``names`` are of."""
    return frozenset(script for name in names for script, letter in _LETTER.items() if letter.search(name))


def in_other_script(text: str, scripts: frozenset[str]) -> bool:
    """Whether ``text`` is written in a script, Latin aside, that is none of ``scripts``."""
    return any(script not in scripts and letters.search(text) for script, letters in SCRIPTS.items())


def has_lost_letters(name: str) -> bool:
    """Whether letters of a name were lost on its way: "M?ller", or the sign for bytes that are no text."""
    return bool(_LOST.search(name))
