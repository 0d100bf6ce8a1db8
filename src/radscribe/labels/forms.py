"""Rewrite the lines of a form ("Pneumothorax: none", "Effusion (+)", "[ ] Edema") as statements."""

from __future__ import annotations

import re

from radscribe.labels.cues import FINDING

# Behind an answer: the end of a statement, or the next line of the form.
_END = r"(?=\s*(?:[.,;\n)|]|$)|\s+(?:\(?\d{1,2}[.)]|\w+(?: \w+){0,2}\s*:))"
_NONE = (
    r"(?:none|no(?!\.\s*\d)|n|nil|absent|nothing|denied|no evidence|0(?!\.\d)|\(-\)|-|"
    r"there (?:is|are) none|resolved|excluded|ruled out|"
    r"(?:not|none|no longer) (?:present|seen|identified|detected|evident|visuali[sz]ed|demonstrated|noted|appreciated))"
)
_DOUBTFUL = (
    r"(?:possible|possibly|questionable|equivocal|uncertain|indeterminate|suspected|probable|maybe|unlikely|\?+|"
    r"cannot (?:be )?(?:exclude|rule out|excluded|ruled out)|not (?:assessed|evaluated))"
)
_PRESENT = r"(?:present|positive|yes|y|seen|identified|likely|\(\+\)|\+)"
_ANSWER = rf"(?:{_NONE}|negative|neg|{_DOUBTFUL}|{_PRESENT}){_END}"
ANSWER = re.compile(_ANSWER, re.IGNORECASE)
_TAB = re.compile(rf"(?<!\t):?\t++(?={_ANSWER})", re.IGNORECASE)
# "Effusion: no change" is no denial.
_CHANGE = (
    "(?:change|interval|improvement|worsening|resolution|clearing|longer|fewer|less|doubt|question|increase|decrease|"
    "progression|growth)"
)
# What stands between a label and its answer.
_MARK = r"(?<=\w)\s*(?:[:=?]|\s-)\s*"
# Only text with one of these is a form.
_MARKS = re.compile(r"[:?=+\[|]|\.\.\.|\((?:-|no|neg|abs|nil|yes|pres)|\s-|-ve\b", re.IGNORECASE)


def _signs_before(line: re.Match[str]) -> str:
    return line[0].replace("(-)", "; no ").replace("(+)", "; ")


_REWRITES = tuple(
    (re.compile(expression, re.IGNORECASE), statement)
    for expression, statement in (
        # Signs before what they are said of: "(-) effusion (+) edema".
        (r"(?:^|(?<=\n))[ \t]*\([-+]\).*", _signs_before),
        # An empty box of a list was not ticked, and dots lead to an answer.
        (r"\[ ?\][ \t]*(?=[a-z])", "; no "),
        (r"\[x\][ \t]*(?=[a-z])", "; "),
        (rf"(?<=\w)\s*\|\s*(?={_ANSWER})", ": "),
        (r"\|", "; "),
        (r"(?<=\w)[ \t]*\.{3,}[ \t]*(?=[a-z])", ": "),
        (r"\b(no|nil|negative for|neg for|no evidence of|without|denies)[ \t]*:[ \t]*(?=\w)", r"\1 "),
        (rf"(?:^|(?<=[\n.;]))[\w /]{{1,60}}:\s*n/a{_END}", " "),
        (rf"{_MARK}{_NONE}{_END}", " are absent;"),
        (r"(?<=\w)\s*\((?:-|none|no|nil|absent|neg|negative)\)", " are absent;"),
        (rf"{_MARK}(?:negative|neg|ve){_END}", " are negative;"),
        # "Lung lesion: no nodule" does not first state what its label names.
        (
            rf"(?:^|(?<=[\n.;]))[\w /,&-]{{0,60}}(?:{FINDING}|tube|line|device|catheter)[\w /,&-]{{0,40}}:\s*"
            rf"(?=(?:there (?:is|are) )?(?:no|without)\s(?!(?:\w+ )?{_CHANGE})\w)",
            " ",
        ),
        (rf"(?<=\w)\s*(?:[:=]|\s-)\s*{_DOUBTFUL}{_END}", " are questionable;"),
        (r"(?<=\w)\s*\(\?+\)", " are questionable;"),
        (rf"{_MARK}{_PRESENT}{_END}", " are present;"),
        (r"(?<=\w)\s*\((?:\+|yes|present)\)", " are present;"),
        (r"(?<=\w) \+(?=[,.;]|$)", " are present;"),
        (r"(?<=\w) -(?=[,.;]|$)", " are absent;"),
    )
)


def answered(text: str) -> str:
    """``text`` with the tab before an answer as a colon."""
    return _TAB.sub(": ", text)


def stated(text: str) -> str:
    """``text`` with each line of a form as a statement, which a semicolon ends."""
    if _MARKS.search(text):
        for expression, statement in _REWRITES:
            text = expression.sub(statement, text)
    return text
