"""Doubt in training: some patches of a study come from one without finding, so that other evidence has to tell."""

from __future__ import annotations

import torch
from torch import Tensor


class Loans:
    """Which patches are borrowed from whom in a batch of B studies of P patches.

    For each study a share between 0 and ``share`` is drawn, and as many of its patches come from a ``healthy`` (B)
    study of the batch, each at its own place; none where no study is healthy.
    """

    def __init__(self, shape: tuple[int, int], healthy: Tensor, share: float) -> None:
        rows = healthy.nonzero()[:, 0]
        self.lenders: Tensor | None = None
        if share and len(rows):
            count, device = shape[0], healthy.device
            self.lenders = rows[torch.randint(len(rows), (count,), device=device)]
            drawn = share * torch.rand(count, 1, device=device)
            self.drawn = torch.rand(shape, device=device) < drawn

    def applied(self, values: Tensor) -> Tensor:
        """``values`` (B x P x width) with the borrowed ones in place."""
        if self.lenders is None:
            return values
        return torch.where(self.drawn.unsqueeze(-1), values[self.lenders], values)
