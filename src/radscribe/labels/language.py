"""Tell reports in English, the language that the rules read, from others."""

from __future__ import annotations

import re

_ENGLISH = re.compile(
    r"\b(?:the|is|are|of|and|with|without|there|no|not|at|to|has|have|was|were|or|for|seen|noted|normal|clear|"
    r"stable|unchanged|improved|unremarkable|intact|negative|absent|mild|moderate|small|large|left|right|bilateral|"
    r"acute|chronic|possible|new|old|lungs?|heart|cardiac|chest|pleural|pulmonary|mediastin\w+|hil\w+|bon[ey]s?|"
    r"osseous|ribs?|spine|aort\w+|trachea\w*|diaphragm\w*|lobes?|bases?|basilar|apex|apical|tip|tubes?|lines?|rll|lll|"
    r"rul|lul|rml|study|exam\w*|findings?|impression|abnormal\w*|disease|change\w*)\b"
)
# Words of other languages that an English report never has ...
_FOREIGN = re.compile(
    r"\b(?:keine?n?|nicht|und|ist|sind|mit|ohne|beidseits|der|das|dem|eine?|herz|lungen?|los|las|del|con|por|un[ao]|hay|que|"
    r"pulmon(?:es|ares)|corazon|silueta|derrame|observan?|du|une|pas|aucune?|est|avec|sans|dans|aux|ou|coeur|poumons?|"
    r"droite?|gauche|lo|gli|della|dei|delle|nei|nella|senza|nel|sono|cuore|polmoni|dos|nao|sem|uma?|sao|het|een|geen|niet|"
    r"zijn|voor|zonder|longen|och|ingen|inga|inte|nie|bez|brak|jest|oraz|yok)\b"
)
_WORD = re.compile(r"[^\W\d_]+")
# ... and those that are abbreviations or names too: they count in small letters, where several stand together.
_DOUBTFUL = re.compile(
    r"\b(?:de|la|el|en|se|sin|es|y|al|les?|et|il|au|sur|di|si|da|do|em|os|van|det|av|ej|bir|ve|na|w)\b"
)
_MANY = 3
_LEAST_LATIN = 0.7  # of the letters of a report in English


def has_english(text: str) -> bool:
    """Whether any word of ``text`` is a common one of English reports."""
    return bool(_ENGLISH.search(text.lower()))


def is_foreign(text: str) -> bool:
    """Whether ``text`` is in another script, or has a small word of another language for each two English words."""
    foreign = 0
    if not text.isascii():
        letters = [character for character in text if character.isalpha()]
        if sum(character < "\u0250" for character in letters) < _LEAST_LATIN * len(letters):
            return True
        # A word with an accent is foreign, a name with one is not.
        foreign = sum(not word.isascii() and word[0].islower() for word in _WORD.findall(text))
    lower = text.lower()
    foreign += len(_FOREIGN.findall(lower))
    doubtful = len(_DOUBTFUL.findall(text))
    foreign += doubtful if doubtful >= _MANY else 0
    return foreign > 0 and len(_ENGLISH.findall(lower)) < 2 * foreign
