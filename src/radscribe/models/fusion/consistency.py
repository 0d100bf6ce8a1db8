"""Fine-grained cross-modal consistency (FCC): prompts that mean the same should look at the same place.

REVTAF, arXiv 2507.07568, Eq. 12 to 14.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

# Against division by zero: far below the range of an attention map (about 1) and below any overlap of two maps.
_SMALL = 1e-6


def consistency_loss(
    global_maps: Tensor,
    local_maps: Tensor,
    global_text: Tensor,
    local_text: Tensor,
    mask: Tensor,
    mode: Literal["soft", "hard"] = "soft",
) -> tuple[Tensor, Tensor]:
    """The loss of Eq. 14 and the mean pairwise IoU of the maps, two scalars, the second without gradient.

    ``global_maps`` (B x N x P) and ``global_text`` (B x N x d) are of N sentences, ``mask`` (B x N, bool) is true for
    those that exist; ``local_maps`` (B x M x P) and ``local_text`` (B x M x d) are of M entities; P patches.

    The loss is the mean of 1 - S O over the valid sentences and all entities; a study without a sentence has no part
    in it. Identical maps everywhere would reach the minimum, so the mean of O is returned too, to be logged. ``mode``
    "soft" keeps the maps as they are; "hard" thresholds them at one half, as the published code does: no gradient then
    reaches the attention.
    """
    padding = ~mask.unsqueeze(-1)  # B x N x 1
    dtype = torch.promote_types(global_maps.dtype, torch.float32)
    with torch.autocast(global_maps.device.type, enabled=False):
        sentences = functional.normalize(global_text.to(dtype).masked_fill(padding, 0.0), dim=-1)
        entities = functional.normalize(local_text.to(dtype), dim=-1)
        similarity = torch.sigmoid(sentences @ entities.mT)  # Eq. 12: S, B x N x M
        overlap = _intersection_over_union(  # Eq. 13: O, B x N x M
            _unit_range(global_maps.to(dtype).masked_fill(padding, 0.0), mode), _unit_range(local_maps.to(dtype), mode)
        )
        pairs = mask.sum().clamp_min(1) * local_maps.shape[1]
        loss = (1 - similarity * overlap).masked_fill(padding, 0.0).sum() / pairs  # Eq. 14
        mean_overlap = overlap.detach().masked_fill(padding, 0.0).sum() / pairs
    return loss, mean_overlap


def _unit_range(maps: Tensor, mode: str) -> Tensor:
    """Each map stretched to [0, 1]: ``B x L x P -> B x L x P``."""
    lowest, highest = maps.amin(-1, keepdim=True), maps.amax(-1, keepdim=True)
    scaled = (maps - lowest) / (highest - lowest + _SMALL)
    return (scaled > 0.5).to(scaled.dtype) if mode == "hard" else scaled


def _intersection_over_union(a: Tensor, b: Tensor) -> Tensor:
    """Sum of minima over sum of maxima for each pair of maps: ``B x N x P, B x M x P -> B x N x M``.

    min and max are (a + b -+ |a - b|) / 2, so sums and one L1 distance suffice: no B x N x M x P tensor.
    """
    apart = torch.cdist(a, b, p=1)
    total = a.sum(-1).unsqueeze(-1) + b.sum(-1).unsqueeze(-2)
    return (total - apart) / (total + apart + _SMALL)  # Eq. 13
