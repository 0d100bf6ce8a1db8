"""Sequences of unlike length in one batch, without the work that padding them all to the longest would cost."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def by_length(compute: Callable[[Tensor, int], Tensor], lengths: Tensor, longest: int, parts: int = 3) -> Tensor:
    """B x ``longest`` x width: what ``compute`` makes of the B rows, those of like length together.

    ``compute(rows, length)`` gives rows x length x width for some rows (whole numbers), of which no more positions are
    wanted; behind ``lengths`` (B) the result is zero or whatever ``compute`` gave.
    """
    order = lengths.argsort(stable=True)
    pieces = []
    for rows in order.chunk(parts):
        length = int(lengths[rows[-1]])
        pieces.append(functional.pad(compute(rows, length), (0, 0, 0, longest - length)))
    return torch.cat(pieces)[order.argsort()]
