"""Computes sequences of different lengths in one batch without padding them all to the longest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def by_length(compute: Callable[[Tensor, int], Tensor], lengths: Tensor, longest: int, parts: int = 3) -> Tensor:
    """What ``compute`` makes of B rows, those of similar length together: ``B x longest x width``.

    ``compute(rows, length)`` returns rows x length x width for the rows of these indices, up to position ``length``.
    ``lengths`` (B) are those of the rows, at most ``longest``; behind its length a row is zero or whatever ``compute``
    gave. ``parts``: into how many batches of similar length the rows are cut. Raises no errors of its own.
    """
    order = lengths.argsort(stable=True)
    pieces = []
    for rows in order.chunk(parts):
        length = int(lengths[rows[-1]])
        pieces.append(functional.pad(compute(rows, length), (0, 0, 0, longest - length)))
    return torch.cat(pieces)[order.argsort()]
