"""Nearest neighbours by cosine, exact and block by block: of films, sentences and memory slots."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from radscribe.models.knowledge.related import are_related

# Entries of the widest block of queries by keys held in memory at once.
_BLOCK = 2**25


def nearest(
    queries: Tensor, keys: Tensor, count: int, related_ids: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Cosines and indices of the most alike: ``B x D, N x D (unit rows), count -> B x count, B x count``, best first.

    ``related_ids``: those of the queries (B or B x G) and of the keys (N or N x G); a key related to the query is
    passed over. Where fewer than ``count`` are left, the index is -1 and the cosine minus infinity. Runs on the keys'
    device; the answer is on the queries'.

    Raises ``ValueError`` where queries and keys have not the same columns of related ids.
    """
    values = torch.full((len(queries), count), -torch.inf, dtype=keys.dtype, device=queries.device)
    indices = torch.full((len(queries), count), -1, dtype=torch.long, device=queries.device)
    size = max(1, _BLOCK // max(1, len(keys)))
    for first in range(0, len(queries), size):
        block = slice(first, first + size)
        similarity = functional.normalize(queries[block].to(keys.device), dim=-1) @ keys.T
        if related_ids is not None:
            of_queries, of_keys = related_ids
            related = are_related(of_queries[block].to(of_keys.device), of_keys)
            similarity = similarity.masked_fill(related, -torch.inf)
        best = similarity.topk(min(count, len(keys)), dim=1)
        values[block, : best.values.shape[1]] = best.values.to(values.device)
        found = best.indices.masked_fill(best.values.isinf(), -1)
        indices[block, : found.shape[1]] = found.to(indices.device)
    return values, indices
