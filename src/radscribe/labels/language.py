"""Tell reports in English, the language that the rules read, from others."""

from __future__ import annotations

import re

_ENGLISH = re.compile(
    r"\b(?:the|is|are|of|and|with|without|there|no|not|at|to|has|have|was|were|or|for|neg|nl|wnl|nad|cxr|seen|noted|normal|"
    r"clear|stable|unchanged|improved|unremarkable|intact|negative|absent|mild|moderate|small|large|left|right|"
    r"bilateral|acute|chronic|possible|new|old|lungs?|heart|cardiac|chest|pleural|pulmonary|mediastin\w+|hil\w+|"
    r"bon[ey]s?|osseous|ribs?|spine|aort\w+|trachea\w*|diaphragm\w*|lobes?|bases?|basilar|apex|apical|tip|tubes?|"
    r"lines?|rll|lll|rul|lul|rml|nodul\w+|granulom\w+|calcifi\w+|scoliosis|degenerative|clips?|patient|views?|study|"
    r"exam\w*|findings?|impression|abnormal\w*|disease|change\w*)\b"
)
_DUTCH_GERMAN = """
    kein keine keinen keiner keines nein nicht und ist sind mit ohne beidseits der das dem ein eine herz lunge lungen
    links rechts kleiner kleine erguss dextra sinistra het een geen niet zijn voor zonder longen atelectase
"""
_ROMANCE = """
    los las del con por una uno hay que pulmones corazon silueta derrame cardiomegalia aguda agudo intersticial moderada
    moderado cateter observa observan pulmonar du une pas aucun aucune est avec sans dans aux ou coeur poumons poumon
    droite droit gauche lo gli della dei delle nei nella senza nel sono cuore polmoni polmonare dos nao sem uma um sao
    com veia discreto cardiaca cardiaco derecha derecho izquierda izquierdo neumonia neumotorax masa hiliar infiltrados
    torax hallazgos senos masse hilaire poumon epanchement destra sinistro destro versamento direita direito esquerda
    esquerdo normais pneumotorax
"""
_OTHERS = "och ingen inga inte nie bez brak jest oraz yok"
# Words that an English report never has ...
_FOREIGN = frozenset(f"{_DUTCH_GERMAN} {_ROMANCE} {_OTHERS}".split())
# ... and those that are abbreviations or names too: they count in small letters, where several stand together.
_SHORT_WORDS = "de la el en se sin es y al le les et il au sur di si da do em os van det av ej bir ve na w"
_DOUBTFUL = frozenset(_SHORT_WORDS.split())
_WORD = re.compile(r"[^\W\d_]+")
# Words of English reports that reports in other languages have too.
_SHARED = frozenset(("no", "normal", "pleural", "bilateral", "or", "at", "is", "was", "has", "not"))
_MANY = 3
_LEAST_LATIN = 0.7  # of the letters of a report in English


def has_english(text: str) -> bool:
    """Whether any word of ``text`` is a common one of English reports."""
    return bool(_ENGLISH.search(text.lower()))


def is_foreign(text: str) -> bool:
    """Whether ``text`` is in another script, or has a word of another language for each two English words."""
    lower = text.lower()
    lower_words = _WORD.findall(lower)
    if text.isascii() and _FOREIGN.isdisjoint(lower_words) and _DOUBTFUL.isdisjoint(lower_words):
        return False
    words = _WORD.findall(text)
    foreign = 0
    if not text.isascii():
        letters = "".join(words)
        if sum(letter < "\u0250" for letter in letters) < _LEAST_LATIN * len(letters):
            return True
        # A word with an accent is foreign, a name with one is not.
        foreign = sum(not word.isascii() and word[0].islower() for word in words)
    foreign += sum(word in _FOREIGN for word in lower_words)
    doubtful = sum(word in _DOUBTFUL for word in words)
    foreign += doubtful if doubtful >= _MANY else 0
    english = sum(word not in _SHARED for word in _ENGLISH.findall(lower)) if foreign else 0
    return foreign > 0 and english < 2 * foreign
