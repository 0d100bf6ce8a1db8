"""Makes the two kinds of prompt: sentences of the reference report (global), entity triplets of the film (local).

REVTAF, arXiv 2507.07568, Eq. 8 and 9.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from radscribe.core.report_text import one_line
from radscribe.labels.entities import ENTITIES, PLACES
from radscribe.labels.lines import statement_lines

# A stop ends a sentence where a space follows (not in "5.2 cm"); list numbers ("1. ") are no sentence of their own.
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")
_LETTER = re.compile(r"[A-Za-z]")

# Text of a triplet. The paper publishes no template; this one is ours (recipe: ``triplet_template``).
TRIPLET_TEMPLATE = "{entity} {place} {existence}"
# MedKLIP's text of a place.
PLACE_TEMPLATE = "It is located at {place}"


def report_sentences(report: str) -> list[str]:
    """The sentences of a report in order, as text encoder and decoder read them; those without a letter are dropped.

    Cuts at white space behind a full stop, a question mark or an exclamation mark, and where a statement ends with its
    line (``labels.lines.statement_lines``, without bullets); else changes nothing but white space.
    ``labels.scope.split_sentences`` cuts for the labeler instead: at semicolons, at empty lines and before capital
    letters too, without the stops of abbreviations, and into parts of bounded length. Vectors, hashes and indices of
    sentences are of these; labels are of those.
    """
    lines = statement_lines(report).split("\n") if "\n" in report else [report]
    pieces = (piece for line in lines for piece in _SENTENCE_END.split(one_line(line)))
    return [piece for piece in pieces if _LETTER.search(piece)]


def triplet_texts(template: str = TRIPLET_TEMPLATE) -> list[str]:
    """All 75 x 51 x 2 = 7,650 triplet strings, in the order of a 75 x 51 x 2 table whose last index is presence.

    Raises ``KeyError``, ``IndexError`` or ``ValueError`` for a template that names anything but ``{entity}``,
    ``{place}`` and ``{existence}``.
    """
    return [
        triplet_text(entity, place, present, template)
        for entity in range(len(ENTITIES))
        for place in range(len(PLACES))
        for present in (0, 1)
    ]


def triplet_text(entity: int, place: int, present: int, template: str = TRIPLET_TEMPLATE) -> str:
    """One triplet (entity, position, existence) of Eq. 8 as text, from its indices below 75, 51 and 2.

    Raises what ``triplet_texts`` does, and ``IndexError`` for an index beyond its list.
    """
    existence = ("absent", "present")[present]
    place_words = PLACES[place].replace("_", " ")
    return template.format(entity=ENTITIES[entity], place=place_words, existence=existence)  # Eq. 8


def place_texts() -> list[str]:
    """The 51 places as MedKLIP describes them, in the order of ``PLACES``."""
    return [PLACE_TEMPLATE.format(place=place.replace("_", " ")) for place in PLACES]


def local_prompts(table: Tensor, presence: Tensor, positions: Tensor) -> Tensor:
    """F_l, the vector of each entity's triplet (Eq. 8 and 9): ``75 x 51 x 2 x d_t, B x 75, B x 75 -> B x 75 x d_t``.

    ``table`` holds the text encoder's vectors of all ``triplet_texts``; ``presence`` are probabilities, present from
    0.5; ``positions`` are place indices.
    """
    entities = torch.arange(len(ENTITIES), device=table.device)
    return table[entities, positions, (presence >= 0.5).long()]  # Eq. 8, Eq. 9


def sentence_table(reports: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """The S distinct sentences of R reports, and for each report the indices of its sentences, in order."""
    known: dict[str, int] = {}
    rows = [[known.setdefault(sentence, len(known)) for sentence in report_sentences(report)] for report in reports]
    return list(known), rows
