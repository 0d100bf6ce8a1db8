"""Sentences, and the scope of negation and doubt inside one.

A cue ("no", "may represent", "is not seen") governs a stretch of its sentence; a finding mentioned in that stretch
takes the cue's state. The cues and their precedence (hedged negation, then negation, then uncertainty) follow the
published conventions of the CheXpert labeler (Irvin et al., AAAI 2019), with spans in place of dependency parses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from radscribe.labels.conditions import POSITIVE
from radscribe.labels.cues import (
    ASSERTING_VERB,
    CUES,
    FINITE_VERB,
    GROUP_STATES,
    HARD_END,
    NEW_NEGATION,
    NEW_STATEMENT,
    OR,
    PLACED,
    PREDICATES,
    SINGULAR_VERB,
    SOFT_END,
)
from radscribe.labels.style import plain

# No sentence of a report is longer; text without full stops is cut here, which bounds all work on one sentence.
LONGEST_SENTENCE = 600

Span = tuple[int, int]

# Begins with a class of characters, which makes the search fast.
_SENTENCE_END = re.compile(
    r"[.!?;\n\d(\[](?:"
    r"(?<=[;\n])|"
    r"(?<=[.!?])(?<![.!?]{2})[.!?]*+(?:(?=\s|$|[A-Z])|(?<=[a-z]{3}[.!?])(?=[a-z]{3})|(?<=[a-z][)\]]\.)(?=[a-z]))|"
    r"(?<!\S\d)(?<=\d)\d*(?:[.)]{1,2}|[/:-])(?=\s+[A-Za-z]|[.)]?$|(?<=[.)])\s)|"
    r"(?<![\w.,/-]\d)(?<=\d)\d?[.)](?=[A-Za-z])|"
    r"(?<=[(\[])\d{1,2}[)\]](?=\s*[A-Za-z]))"
)
_ABBREVIATION = re.compile(r"\b(dr|mr|mrs|ms|vs|e\.g|i\.e|approx|susp|poss|prob|neg)\.(?=\s|[a-z])", re.IGNORECASE)
_JOINED = re.compile(r"\b(?:and|or|nor)\b")
_AND = re.compile(r"\band\b")
_RANKS = {group: rank for rank, group in enumerate(GROUP_STATES)}
_STATES = tuple(GROUP_STATES.values())
_SPACES = re.compile(r"\s+")


def split_sentences(text: str) -> list[str]:
    """The sentences of ``text``, stripped, in their own case; list numbers and empty pieces are dropped.

    A full stop ends a sentence before white space or a capital letter (not inside "2.5 cm"); so do a semicolon and the
    line break (``lines.statement_lines`` says which are only the width of a page). Everyday style is rewritten first.
    """
    text = plain(text)
    text = _ABBREVIATION.sub(r"\1", text)
    sentences: list[str] = []
    for piece in _SENTENCE_END.split(text):
        sentence = _SPACES.sub(" ", piece).strip(" ,") if piece else ""
        sentences += [part for part in _cut(sentence) if any(character.isalpha() for character in part)]
    return sentences


def _cut(sentence: str) -> list[str]:
    """``sentence`` in parts of at most LONGEST_SENTENCE characters, cut at spaces where it has any."""
    parts = []
    start = 0
    while len(sentence) - start > LONGEST_SENTENCE:
        space = sentence.rfind(" ", start + 1, start + LONGEST_SENTENCE)
        end = space if space > 0 else start + LONGEST_SENTENCE
        parts.append(sentence[start:end].strip())
        start = end
    return [*parts, sentence[start:].strip()]


@dataclass(frozen=True)
class _Stretch:
    start: int
    end: int
    rank: int


class Scopes:
    """The stretches of one lower-case sentence that its cues negate or put in doubt."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    @cached_property
    def _hard_ends(self) -> list[Span]:
        return [match.span() for match in HARD_END.finditer(self._sentence)]

    @cached_property
    def _stretches(self) -> list[_Stretch]:
        stretches = []
        for cue in CUES.finditer(self._sentence):
            if cue.lastgroup in _RANKS:
                stretches.append(_Stretch(cue.end(), self._end_after(cue.end()), _RANKS[cue.lastgroup]))
        for cue in PREDICATES.finditer(self._sentence):
            rank = _RANKS[str(cue.lastgroup)]
            start = self._start_before(cue.start())
            # "Opacity, pneumonia not excluded": what is in doubt is named last.
            if cue.lastgroup == "doubted" and not _JOINED.search(self._sentence, start, cue.start()):
                start = max(start, self._sentence.rfind(",", start, cue.start()) + 1)
            stretches.append(_Stretch(start, cue.start(), rank))
        return stretches

    def state(self, span: Span) -> int:
        """POSITIVE, NEGATIVE or UNCERTAIN for a finding mentioned at ``span``."""
        start, end = span
        ranks = [stretch.rank for stretch in self._stretches if stretch.start <= start and end <= stretch.end + 1]
        return _STATES[min(ranks)] if ranks else POSITIVE

    def _end_after(self, start: int) -> int:
        """Where the scope of a cue that ends at ``start`` ends: before the next statement of something else."""
        sentence = self._sentence
        limit = next((hard for hard, _ in self._hard_ends if hard >= start), len(sentence))
        last_or = max((match.start() for match in OR.finditer(sentence, 0, limit)), default=-1)
        softs = [match.span() for match in SOFT_END.finditer(sentence, start, limit)]
        for number, (soft_start, soft_end) in enumerate(softs):
            if NEW_NEGATION.match(sentence, soft_end, limit):
                return soft_start
            # "No edema, small effusion or mass" goes on to its "or".
            if last_or >= soft_end:
                continue
            item = (soft_end, softs[number + 1][0] if number + 1 < len(softs) else limit)
            if (
                NEW_STATEMENT.match(sentence, *item)
                or ASSERTING_VERB.search(sentence, *item)
                or PLACED.search(sentence, *item)
            ):
                return soft_start
        return limit

    def _start_before(self, end: int) -> int:
        """Where the subject of a predicate that starts at ``end`` starts."""
        sentence = self._sentence
        start = max((hard for _, hard in self._hard_ends if hard <= end), default=0)
        verbs = [match.end() for match in FINITE_VERB.finditer(sentence, start, end)]
        if verbs:
            soft = SOFT_END.search(sentence, verbs[-1], end)
            return soft.end() if soft else start
        if SINGULAR_VERB.match(sentence, end):
            start = max((match.end() for match in _AND.finditer(sentence, start, end)), default=start)
        return start
