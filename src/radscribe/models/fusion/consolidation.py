"""Feature consolidation (MCSAM): own features and what was retrieved for them become one."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Join = Literal["add", "concatenate", "gate"]


class Consolidation(nn.Module):
    """LayerNorm(X + R(X)), each position by itself; or both concatenated and projected, or R(X) let in by a gate."""

    def __init__(self, width: int, join: Join) -> None:
        super().__init__()
        self.join = join
        if join != "add":
            self.project = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, own: Tensor, retrieved: Tensor) -> Tensor:
        """``B x L x width`` twice ``-> B x L x width``."""
        if self.join == "add":
            joined = own + retrieved
        else:
            projected = self.project(torch.cat((own, retrieved), -1))
            joined = projected if self.join == "concatenate" else own + projected.sigmoid() * retrieved
        consolidated: Tensor = self.norm(joined)
        return consolidated
