"""Feature consolidation of MCSAM (arXiv 2404.00588): joins features with what the memory bank holds for them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Join = Literal["add", "concatenate", "gate"]

# Scale at which a part of ours begins beside what the decoder reads without it.
START = 0.1


class Consolidation(nn.Module):
    """LayerNorm(X + R(X)), each position by itself.

    That both modalities are consolidated is the paper's; how is ours. ``join`` "add" sums; "concatenate" projects
    [X; R(X)] to ``width``; "gate" adds R(X) times a sigmoid gate made of both. With ``even`` both are normalised first,
    each with a learned scale: the patches of a pretrained image encoder may be twenty times as large as what they
    retrieve, of which the norm of the sum would then leave nothing. R(X) then begins small, so that an untrained
    memory does not stand in the way of what is seen. Raises no errors of its own.
    """

    def __init__(self, width: int, join: Join, even: bool = False) -> None:
        super().__init__()
        self.join, self.even = join, even
        if even:
            self.own_norm, self.retrieved_norm = nn.LayerNorm(width), nn.LayerNorm(width)
            nn.init.constant_(self.retrieved_norm.weight, START)
        if join != "add":
            self.project = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, own: Tensor, retrieved: Tensor) -> Tensor:
        """X and R(X), ``B x L x width`` each ``-> B x L x width``."""
        if self.even:
            own, retrieved = self.own_norm(own), self.retrieved_norm(retrieved)
        if self.join == "add":
            joined = own + retrieved
        else:
            projected = self.project(torch.cat((own, retrieved), -1))
            joined = projected if self.join == "concatenate" else own + projected.sigmoid() * retrieved
        consolidated: Tensor = self.norm(joined)  # MCSAM: H_v, MCSAM: E
        return consolidated
