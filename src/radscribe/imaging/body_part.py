"""Reads Body Part Examined as people write it: in their language, with accents kept or lost, or as good as empty."""

from __future__ import annotations

import re
from unicodedata import combining, normalize

# Chest, thorax, lung or ribs, in capitals and with the accents that the word is spelt with; parts of words count, too.
NOUNS = (
    "CHEST", "CXR", "THORAX", "THX", "LUNG", "RIB", "TÓRAX", "TORAKS", "PECHO", "PULMÓN", "PULMÃO", "POITRINE",
    "POUMON", "PEITO", "PETTO", "POLMON", "PIEPT", "PLĂMÂN", "BRÖSTKORG", "BRYSTKASSE", "KEUHKO", "RINTAKEHÄ", "KLATKA",
    "PŁUC", "PLÍCE", "PLUĆA", "MELLKAS", "TÜDŐ", "GÖĞÜS", "AKCİĞER", "NGỰC", "PHỔI", "ОГК", "ЛЕГК", "ЛЁГК", "ΠΝΕΎΜΟΝ",
    "胸部", "胸片", "肺", "흉부", "가슴", "폐", "صدر", "חזה", "ทรวงอก", "ปอด",
)  # fmt: skip
# Of the chest, unless the thoracic spine is meant.
ADJECTIVES = ("BRUST", "BRÖST", "BRYST", "BORST", "THORAC", "TORÁC", "PIERSIOW", "HRUD", "ГРУД", "ΘΏΡΑΚ", "胸")
SPINE = (
    "SPIN", "COLUMN", "COLUNA", "COLON", "RACHI", "RAQUI", "VÉRTEB", "WIRBEL", "WERVEL", "RYG", "KRĘG", "PÁTEŘ", "ПОЗВ",
    "ΣΠΟΝΔ", "椎",
)  # fmt: skip
NOTHING = (
    "UNKNOWN", "UNK", "UNSPECIFIED", "UNDEFINED", "NOTSPECIFIED", "NOTDEFINED", "NOTAVAILABLE", "NOTAPPLICABLE", "NONE",
    "NULL", "NIL", "NA", "ND", "NOS", "OTHER", "DEFAULT", "ANY", "DESCONOCIDO", "DESCONHECIDO", "INCONNU", "UNBEKANNT",
    "SCONOSCIUTO", "ONBEKEND", "НЕИЗВЕСТНО", "未知", "不明", "不詳",
)  # fmt: skip
SAYS_NOTHING = re.compile(r"[\s\d!-/:-@\[-`{-~\ufffd]*")
# A code string has no character set of its own: letters of other scripts arrive byte by byte.
ENCODINGS = (
    "utf-8", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "iso2022_jp", "cp1250", "cp1251", "koi8_r",
    "iso8859_5", "cp1253", "cp1254", "cp1255", "cp1256", "cp874", "cp850",
)  # fmt: skip


def shows_chest(part: str) -> bool:
    """Whether ``part`` (Body Part Examined, as pydicom decodes it) means the chest, or says nothing.

    A letter with an accent may have become one or two of any characters but plain letters and digits.
    """
    spellings = [normalize("NFC", text.upper()) for text in (part, *_decoded(part))]
    if SAYS_NOTHING.fullmatch(part) or any(re.sub(r"[\W_]+", "", text) in NOTHING for text in spellings):
        return True
    words = NOUNS if any(_has(text, SPINE) for text in spellings) else NOUNS + ADJECTIVES
    return any(_has(text, words) for text in spellings)


def _has(text: str, words: tuple[str, ...]) -> bool:
    return any(re.search("".join(map(_letter, word)), text) for word in words)


def _letter(letter: str) -> str:
    base = "".join(part for part in normalize("NFD", letter) if not combining(part))
    if base == letter or len(base) > 1:
        return letter
    return f"(?:{base}|[^A-Z0-9]{{1,2}})" if base.isascii() else f"[{letter}{base}]"


def _decoded(part: str) -> list[str]:
    """``part`` as its bytes read in other character sets, UTF-8 first; nothing where it is plain or decoded already."""
    try:
        data = part.encode("latin-1")
    except UnicodeEncodeError:
        return []
    if data.isascii() and b"\x1b" not in data:
        return []
    return [data.decode(encoding, "ignore") for encoding in ENCODINGS]
