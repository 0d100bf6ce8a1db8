"""Standardise patches place by place: padding makes those of a corner far larger, and attention would follow that."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Share of a batch's own statistics in those that are kept; the first batches count more.
MOMENTUM = 0.01


class PlaceStandardisation(nn.Module):
    """Takes the mean patch of each place away and divides by what is left of it there, by the training films.

    ``mean`` (places x width) and ``variance`` (places: over films and channels) are running statistics, updated in
    training alone; a place keeps the proportions of its channels. The same statistics serve training and evaluation.
    """

    mean: Tensor
    variance: Tensor
    batches: Tensor

    def __init__(self, places: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(places, width))
        self.register_buffer("variance", torch.ones(places))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, patches: Tensor) -> Tensor:
        """``B x places x width``, the same shape.

        Raises:
            ValueError: another number of places or another width.
        """
        if patches.shape[1:] != self.mean.shape:
            raise ValueError(f"patches of shape {tuple(patches.shape[1:])}, but {tuple(self.mean.shape)} are expected")
        if self.training:
            self._update(patches.detach().float())
        standardised: Tensor = (patches - self.mean) / (self.variance + 1e-6).sqrt().unsqueeze(-1)
        return standardised.to(patches.dtype)

    @torch.no_grad()
    def _update(self, patches: Tensor) -> None:
        self.batches += 1
        share = (1 / self.batches).clamp(min=MOMENTUM)
        self.mean += share * (patches.mean(0) - self.mean)
        self.variance += share * ((patches - self.mean).square().mean((0, 2)) - self.variance)
