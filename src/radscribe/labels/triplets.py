"""Extract triplets (entity, place, present) from report text by rules.

Entities and places are MedKLIP's. An entity takes the nearest place named in its own clause, with the nearest side;
descriptive words ("normal", "intact") apply to every place named before them in theirs. Bilateral gives both sides.
"""

from __future__ import annotations

import re

from radscribe.labels.conditions import NEGATIVE
from radscribe.labels.entities import ENTITIES
from radscribe.labels.places import (
    BOTH_WORDS,
    DEFAULTS,
    FAMILIES,
    FIXED,
    LEFT_WORDS,
    PLACE_WORDS,
    RIGHT_WORDS,
    UNSPECIFIED,
    PlaceFamily,
)
from radscribe.labels.scope import Scopes, Span, split_sentences
from radscribe.labels.wording import pattern

# Patterns of entities other than the name and its plural; "excluded_obs" has no words of its own.
_STEMS: dict[str, str] = {
    "normal": r"normal(?:ly)?",
    "clear": r"clear(?:ed|ing)?",
    "stable": r"stable|unchanged",
    "opacity": r"opaci\w+",
    "pneumothorax": r"\w*pneumothora(?:x|ces)",
    "atelectasis": r"atelecta\w+",
    "consolidation": r"consolidat\w+",
    "process": r"process(?:es)?",
    "abnormality": r"abnormalit(?:y|ies)",
    "enlarge": r"(?:non)?enlarge\w*",
    "congestion": r"congest\w+",
    "fracture": r"fractur\w+",
    "tortuous": r"tortuo\w+",
    "calcification": r"calcif\w+",
    "prominence": r"prominen\w+",
    "engorgement": r"engorge\w*",
    "elevation": r"elevat\w+",
    "expand": r"expan(?:d\w*|sion)",
    "nodule": r"nodul\w+",
    "degenerative": r"degenerat\w+",
    "pacemaker": r"pacemakers?|pacers?",
    "thicken": r"thicken\w*",
    "scar": r"scar(?:s|red|ring)?",
    "hyperinflate": r"hyper-?(?:inflat|expan|aerat)\w+",
    "blunt": r"blunt\w*",
    "loss": r"loss(?:es)?",
    "widen": r"widen\w*",
    "collapse": r"collapse[ds]?",
    "density": r"densit(?:y|ies)",
    "emphysema": r"emphysem\w+",
    "aerate": r"aerat\w+",
    "mass": r"mass(?:es|like)?",
    "crowd": r"crowd\w*",
    "infiltrate": r"infiltrat\w+",
    "obscure": r"obscur\w+",
    "deformity": r"deformit(?:y|ies)",
    "drainage": r"drain\w*",
    "distention": r"disten\w+",
    "shift": r"shift\w*",
    "dilation": r"dilat\w+",
    "chf": r"chf|(?:congestive )?heart failure",
    "tail_abnorm_obs": r"granuloma\w*|scolio\w+|kypho\w+|bronchiect\w+|\w*adenopathy|cysts?|cavit\w+|osteophyt\w+|"
    r"fibro\w+|plaques?|bullae?|bullous|atherosclero\w+|ecta\w+|spondylo\w+|osteop\w+",
    "excluded_obs": r"(?!)",
}
_ENTITY_WORDS = pattern(
    ";".join(f"(?P<e{index}>{_STEMS.get(name, name + 's?')})" for index, name in enumerate(ENTITIES))
)
_Named = tuple[PlaceFamily, Span]
# Characters added to the distance of a place named after its entity: adjectives come before.
_AFTER = 12
_DESCRIPTIVE = frozenset(("normal", "unremarkable", "intact", "stable", "sharp", "sharply"))
_CLAUSE_END = re.compile(r"[,;:]|\b(?:but|with|without|while|however|although|which|and (?=the |there |no |a ))\b")


def extract_triplets(text: str) -> list[tuple[int, int, int]]:
    """The sorted triplets of a report, ``(index in ENTITIES, index in PLACES, 1 present or 0 absent)``.

    Uncertain counts as present; a triplet that is both affirmed and denied is present.
    """
    present: dict[tuple[int, int], int] = {}
    for sentence in split_sentences(text):
        for entity, place, found in _of_sentence(sentence.lower()):
            present[entity, place] = max(found, present.get((entity, place), 0))
    return sorted((entity, place, found) for (entity, place), found in present.items())


def _of_sentence(sentence: str) -> list[tuple[int, int, int]]:
    mentions = [(int(str(match.lastgroup)[1:]), match.span()) for match in _ENTITY_WORDS.finditer(sentence)]
    if not mentions:
        return []
    places = [(FAMILIES[int(str(match.lastgroup)[1:])], match.span()) for match in PLACE_WORDS.finditer(sentence)]
    scopes = Scopes(sentence)
    ends = [match.start() for match in _CLAUSE_END.finditer(sentence)]
    triplets = []
    previous_end = 0
    for entity, span in mentions:
        name = ENTITIES[entity]
        found = int(scopes.state(span) != NEGATIVE)
        clause = _clause(span, ends, len(sentence))
        if name in _DESCRIPTIVE:
            indices = _described(span, (previous_end, clause[1]), clause, sentence, places)
        else:
            indices = _located(name, span, clause, sentence, places)
        triplets += [(entity, place, found) for place in indices]
        previous_end = span[1]
    return triplets


def _clause(span: Span, ends: list[int], length: int) -> Span:
    start = max((end for end in ends if end < span[0]), default=0)
    return start, min((end for end in ends if end >= span[1]), default=length)


def _described(span: Span, reach: Span, clause: Span, sentence: str, places: list[_Named]) -> list[int]:
    """The places that a descriptive word applies to: those before it ("heart and spine are normal"), else after."""
    before = [family for family, place in places if reach[0] <= place[0] and place[1] <= span[0]]
    after = [family for family, place in places if span[1] <= place[0] and place[1] <= reach[1]]
    families = before or after or [UNSPECIFIED]
    return list(dict.fromkeys(index for family in families for index in _sides(family, span, clause, sentence)))


def _located(name: str, span: Span, clause: Span, sentence: str, places: list[_Named]) -> list[int]:
    """The places of an entity: its fixed kind of place, else the nearest one in its clause, else its default."""
    if name in FIXED:
        return _sides(FIXED[name], span, clause, sentence)
    inside = [(family, place) for family, place in places if clause[0] <= place[0] and place[1] <= clause[1]]
    if inside:
        family, place = min(inside, key=lambda candidate: _distance(candidate[1], span))
        return _sides(family, place, clause, sentence)
    return _sides(DEFAULTS.get(name, UNSPECIFIED), span, clause, sentence)


def _sides(family: PlaceFamily, near: Span, clause: Span, sentence: str) -> list[int]:
    """The member of ``family`` on the side named nearest to ``near`` within the clause; both if bilateral."""
    if family.left == family.right:
        return [family.unsided]
    sides = [
        (_distance(match.span(), near), members)
        for pattern, members in (
            (LEFT_WORDS, [family.left]),
            (RIGHT_WORDS, [family.right]),
            (BOTH_WORDS, [family.left, family.right]),
        )
        for match in pattern.finditer(sentence, *clause)
    ]
    return min(sides)[1] if sides else [family.unsided]


def _distance(one: Span, other: Span) -> int:
    """Characters from ``one`` to ``other``, plus ``_AFTER`` where ``one`` comes after."""
    return other[0] - one[1] if one[1] <= other[0] else max(one[0] - other[1], 0) + _AFTER
