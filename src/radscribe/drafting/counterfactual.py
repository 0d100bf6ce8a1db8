"""Counterfactual maps: how much less likely a sentence is when a window of the film is replaced.

Occlusion (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", arXiv 1311.2901) of the whole
pipeline: entities, retrieval, states and fusion are computed anew from each changed film. Windows are soft, and what
replaces them is the film's own blur (Fong and Vedaldi, "Interpretable Explanations of Black Boxes by Meaningful
Perturbation", arXiv 1704.03296), which has no edge and no finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from radscribe.core.records import EvidenceMap
from radscribe.drafting.evidence_maps import GRID, blurred, evidence_map
from radscribe.drafting.system import System

# Windows stand at the centres of this many cells along each side of the film.
CENTRES = 7
# Standard deviation of a window, in cells.
WINDOW = 1.5
# The first windows are so many cells apart; then those beside the peak of each sentence are tried.
STRIDE = 2
# Standard deviation of the blur, as a share of the film's side.
BLUR = 1 / 8
# A map shows a fall of the logarithm of the sentence's probability by at least this (a tenth of the probability),
LEAST_FALL = 0.1
# which is so many times the median fall of all windows, and the greatest rise that any gives.
TIMES = 2.0
# Films that pass the networks together.
ROWS = 16

Span = tuple[int, int]


class Falls(NamedTuple):
    """How far the logarithms of the probabilities of S sentences fall."""

    windows: Tensor  # S x CENTRES x CENTRES, by the window that is replaced
    tried: Tensor  # CENTRES x CENTRES, whether the window was; the others lie between those around them
    whole: Tensor  # S, where the whole film is replaced


def filling_of(films: Tensor) -> Tensor:
    """What replaces parts of ``films`` (... x H x W): their blur, of the same shape."""
    return blurred(films, BLUR * films.shape[-1])


def window_weights(side: int, device: torch.device | None = None) -> Tensor:
    """How far each window replaces each pixel of a film (``side`` x ``side``): CENTRES² x side x side, 0 to 1."""
    cells = (torch.arange(side, device=device) + 0.5) / side * CENTRES - 0.5
    near = torch.exp(-0.5 * ((cells - torch.arange(CENTRES, device=device)[:, None]) / WINDOW) ** 2)
    return torch.einsum("ry,cx->rcyx", near, near).flatten(0, 1)


def with_filling(films: Tensor, filling: Tensor, weights: Tensor) -> Tensor:
    """A study's films with each of W ``weights`` (W x H x W_) of their ``filling``: W x 1 x H x W_, or with views.

    ``films`` and ``filling`` are 1 x 1 x H x W_, or 1 x views x 1 x H x W_, of which the frontal one is replaced, and
    where a study has but one film its copy.
    """
    weights = weights[:, None]
    if films.dim() == 5:
        copies = (films == films[:, :1]).flatten(2).all(-1).to(weights)
        weights = weights[:, None] * copies[..., None, None, None]
    return films + weights * (filling - films)


@torch.no_grad()
def sentence_log_probabilities(system: System, films: Tensor, words: Sequence[int], spans: Sequence[Span]) -> Tensor:
    """How likely each of S sentences (``spans`` of the report ``words``) is for B films, in logarithms: B x S.

    ``films`` are as ``System.see`` takes them.
    """
    words = words[: max(last for _, last in spans)]  # what comes after changes nothing
    found = []
    for some in torch.split(films, ROWS):
        each = system.model.log_probabilities(words, system.see(some))
        found.append(torch.stack([each[:, first:last].sum(1) for first, last in spans], 1))
    return torch.cat(found)


def falls(
    system: System, films: Tensor, words: Sequence[int], spans: Sequence[Span], filling: Tensor | None = None
) -> Falls:
    """What replacing each window of the film takes from S sentences (``spans`` of the report ``words``), coarse to
    fine: every ``STRIDE``-th window, then those beside the peak of each sentence.

    ``films``: one study's, 1 x 1 x H x W or 1 x views x 1 x H x W; ``filling`` (the same shape): by default their blur.
    """
    filling = filling_of(films) if filling is None else filling
    weights = window_weights(films.shape[-1], films.device)
    on_grid = torch.zeros(CENTRES, CENTRES, dtype=torch.bool, device=films.device)
    on_grid[::STRIDE, ::STRIDE] = True
    first = on_grid.flatten().nonzero()[:, 0]
    changed = torch.cat((films, filling, with_filling(films, filling, weights[first])))
    likely = sentence_log_probabilities(system, changed, words, spans)
    size, steps = (CENTRES, CENTRES), -(-CENTRES // STRIDE)
    coarse = (likely[0] - likely[2:]).T.reshape(-1, steps, steps)
    found = functional.interpolate(coarse[None], size=size, mode="bilinear", align_corners=True)[0].flatten(1)
    peaks = torch.zeros(len(spans), CENTRES * CENTRES, device=films.device)
    peaks.scatter_(1, first[coarse.flatten(1).argmax(1)][:, None], 1)
    beside = functional.max_pool2d(peaks.view(-1, *size), 2 * STRIDE - 1, 1, STRIDE - 1).amax(0) > 0
    more = (beside & ~on_grid).flatten().nonzero()[:, 0]
    finer = sentence_log_probabilities(system, with_filling(films, filling, weights[more]), words, spans)
    found[:, more] = (likely[0] - finer).T
    return Falls(found.view(-1, *size), on_grid | beside, likely[0] - likely[1])


def exceeds_noise(fall: Tensor, tried: Tensor) -> bool:
    """Whether a sentence's ``fall`` (CENTRES x CENTRES) at the peak exceeds what other windows and noise give.

    It does where it is at least ``LEAST_FALL``, and ``TIMES`` the median fall of the windows ``tried``, and ``TIMES``
    the greatest rise by any of them: what makes the sentence likelier is noise as a rule, and noise goes both ways.
    """
    windows = fall[tried]
    return bool(windows.max() >= max(LEAST_FALL, TIMES * float(windows.median()), -TIMES * float(windows.min())))


def support(whole: Tensor) -> list[float]:
    """The share of each sentence's probability that is lost without the film, from ``Falls.whole`` (S)."""
    return [round(share, 3) for share in (1 - torch.exp(-whole)).clamp(0, 1).tolist()]


def counterfactual_maps(
    system: System, films: Tensor, words: Sequence[int], spans: Sequence[Span], filling: Tensor | None = None
) -> list[EvidenceMap | None]:
    """The map of each sentence, None where its fall nowhere exceeds noise; the arguments are those of ``falls``."""
    if not spans:
        return []
    found = falls(system, films, words, spans, filling)
    fine = functional.interpolate(found.windows.clamp(min=0)[:, None], size=(GRID, GRID), mode="bicubic")[:, 0]
    return [
        replace(evidence_map("counterfactual", values.clamp(min=0).cpu().numpy()), support=share)
        if exceeds_noise(fall, found.tried)
        else None
        for values, fall, share in zip(fine, found.windows, support(found.whole), strict=True)
    ]
