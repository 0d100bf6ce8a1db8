"""Report text to 18 conditions by 4 states, by rules.

Conventions are the CheXpert labeler's: mentions by phrase list (``phrases``), negation and uncertainty by scope
(``scope``), and over a report positive beats uncertain beats negative. "No finding" is positive when none of the other
first 13 conditions, support devices aside, and nothing of the labeler's list of other abnormal findings (scoliosis,
granuloma, hyperinflation ...) is positive or uncertain, else blank. A text that was not read states nothing at all.
In particular:

- "stable" heart or mediastinum, "no new ..." and a finding joined to another by "or" or "versus" are uncertain; so are
  vascular congestion (for edema) and heart failure (for cardiomegaly);
- "probable" is uncertain; "likely", "probably" and "consistent with" assert; "unlikely" leaves uncertain;
- a heart at the upper limit of normal is negative, a borderline heart size uncertain, borderline cardiomegaly positive;
- "the lungs are clear" is our own addition: a negative lung opacity, where CheXpert's labeler leaves it blank.
"""

from __future__ import annotations

import re

from radscribe.labels.conditions import (
    BLANK,
    CONDITIONS,
    NEGATIVE,
    NO_FINDING,
    POSITIVE,
    SUPPORT_DEVICES,
    UNCERTAIN,
)
from radscribe.labels.cues import FINDING, FINITE_VERB
from radscribe.labels.language import has_english, is_foreign
from radscribe.labels.phrases import (
    BORDERLINE,
    DENIALS,
    FINDINGS,
    HEART_FAILURE,
    NORMAL,
    NORMAL_CHEST,
    OTHER_ABNORMAL,
    STABLE,
    STRUCTURES,
    Finding,
    Structure,
)
from radscribe.labels.scope import Scopes, Span, split_sentences

# Which state survives when several mentions disagree.
_STRENGTH = {BLANK: 0, NEGATIVE: 1, UNCERTAIN: 2, POSITIVE: 3}
_CARDIOMEGALY = CONDITIONS.index("cardiomegaly")
# Most sentences mention none.
_ANY_FINDING = re.compile("|".join(finding.mentions.pattern for finding in FINDINGS))
_DECIDING = tuple(index for index in range(NO_FINDING) if index != SUPPORT_DEVICES)

_OR_FOLLOWS = re.compile(
    rf"(?:[ ,(]+[\w-]+){{0,2}}?(?:[ ,)]+(?:or|versus|vs|and/or)\b| ?/ ?(?:[\w-]+ ){{0,2}}?{FINDING})|"
    rf"(?: (?!with\b|and\b|{FINDING})[\w-]+){{0,6}} (?:versus|vs)\b"
)
_OR_PRECEDES = re.compile(rf"(?:\b(?:or|versus|vs) (?:[\w-]+ ){{0,3}}|\b{FINDING}\w*(?: \w+)? ?/ ?)$")
# "Opacity, atelectasis versus pneumonia": what follows explains the opacity and leaves it sure.
_EXPLAINED = re.compile(rf"(?:, | - |: | \(| )(?:[\w-]+ ){{0,2}}?(?!opaci){FINDING}[\w-]* (?:or|versus|vs|and/or)\b")
_SEGMENT_END = re.compile(r"[,;:]|\b(?:and|but|with|while|however|although|though|which)\b|(?=\bthere (?:is|are)\b)")
# "... is stable and within normal limits" goes on about the same structure.
_AND_NORMAL = re.compile(r" (?:\w+ly )?(?:normal|unremarkable|within (?:normal )?limits)\b")
_AND_ABNORMAL = re.compile(
    r" (?:(?:remains?|is|are|still|again|persistently|\w+ly) ){0,3}(?:enlarged|large|widened|prominent)\b"
)


def label_report(text: str) -> list[int]:
    """The 18 states of a report, in the order of CONDITIONS; all blank where ``was_read`` says that none was read."""
    return _read(text)[0]


def was_read(text: str) -> bool:
    """Whether the rules understood anything of a report: False for another language, and where no word is known."""
    return _read(text)[1]


def _read(text: str) -> tuple[list[int], bool]:
    if is_foreign(text):
        return [BLANK] * len(CONDITIONS), False
    sentences = [part.lower() for part in split_sentences(text)]
    states = _aggregate(sentences)
    read = any(states) or (bool(sentences) and has_english(text))
    if read and not _abnormal(sentences, states):
        states[NO_FINDING] = POSITIVE
    return states, read


def label_sentence(sentence: str) -> list[int]:
    """The 18 states that one sentence states; "no finding" is positive only where it calls the chest normal."""
    parts = [part.lower() for part in split_sentences(sentence)]
    states = _aggregate(parts)
    if any(NORMAL_CHEST.search(part) for part in parts) and not _abnormal(parts, states):
        states[NO_FINDING] = POSITIVE
    return states


def _aggregate(sentences: list[str]) -> list[int]:
    states = [BLANK] * len(CONDITIONS)
    for sentence in sentences:
        for index, state in enumerate(_mentioned(sentence)):
            _strengthen(states, index, state)
    return states


def _abnormal(sentences: list[str], states: list[int]) -> bool:
    """Whether a condition, support devices aside, or another abnormal finding is positive or uncertain."""
    if any(states[index] in (POSITIVE, UNCERTAIN) for index in _DECIDING):
        return True
    mentions = ((sentence, [match.span() for match in OTHER_ABNORMAL.finditer(sentence)]) for sentence in sentences)
    stated = (
        {scopes.state(span) for span in spans} for scopes, spans in ((Scopes(text), spans) for text, spans in mentions)
    )
    return any(not found.isdisjoint((POSITIVE, UNCERTAIN)) for found in stated)


def _strengthen(states: list[int], index: int, state: int) -> None:
    if _STRENGTH[state] > _STRENGTH[states[index]]:
        states[index] = state


def _mentioned(sentence: str) -> list[int]:
    """The states of the conditions that one lower-case sentence mentions; "no finding" stays blank."""
    states = [BLANK] * len(CONDITIONS)
    scopes = Scopes(sentence)
    for condition, pattern in DENIALS:
        if pattern.search(sentence):
            _strengthen(states, CONDITIONS.index(condition), NEGATIVE)
    for finding in FINDINGS if _ANY_FINDING.search(sentence) else ():
        index = CONDITIONS.index(finding.condition)
        for span in _mentions(sentence, finding):
            state = scopes.state(span)
            joined = index in _DECIDING and _alternative(sentence, span, finding.condition == "lung opacity")
            if state == POSITIVE and (joined or finding.at_most_uncertain):
                state = UNCERTAIN
            _strengthen(states, index, state)
    if HEART_FAILURE.search(sentence) and states[CONDITIONS.index("edema")] in (POSITIVE, UNCERTAIN):
        _strengthen(states, _CARDIOMEGALY, UNCERTAIN)
    for structure in STRUCTURES:
        if structure.names.search(sentence):
            _strengthen(states, CONDITIONS.index(structure.condition), _structure_state(sentence, structure, scopes))
    return states


def _mentions(sentence: str, finding: Finding) -> list[Span]:
    if not finding.mentions.search(sentence):
        return []
    mentions = [match.span() for match in finding.mentions.finditer(sentence)]
    if finding.excluded is None:
        return mentions
    excluded = [match.span() for match in finding.excluded.finditer(sentence)]
    return [span for span in mentions if not any(span[0] < end and start < span[1] for start, end in excluded)]


def _alternative(sentence: str, span: Span, explainable: bool) -> bool:
    """Whether the mention at ``span`` is one of two that "or" or "versus" joins, and not what the two explain."""
    start, end = span
    if explainable and _EXPLAINED.match(sentence, end):
        return False
    return bool(_OR_FOLLOWS.match(sentence, end) or _OR_PRECEDES.search(sentence[max(0, start - 60) : start]))


def _segments(sentence: str) -> list[Span]:
    """The stretches between commas and conjunctions: each holds one structure, one predicate, or both."""
    segments = []
    start = 0
    for separator in _SEGMENT_END.finditer(sentence):
        segments.append((start, separator.start()))
        start = separator.end()
    segments.append((start, len(sentence)))
    return segments


def _structure_state(sentence: str, structure: Structure, scopes: Scopes) -> int:
    """The strongest state of a structure's mentions, each read from its own segment or the nearest that says it.

    "Heart size, mediastinum and bones are normal" puts the predicate last, "normal heart size and mediastinum" first.
    """
    segments = _segments(sentence)
    verdicts = [_verdict(sentence, segment, structure, scopes) for segment in segments]
    states = [
        _borrowed(sentence, segments, verdicts, position)
        for position, segment in enumerate(segments)
        if structure.names.search(sentence, *segment)
    ]
    return max(states, key=lambda state: _STRENGTH[state], default=BLANK)


def _borrowed(sentence: str, segments: list[Span], verdicts: list[int], position: int) -> int:
    state = verdicts[position]
    last = position
    while state == BLANK and last + 1 < len(segments) and not FINITE_VERB.search(sentence, *segments[last]):
        last += 1
        state = verdicts[last]
    if state == UNCERTAIN and last + 1 < len(segments) and _AND_NORMAL.match(sentence, segments[last + 1][0]):
        return NEGATIVE
    if state == UNCERTAIN and last + 1 < len(segments) and _AND_ABNORMAL.match(sentence, segments[last + 1][0]):
        return verdicts[last + 1]
    if state == BLANK and not FINITE_VERB.search(sentence, *segments[position]):
        before = next((verdict for verdict in reversed(verdicts[:position]) if verdict != BLANK), BLANK)
        return before if before in (NEGATIVE, UNCERTAIN) else BLANK
    return state


def _verdict(sentence: str, segment: Span, structure: Structure, scopes: Scopes) -> int:
    abnormal = structure.abnormal.search(sentence, *segment)
    if abnormal:
        return scopes.state((abnormal.end() - 1, abnormal.end()))  # "is not large" may begin before its "not"
    if structure.stable_is_uncertain and BORDERLINE.search(sentence, *segment):
        return UNCERTAIN
    if NORMAL.search(sentence, *segment):
        return NEGATIVE
    if structure.stable_is_uncertain and STABLE.search(sentence, *segment):
        return UNCERTAIN
    return BLANK
