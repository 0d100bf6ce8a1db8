"""Encode patch positions as vectors: convolutions alone hardly distinguish the left side of a film from the right."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LONGEST_WAVE = 10_000.0


def grid_positions(patches: Tensor) -> Tensor:
    """Sines and cosines of the row and the column of each patch of a square grid: ``B x P x width -> P x width``.

    The first half of the width encodes the row, the second the column, scaled to (0, 2 pi], at wavelengths that grow
    geometrically (the normalised sine embedding of DETR, Carion et al., ECCV 2020).

    Raises:
        ValueError: P is not a square number, or the width is not a multiple of 4.
    """
    count, width = patches.shape[-2:]
    side = math.isqrt(count)
    if side * side != count or width % 4:
        raise ValueError(f"{count} patches of width {width}: they need a square grid and a width divisible by 4")
    place = torch.arange(1, side + 1, device=patches.device, dtype=torch.float32) * (2 * math.pi / side)
    exponent = torch.arange(width // 4, device=patches.device, dtype=torch.float32) * (4 / width)
    angle = place.unsqueeze(1) / LONGEST_WAVE**exponent  # side x width / 4
    waves = torch.stack((angle.sin(), angle.cos()), -1).flatten(1)  # side x width / 2
    rows = waves.unsqueeze(1).expand(-1, side, -1)
    columns = waves.unsqueeze(0).expand(side, -1, -1)
    return torch.cat((rows, columns), -1).flatten(0, 1).to(patches.dtype)
