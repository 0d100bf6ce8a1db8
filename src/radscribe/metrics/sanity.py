"""Negate the statements of a report, and find mentions of earlier films: two checks on figures and drafts."""

from __future__ import annotations

import re
from collections.abc import Collection

from radscribe.core.report_text import one_line
from radscribe.labels.conditions import NEGATIVE, NO_FINDING, POSITIVE
from radscribe.labels.rules import label_sentence
from radscribe.labels.scope import split_sentences
from radscribe.labels.wording import pattern

# A draft is made from one film alone; each of these refers to another one.
_PRIOR = pattern(
    r"""
    unchanged; (?:no|without) (?:significant |substantial )?(?:interval )?change; interval; compar(?:ed|ison)(?! of);
    (?:previous|prior|earlier|old|last|outside)
        (?:\w+ ){0,2}(?:exam\w*|stud(?:y|ies)|radiographs?|films?|x-?rays?|imag(?:e|es|ing)|ct|chest);
    previously; since the (?:last|prior|previous); again; redemonstrat\w+; stable; remain(?:s|ed)?; still; now;
    (?:re)?new(?:ly)?; worse(?:n\w+)?; improv\w+; persist\w*; resolv\w+; progress\w+;
    (?:has|have) (?:increased|decreased|developed|cleared)
    """
)

# Each pair turns a denial into the closest claim in words; all that match are applied.
_AFFIRMED = (
    (r"\bthere (is|are|was|were) no (?:evidence of |definite |focal )?", r"there \1 "),
    (r"\b(?:no|without) (?:evidence of |definite |focal )?", ""),
    (r"\b(is|are|was|were) not\b", r"\1"),
    (r"\b(?:free|clear) of\b", "with"),
    (r"\bnegative for\b", "positive for"),
    (r"\bclear\b", "opacified"),
    (r"\b(?:within normal limits|normal|unremarkable)\b", "enlarged"),
    (r"\bor\b", "and"),
)
_DENIED = (
    (r"^(?:there (is|are|was|were) )(?:an? |some )?", r"there \1 no "),
    (r"^(?!there )(?:(?:an?|the|some) )?", "no "),
    (r"\b(?:and|(?<!consistent )(?<!compatible )with)\b", "or"),
)


def mentions_prior(report: str) -> bool:
    """Whether a report mentions an earlier film ("unchanged", "compared to", "new", "remains")."""
    return bool(_PRIOR.search(one_line(report.lower())))


def share_with_prior(reports: Collection[str]) -> float:
    """The share of reports that mention an earlier film, 0 to 1; 0 without reports."""
    return sum(map(mentions_prior, reports)) / len(reports) if reports else 0.0


def negation_flipped(report: str) -> str:
    """The report with each claim denied and each denial claimed, in nearly the same words.

    Language figures hardly change; clinical ones must. A sentence that states no condition stays as it is; others come
    back in lower case except for the first letter.
    """
    return " ".join(f"{_flipped(sentence)}." for sentence in split_sentences(report))


def _flipped(sentence: str) -> str:
    states = [state for index, state in enumerate(label_sentence(sentence)) if index != NO_FINDING]
    if POSITIVE not in states and NEGATIVE not in states:
        return sentence
    turned = sentence.lower()
    for found, instead in _DENIED if POSITIVE in states else _AFFIRMED:
        turned = re.sub(found, instead, turned)
    return f"{turned[:1].upper()}{turned[1:]}"
