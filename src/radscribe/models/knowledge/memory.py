"""The clinical memory bank of MCSAM (arXiv 2404.00588): slots that image and text retrieve from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.config import LATER
from radscribe.models.knowledge.slots import SlotsConfig


@dataclass(frozen=True)
class MemoryConfig:
    """Sizes of the bank; the paper's own are not known. Raises ``ValueError`` for a setting out of its range."""

    # How many slots there are (N_m), and how they start.
    start: SlotsConfig = field(default_factory=lambda: SlotsConfig(count=512))
    # D_M, the width of a slot.
    slot_width: int = 512
    # Attention heads of the retrieval.
    heads: int = 8
    # k, how many slots each head of a query reads; all of them (N_m) is dense attention.
    nearest: int = 32
    # Divides the scaled dot products before their softmax: below 1 the nearest slots weigh more.
    temperature: float = field(default=1.0, metadata=LATER)

    def __post_init__(self) -> None:
        if not 1 <= self.nearest <= self.start.count:
            raise ValueError(f"nearest must lie between 1 and the {self.start.count} slots, not {self.nearest}")
        if self.heads < 1:
            raise ValueError(f"heads must be at least 1, not {self.heads}")
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature must be positive, not {self.temperature}")


class Retrieved(NamedTuple):
    """What B x L queries retrieved."""

    values: Tensor  # R(X): B x L x width
    weights: Tensor  # over the slots, mean of heads, rows sum to one: B x L x N_m


class MemoryBank(nn.Module):
    """R(X, M): top-k attention over the slots M (N_m x D_M), which are learned on from where they start.

    A bank that both modalities retrieve from is the paper's; one set of projections for both, so that a slot means the
    same to both, is R2GenCMN's (arXiv 2204.13258). Raises ``ValueError`` where ``width`` is not divisible by the heads.
    """

    def __init__(self, config: MemoryConfig, width: int) -> None:
        super().__init__()
        if width % config.heads:
            raise ValueError(f"width {width} is not divisible by {config.heads} heads")
        self.config = config
        self.slots = nn.Parameter(functional.normalize(torch.randn(config.start.count, config.slot_width), dim=-1))
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(config.slot_width, width)
        self.value = nn.Linear(config.slot_width, width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Retrieved:
        """R(X, M) of X, each position by itself: ``B x L x width -> Retrieved``."""
        queries = self.query(x).unflatten(-1, (self.config.heads, -1)).transpose(1, 2)  # B x heads x L x width / heads
        slots = self.slots * self.config.slot_width**0.5  # unit rows at the start: now of the size linear maps expect
        keys, values = (layer(slots).unflatten(-1, (self.config.heads, -1)) for layer in (self.key, self.value))
        scores = queries @ keys.permute(1, 2, 0) / queries.shape[-1] ** 0.5  # B x heads x L x N_m
        weights = chosen_softmax(scores.float() / self.config.temperature, self.config.nearest)
        found = weights.to(values.dtype) @ values.transpose(0, 1)
        return Retrieved(self.output(found.transpose(1, 2).flatten(2)), weights.mean(1))  # MCSAM: R(X, M)


def chosen_softmax(scores: Tensor, count: int) -> Tensor:
    """Softmax over the ``count`` largest scores of each row, ``... x N_m -> ... x N_m``.

    The others get exactly zero, and zero gradient; ``count`` N_m or more is the plain softmax.
    """
    if count < scores.shape[-1]:
        chosen = scores.detach().topk(count, dim=-1).indices
        left_out = torch.ones_like(scores, dtype=torch.bool).scatter_(-1, chosen, False)
        scores = scores.masked_fill(left_out, float("-inf"))
    return scores.softmax(-1)  # MCSAM: R(X, M)
