"""Class activation: how much each place of a film adds to what the model holds likely.

Zhou et al., "Learning Deep Features for Discriminative Localization", arXiv 1512.04150.
"""

from __future__ import annotations

from math import isqrt
from typing import NamedTuple

import torch
from torch import Tensor

from radscribe.labels.conditions import POSITIVE, STATES
from radscribe.models.encoders.image import ImageEncoder


class StateHead(NamedTuple):
    """The linear map by which the mean patch of a film enters the logits of the conditions' states."""

    weights: Tensor  # 18 x 4 x d_v
    place_means: Tensor | None = None  # P x d_v, the mean patch of each place over the training films


@torch.no_grad()
def activation_maps(encoder: ImageEncoder, head: StateHead, films: Tensor) -> Tensor:
    """How much each patch of B films adds to the margin of "positive" before the other states: ``-> B x 18 x h x w``.

    ``films``: B x 1 x H x W of any size that the encoder takes. Where they have the places of the training films, what
    these places add on average is taken away: padding alone makes some corners bright.
    """
    patches = encoder(films)
    if head.place_means is not None and len(head.place_means) == patches.shape[1]:
        patches = patches - head.place_means
    others = [state for state in range(len(STATES)) if state != POSITIVE]
    margin = head.weights[:, POSITIVE] - head.weights[:, others].mean(1)
    side = isqrt(patches.shape[1])
    added: Tensor = patches.float() @ margin.float().T  # B x P x 18
    return added.mT.reshape(len(films), -1, side, side)
