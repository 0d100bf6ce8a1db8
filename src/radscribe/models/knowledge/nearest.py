"""Nearest neighbours by cosine, exact and block by block: for films, for sentences, and for the slots of the memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from radscribe.models.knowledge.related import of_kin

# Entries of the widest block of queries by keys held in memory at once.
_BLOCK = 2**25


def nearest(
    queries: Tensor, keys: Tensor, count: int, kin: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Cosines and indices of the most alike: ``B x D, N x D (unit rows), count -> B x count, B x count``, best first.

    ``kin``: groups of the queries (B x G) and of the keys (N x G); a key that shares a group with the query is passed
    over. Where fewer than ``count`` are left, the index is -1 and the cosine minus infinity. Runs on the keys' device;
    the answer comes back on the queries'.
    """
    values = torch.full((len(queries), count), -torch.inf, dtype=keys.dtype, device=queries.device)
    indices = torch.full((len(queries), count), -1, dtype=torch.long, device=queries.device)
    size = max(1, _BLOCK // max(1, len(keys)))
    for first in range(0, len(queries), size):
        block = slice(first, first + size)
        similarity = functional.normalize(queries[block].to(keys.device), dim=-1) @ keys.T
        if kin is not None:
            own = of_kin(kin[0][block].to(kin[1].device), kin[1])
            similarity = similarity.masked_fill(own, -torch.inf)
        best = similarity.topk(min(count, len(keys)), dim=1)
        values[block, : best.values.shape[1]] = best.values.to(values.device)
        found = best.indices.masked_fill(best.values.isinf(), -1)
        indices[block, : found.shape[1]] = found.to(indices.device)
    return values, indices
