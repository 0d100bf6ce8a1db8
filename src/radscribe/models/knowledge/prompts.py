"""The two prompt sources: sentences of the reference report (global), entity triplets of the film itself (local)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from radscribe.labels.entities import ENTITIES, PLACES

# A stop ends a sentence unless a digit follows ("5.2 cm"); list numbers ("1. ") are no sentence of their own.
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")
_ALPHANUMERIC = re.compile(r"[A-Za-z]")

TRIPLET_TEMPLATE = "{entity} {place} {existence}"
PLACE_TEMPLATE = "It is located at {place}"


def split_sentences(report: str) -> list[str]:
    """The sentences of a report in order; pieces without a letter are dropped."""
    pieces = _SENTENCE_END.split(" ".join(report.split()))
    return [piece for piece in pieces if _ALPHANUMERIC.search(piece)]


def triplet_texts(template: str = TRIPLET_TEMPLATE) -> list[str]:
    """All 75 x 51 x 2 = 7,650 triplet strings, in the order of a (75, 51, 2) table whose last index is presence."""
    return [
        triplet_text(entity, place, present, template)
        for entity in range(len(ENTITIES))
        for place in range(len(PLACES))
        for present in (0, 1)
    ]


def triplet_text(entity: int, place: int, present: int, template: str = TRIPLET_TEMPLATE) -> str:
    """One triplet as text, from its indices."""
    existence = ("absent", "present")[present]
    return template.format(entity=ENTITIES[entity], place=PLACES[place].replace("_", " "), existence=existence)


def place_texts() -> list[str]:
    return [PLACE_TEMPLATE.format(place=place.replace("_", " ")) for place in PLACES]


def local_prompts(table: Tensor, presence: Tensor, positions: Tensor) -> Tensor:
    """F_l (B x 75 x d_t): the row of each entity's triplet in ``table`` (75 x 51 x 2 x d_t), Eq. 8-9.

    ``presence``: B x 75 probabilities, present from 0.5; ``positions``: B x 75 place indices.
    """
    entities = torch.arange(len(ENTITIES), device=table.device)
    return table[entities, positions, (presence >= 0.5).long()]


def sentence_table(reports: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """The distinct sentences of ``reports``, and for each report the indices of its sentences."""
    known: dict[str, int] = {}
    rows = [[known.setdefault(sentence, len(known)) for sentence in split_sentences(report)] for report in reports]
    return list(known), rows
