"""Deletion and insertion: does the probability follow the places that a map holds important?

Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", arXiv 1806.07421; what is deleted
becomes the film's blur, as in their insertion, since a grey patch may look like a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radscribe.drafting.counterfactual import ROWS, Span, filling_of, with_filling
from radscribe.drafting.evidence_maps import GRID
from radscribe.drafting.system import System
from radscribe.labels.conditions import POSITIVE

# Shares of the film's area, from the map's highest cells on, that are deleted or inserted.
SHARES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)


class Areas(NamedTuple):
    """Areas under the curves of a probability over ``SHARES``, 0 to 1: a true map has small ones for deletion and large
    ones for insertion."""

    # Of the sentence, as a share of its probability with the whole film, at most 1.
    deletion: float
    insertion: float
    # That the conditions it states are positive, by the model's head of states; None without one.
    condition_deletion: float | None
    condition_insertion: float | None


def highest_cells(values: NDArray[np.floating], side: int) -> Tensor:
    """Which pixels of a film (``side`` x ``side``) lie in the cells that a map (h x w) holds highest, for each share of
    ``SHARES``: S x side x side, 0 or 1. Equal cells follow each other in reading order."""
    fine = functional.interpolate(
        torch.tensor(values, dtype=torch.float64)[None, None], size=(GRID, GRID), mode="bilinear"
    ).flatten()
    order = torch.argsort(fine, descending=True, stable=True)
    taken = torch.zeros(len(SHARES), GRID * GRID)
    for row, share in zip(taken, SHARES, strict=True):
        row[order[: round(share * len(order))]] = 1
    return functional.interpolate(taken.view(-1, 1, GRID, GRID), size=(side, side), mode="nearest")[:, 0]


def area(curve: Sequence[float]) -> float:
    """The area under a curve over ``SHARES``, by trapezoids."""
    return float(np.trapezoid(curve, SHARES))


@torch.no_grad()
def deletion_and_insertion(
    system: System,
    films: Tensor,
    words: Sequence[int],
    span: Span,
    conditions: Sequence[int],
    maps: Sequence[NDArray[np.floating]],
) -> list[Areas]:
    """The areas of each of several ``maps`` (h x w) of one sentence, ``span`` of the report ``words``.

    ``films`` are one study's, 1 x 1 x H x W or 1 x views x 1 x H x W; ``conditions`` those that the sentence states.
    """
    filling, side = filling_of(films), films.shape[-1]
    cells = [highest_cells(values, side).to(films.device) for values in maps]
    # The ends of all curves are the film and its blur.
    inner = torch.cat([torch.cat((each[1:-1], 1 - each[1:-1])) for each in cells])
    ends = torch.stack((torch.zeros_like(inner[0]), torch.ones_like(inner[0])))
    likely, positive = [], []
    for weights in torch.split(torch.cat((ends, inner)), ROWS):
        evidence = system.see(with_filling(films, filling, weights))
        likely.append(system.model.log_probabilities(words[: span[1]], evidence)[:, span[0] :].sum(1))
        states = system.model.findings(evidence)
        if states is not None:
            positive.append(states[:, list(conditions), POSITIVE].mean(1))
    logarithms = torch.cat(likely)
    kept = (logarithms - logarithms[0]).clamp(max=0).exp().cpu().numpy()
    stated = torch.cat(positive).cpu().numpy() if positive else None
    steps, found = len(SHARES) - 2, []
    for number in range(len(maps)):
        first = 2 + 2 * steps * number
        parts = [
            (
                area([curve[0], *curve[first : first + steps], curve[1]]),
                area([curve[1], *curve[first + steps : first + 2 * steps], curve[0]]),
            )
            for curve in (kept, stated)
            if curve is not None
        ]
        found.append(Areas(*parts[0], *(parts[1] if len(parts) > 1 else (None, None))))
    return found
