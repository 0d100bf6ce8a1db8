"""Which kind of map the sentences of a draft show, and the maps of one draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import torch
from torch import Tensor

from radscribe.core.errors import WrongUse
from radscribe.core.records import EvidenceMap
from radscribe.drafting.counterfactual import (
    Span,
    counterfactual_maps,
    filling_of,
    sentence_log_probabilities,
    support,
)
from radscribe.drafting.evidence_maps import attention_map, film_activations, stated_map
from radscribe.drafting.system import System
from radscribe.labels.conditions import NO_FINDING, POSITIVE, UNCERTAIN
from radscribe.models.report_model import ReportModel

# "best" is the class activation, and in a model without a head of states the counterfactual map: docs/equations.md.
EvidenceKind = Literal["best", "counterfactual", "activation", "attention", "none"]


def kind_for(model: ReportModel, evidence: str) -> EvidenceKind:
    """The kind of map that ``evidence`` names for ``model``, never "best"; raises ``WrongUse`` where it has none."""
    kinds: tuple[EvidenceKind, ...] = get_args(EvidenceKind)
    kind = next((kind for kind in kinds if kind == evidence), None)
    if kind is None:
        raise WrongUse(f"--evidence {evidence}: no such map; choose {', '.join(kinds)}")
    if kind == "best":
        return "counterfactual" if model.state_head is None else "activation"
    if kind == "activation" and model.state_head is None:
        raise WrongUse("--evidence activation: this model tells no conditions; choose counterfactual or attention")
    return kind


def states_finding(states: Sequence[int]) -> bool:
    """Whether a sentence that states the 18 ``states`` holds a finding present or possible."""
    return any(state in (POSITIVE, UNCERTAIN) for number, state in enumerate(states) if number != NO_FINDING)


def sentence_maps(
    kind: EvidenceKind,
    system: System,
    films: Tensor,
    words: Sequence[int],
    spans: Sequence[Span],
    states: Sequence[Sequence[int]],
    attention: Tensor,
) -> list[EvidenceMap | None]:
    """The map of each sentence of one study's report; None where it states no finding, or ``kind`` shows none for it.

    Args:
        kind: as ``kind_for`` gives it.
        films: the study's, 1 x 1 x H x W or 1 x views x 1 x H x W.
        words: the report's L tokens.
        spans: first position of each sentence, and the one behind its last.
        states: the 18 that each sentence states.
        attention: where each token looked, L x P.
    """
    maps: list[EvidenceMap | None] = [None] * len(spans)
    shown = [number for number, stated in enumerate(states) if states_finding(stated)]
    if kind == "none" or not shown:
        return maps
    wanted = [spans[number] for number in shown]
    if kind == "counterfactual":
        found = counterfactual_maps(system, films, words, wanted)
    else:
        likely = sentence_log_probabilities(system, torch.cat((films, filling_of(films))), words, wanted)
        found = [
            map_ and replace(map_, support=share)
            for map_, share in zip(
                _own_maps(kind, system, films, wanted, [states[n] for n in shown], attention),
                support(likely[0] - likely[1]),
                strict=True,
            )
        ]
    for number, map_ in zip(shown, found, strict=True):
        maps[number] = map_
    return maps


def _own_maps(
    kind: EvidenceKind,
    system: System,
    films: Tensor,
    spans: Sequence[Span],
    states: Sequence[Sequence[int]],
    attention: Tensor,
) -> list[EvidenceMap | None]:
    """The maps that the model gives of itself, by class activation or attention."""
    if kind == "attention":
        side = round(attention.shape[1] ** 0.5)
        return [attention_map(attention[first:last].mean(0).view(side, side)) for first, last in spans]
    activations = film_activations(system.model, films[:, 0] if films.dim() == 5 else films)
    assert activations is not None
    return [stated_map(activations[0].cpu().numpy(), stated) for stated in states]
