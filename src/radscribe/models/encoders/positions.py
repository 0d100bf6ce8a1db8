"""Where a patch is, as a vector: convolutions alone hardly tell the left side of a film from the right."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LONGEST_WAVE = 10_000.0


def grid_positions(patches: Tensor) -> Tensor:
    """Sines and cosines of the row and the column of each patch of a square grid: ``B x P x width -> P x width``.

    Half of the width tells the row, half the column, each from 0 to one full turn, at wave lengths that grow
    geometrically (Carion et al. 2020, DETR, its normalised sine embedding).

    Raises:
        ValueError: P is no square, or the width is no multiple of 4.
    """
    count, width = patches.shape[-2:]
    side = math.isqrt(count)
    if side * side != count or width % 4:
        raise ValueError(f"{count} patches of width {width}: positions need a square grid and a multiple of 4")
    place = torch.arange(1, side + 1, device=patches.device, dtype=torch.float32) * (2 * math.pi / side)
    exponent = torch.arange(width // 4, device=patches.device, dtype=torch.float32) * (4 / width)
    angle = place.unsqueeze(1) / LONGEST_WAVE**exponent  # side x width / 4
    waves = torch.stack((angle.sin(), angle.cos()), -1).flatten(1)  # side x width / 2
    rows = waves.unsqueeze(1).expand(-1, side, -1)
    columns = waves.unsqueeze(0).expand(side, -1, -1)
    return torch.cat((rows, columns), -1).flatten(0, 1).to(patches.dtype)
