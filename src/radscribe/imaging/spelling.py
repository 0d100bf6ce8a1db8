"""Brings names and texts to common spellings, so that accents, width, script forms and transliteration hide nothing."""

from __future__ import annotations

import re
import unicodedata

# Scripts that do not set words apart: Thai, Lao, Burmese, Khmer; Hangul, whose particles follow at once; kana, Han.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff"
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# A letter of a script that sets words apart: a name ends where none follows. With case it compiles quickly.
LETTER = rf"(?-i:[^\W\d_{UNSPACED}])"
MARKS = 30  # accents on one letter, as Unicode's Stream-Safe Text Format has them

# Letters that Unicode does not decompose, and marks that are written in several ways.
_PLAIN = str.maketrans(
    dict(zip("øØłŁđĐðÐħĦıŧŦ", "oOlLdDdDhHitT", strict=True))
    | {"æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ß": "ss", "ẞ": "SS", "þ": "th", "Þ": "Th"}
    | dict.fromkeys("’‘ʼʹ′`´＇", "'")
    | dict.fromkeys("‐‑‒–—−﹣－", "-")
    # Arabic letters with several keys for one sound or shape, and the stroke that stretches a word.
    | {"ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ـ": None}
)
_SPELLED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Å": "Aa", "Ø": "Oe"}
    | {"đ": "dj", "Đ": "Dj", "ð": "dh", "Ð": "Dh", "ĳ": "ij", "ÿ": "ij"}
)
_HIRAGANA = {katakana: katakana - 0x60 for katakana in range(0x30A1, 0x30F7)}
_DIGRAPH = re.compile(r"([aou])e|(a)a|(d)j", re.IGNORECASE)
# An apostrophe or a hyphen inside a word, also where the hyphen ends a line; not that of a possessive.
_JOINT = re.compile(r"(?<=\w)['-]\s*(?=\w{2})")


def plain(text: str) -> str:
    """``text`` in its own case without accents: Müster and its decomposed form are both Muster.

    Full-width, half-width and other compatibility forms, digits of any script, katakana and hiragana become one;
    invisible characters vanish.
    """
    letters = unicodedata.normalize("NFKD", _few_marks(text).translate(_PLAIN)).translate(_PLAIN)
    table: dict[str, str | int | None] = {letter: _written(letter) for letter in set(letters)}
    return unicodedata.normalize("NFC", letters.translate(str.maketrans(table))).translate(_HIRAGANA)


def _written(letter: str) -> str | None:
    """A decomposed letter, a digit of any script as that of ours; None for marks and invisible characters."""
    if letter.isdecimal():
        return str(unicodedata.decimal(letter))
    category = unicodedata.category(letter)
    return None if category[0] == "M" or category == "Cf" else letter


def _few_marks(text: str) -> str:
    """``text`` with at most ``MARKS`` accents on a letter: to bring more in order takes time with their square."""
    if text.isascii():
        return text
    kept, count = [], 0
    for letter in text:
        count = count + 1 if unicodedata.combining(letter) else 0
        if count <= MARKS:
            kept.append(letter)
    return "".join(kept)


def spelled_out(text: str) -> str:
    """As ``plain``, with letters as those write them who lack them: Müster is Muester, Ågård Aagaard."""
    return plain(unicodedata.normalize("NFC", _few_marks(text)).translate(_SPELLED))


def shortened(text: str) -> str:
    """As ``plain``, with spelled-out letters taken back: Muester is Muster, Aagaard Agard."""
    return _DIGRAPH.sub(lambda match: match[1] or match[2] or match[3], plain(text))


def spellings(text: str) -> tuple[str, ...]:
    """The different spellings of ``text``, its plain one first, each also with its words joined over ' and -."""
    found = (plain(text), spelled_out(text), shortened(text))
    return tuple(dict.fromkeys([*found, *(_JOINT.sub("", spelling) for spelling in found)]))
