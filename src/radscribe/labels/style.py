"""Rewrite everyday report style as plain sentences: contractions, short forms, dashes, question marks and forms.

The rules read full sentences. Much of what people write is none: "Pneumothorax: none.", "?PNA", "w/o effusion".
``plain`` rewrites that and changes nothing else, so that the rules have one style to know.
"""

from __future__ import annotations

import re

from radscribe.labels.forms import ANSWER, answered, stated
from radscribe.labels.lines import statement_lines, without_silent_sections
from radscribe.labels.spelling import corrected

_UNUSUAL = re.compile(r"[^\x00-\x7f]|[`\r\t\x0b\x0c]")
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("`\u2018\u2019\u201b\u00b4\u02bc\uff07", "'"),
        **dict.fromkeys("\u2010\u2011\u00ad\ufe63\uff0d\u2212", "-"),
        # Bullets and check marks begin a line of a list.
        **dict.fromkeys("\u2022\u2023\u2043\u25aa\u25ab\u25cf\u25cb\u25e6\u25a0\u25ba\u25b6\u2219", "\n- "),
        **dict.fromkeys("\u2713\u2714\u27a2\u2192\uf0b7\u00b7", "\n- "),
        **dict.fromkeys("\u00a0\u2002\u2003\u2009\u200a\u202f\u3000\t", " "),
        **dict.fromkeys("\u2610\u25a1\u25a2", "[ ]"),
        **dict.fromkeys("\u2611\u2612", "[x]"),
        **dict.fromkeys("\r\x0b\x0c\x85\u2028\u2029", "\n"),
        **dict.fromkeys("\u200b\ufeff\u200e\u200f", ""),
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb00": "ff",
        "\uff1f": "?",
        "\uff1a": ":",
    }
)
# A long dash or a spaced one ends a statement; "air\u2013fluid" and "2\u20133 cm" are joined by theirs.
_DASH = re.compile(
    r"(?<=\S)(?:\s*(?:[\u2014\u2015]|--+)\s*|\s+[\u2012\u2013]\s+)(?=\S)|"
    r"(?<=[a-z]{4}[a-np-z])\u2013(?=(?!like|related|associated|induced|type|level|containing|shaped|sided|based)[a-z]{4})"
)
_GOES_ON = re.compile(r"(?:or|nor|and|which|possibly|likely|probably)\b", re.IGNORECASE)
# "Heart size \u2013 enlarged": a label and what is said of it.
_LABEL = re.compile(r"(?:^|[.;:\n])\s*(?!no\b|without\b)\w+(?: \w+){0,3}$", re.IGNORECASE)
_LONGEST_LABEL = 80
_VALUE = re.compile(
    r"(?:\w+ly )?(?:normal|enlarged|within|unremarkable|clear|stable|unchanged|intact|w?nl|widened|dilated)\b",
    re.IGNORECASE,
)
# The sign of an empty set, or of "no"; before a number it is a diameter.
_NO_SIGN = re.compile(r"[\u2205\u00d8](?=\s+[A-Za-z])")
_DASHES = re.compile(r"[\u2012-\u2015]|--")
_OTHER_DASH = re.compile(r"[\u2012-\u2015]")

_CONTRACTED = r"(?:is|are|was|were|does|do|did|has|have|had|could|would|should|must|need)"

# Only text with one of these characters needs these rewrites: most sentences have none.
_MARKS = re.compile(r"['/?]|[-+]ve\b")
_MARKED = tuple(
    (re.compile(expression, re.IGNORECASE), plain_words)
    for expression, plain_words in (
        (r"\bcan't\b", "cannot"),
        (r"\bwon't\b", "will not"),
        (rf"\b({_CONTRACTED})n't\b", r"\1 not"),
        (r"\b(there|it|that|here)'s\b", r"\1 is"),
        (r"(?<![\w/])w/\s?o(?:ut)?\b", "without"),
        (r"(?<![\w/])w/\s*", "with "),
        (r"(?<![\w/])c/w\b", "consistent with"),
        (r"(?<![\w/])s/p\b", "status post"),
        (r"(?<![\w/])r/o'?e?d\b", "ruled out"),
        (r"(?<![\w/])r/o\b", "rule out"),
        (r"(?<![\w/])e/o\b", "evidence of"),
        (r"(?<![\w/])h/o\b", "history of"),
        (r"(?<![\w/])d/t\b", "due to"),
        (r"(?<!image )(?<!film )(?<!view )(?<!page )(?<![\w/])2/2\b(?!/)", "secondary to"),
        (r"(?<![\w/])c/f\b", "concerning for"),
        (r"(?<![\w/])s/o\b", "suggestion of"),
        (r"(?<![\w/])a/w\b", "associated with"),
        (r"(?<![\w/])b/l\b", "bilateral"),
        (r"(?<!\w)-ve (?=for\b)", "negative "),
        (r"(?<!\w)\+ve for\b", "positive for"),
    )
)
# "?pneumonia" puts in doubt what follows, "pneumonia?" what stands before.
_DOUBTS_NEXT = re.compile(r"(?:(?<=[\s,;:(/])|^)\?+[ \t]*(?=[A-Za-z])")
_DOUBTED = re.compile(r"(?<=\w)(?:\?+(?=\s|[,;)]|$)|\s\?+(?=\s*(?:[.,;)\n]|$)))")
_SHORT = re.compile(
    r"\b(?:cant|cann?ot|(?:is|does|was|has|are|could)nt|can not|neg|nil|none|poss|prob)\b", re.IGNORECASE
)
_SHORTENED = tuple(
    (re.compile(expression, re.IGNORECASE), plain_words)
    for expression, plain_words in (
        (r"\b(?:cant|canot|can not)\b", "cannot"),
        (r"\b(is|does|was|has|are|could)nt\b", r"\1 not"),
        (r"\bneg\.?(?= (?:for|evidence))", "negative"),
        (r"\bnil\b", "no"),
        (r"\bposs\b\.?", "possible"),
        (r"\bprob\b\.?", "probable"),
        (r"\bnone(?: (?:seen|identified|present|detected|visuali[sz]ed))?(?=\s*(?:[.,;\n]|$))", "are absent"),
    )
)


def _after_dash(dash: re.Match[str]) -> str:
    """What replaces a dash: a hyphen before the answer of a form, a comma where the statement goes on, else its end."""
    if ANSWER.match(dash.string, dash.end()):
        return " - "
    if _VALUE.match(dash.string, dash.end()) and _LABEL.search(
        dash.string, max(0, dash.start() - _LONGEST_LABEL), dash.start()
    ):
        return ": "
    return ", " if _GOES_ON.match(dash.string, dash.end()) else "; "


def plain(text: str) -> str:
    """``text`` in plain sentences, one statement a line where it was a list; its words keep their order and case.

    Silent sections (history, indication, comparison, technique) are left out, lines that the width of a page cut are
    joined, and a slip of one letter in a long term is corrected.
    """
    if _UNUSUAL.search(text):
        text = _NO_SIGN.sub("no", answered(text)).translate(_CHARACTERS)
    if _DASHES.search(text):
        text = _OTHER_DASH.sub("-", _DASH.sub(_after_dash, text))
    if ":" in text:
        text = without_silent_sections(text)
    if _MARKS.search(text):
        for expression, plain_words in _MARKED:
            text = expression.sub(plain_words, text)
    text = stated(text)
    if "?" in text:
        text = _DOUBTED.sub(" are questionable.", _DOUBTS_NEXT.sub("possible ", text))
    if _SHORT.search(text):
        for expression, plain_words in _SHORTENED:
            text = expression.sub(plain_words, text)
    return corrected(statement_lines(text))
