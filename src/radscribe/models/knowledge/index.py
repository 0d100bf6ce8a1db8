"""The reference index: finds the exact nearest neighbours in the Poincaré ball among stored embeddings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from radscribe.core.errors import RadscribeError
from radscribe.models.geometry import poincare
from radscribe.models.knowledge.related import are_related

Kind = Literal["exact", "approximate"]

# Entries of the widest query-by-database block held in memory at once.
_BLOCK = 2**25


class IndexConfigError(RadscribeError, ValueError):
    """A setting of ``IndexConfig`` is out of its range."""


class StaleIndexError(RadscribeError):
    """The index was built by another model than the one that asks."""


@dataclass(frozen=True)
class IndexConfig:
    """How neighbours are searched. Raises ``IndexConfigError`` for a setting out of its range."""

    # "exact", or "approximate" (faiss) for large databases: measure its recall on your own.
    kind: Kind = "exact"
    # Candidates re-ranked in float64 for each query.
    shortlist: int = 64
    # "approximate": cells that the database is split into by Euclidean distance, since lifted points differ too much
    # in length and lose most neighbours; 0 is the square root of the database's size.
    cells: int = 0
    # "approximate": share of the cells searched for each query, above 0 and at most 1.
    probed: float = 0.25

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise IndexConfigError(f"index: kind {self.kind!r} is not one of {', '.join(get_args(Kind))}")
        if self.shortlist < 1 or self.cells < 0 or not 0 < self.probed <= 1:
            raise IndexConfigError("index: shortlist must be at least 1, cells at least 0, probed within (0, 1]")


class ReferenceIndex:
    """N stored points of the ball, ``embeddings`` (N x d, any float type), searched by Eq. 3's distance.

    ``curvature`` is the positive c of the ball, ``fingerprint`` names the model that placed the points, ``related_ids``
    (N or N x G, whole numbers) are their patients and reports. Raises ``RadscribeError`` where an approximate index is
    asked for and faiss is not installed.

    The key d(x, y) grows with is ||x - y||^2 / (1 - c ||y||^2). Expanded, it is one inner product of (x, ||x||^2, 1)
    with (-2 y, 1, ||y||^2) / (1 - c ||y||^2), both sides moved to the database's mean so that little cancels. Scaling
    the squares down by the worst rounding of that product makes it a lower bound of the key; whatever lies below the
    exact key of the k-th candidate is re-ranked by direct difference in float64. Hence the ranking is that of float64
    brute force, near the boundary and among near duplicates too.
    """

    def __init__(
        self,
        embeddings: Tensor,
        curvature: float,
        fingerprint: str,
        related_ids: Tensor | None = None,
        config: IndexConfig | None = None,
    ) -> None:
        self.embeddings, self.curvature, self.fingerprint = embeddings, curvature, fingerprint
        self.related_ids, self.config = related_ids, config or IndexConfig()
        self._center = embeddings.mean(0, dtype=torch.float64).nan_to_num()
        blocks = torch.split(embeddings, max(1, _BLOCK // max(1, embeddings.shape[-1])))
        self._lifted = torch.cat([self._lift(block) for block in blocks])
        self._faiss: Any = self._build_faiss() if self.config.kind == "approximate" and len(self) else None

    def __len__(self) -> int:
        return len(self.embeddings)

    def ensure_built_by(self, fingerprint: str) -> None:
        """Raise ``StaleIndexError`` unless the model of this fingerprint built the index."""
        if fingerprint != self.fingerprint:
            raise StaleIndexError(
                f"reference index: built by model {self.fingerprint[:12]}, asked by model {fingerprint[:12]}; "
                "rebuild it with `radscribe index build`"
            )

    def search(self, queries: Tensor, k: int = 1, related_ids: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The k nearest of each query: ``B x d, k, B or B x G -> distances B x k (float64), indices B x k (int64)``.

        Rows related to the query, by its ``related_ids``, are passed over. Equal distances are in the order of the
        database. Where fewer than k are left, the index is -1 and the distance infinite.

        Raises ``ValueError`` for ``related_ids`` where the index has none, or has other columns of them.
        """
        if related_ids is not None and self.related_ids is None:
            raise ValueError("a search with related_ids needs an index with related_ids")
        distances = torch.full((len(queries), k), torch.inf, dtype=torch.float64, device=queries.device)
        indices = torch.full((len(queries), k), -1, dtype=torch.int64, device=queries.device)
        if not len(self):
            return distances, indices
        shortlist = min(max(k, self.config.shortlist), len(self))
        size = max(1, _BLOCK // max(len(self), shortlist * self.embeddings.shape[-1]))
        for start in range(0, len(queries), size):
            block = slice(start, start + size)
            x = poincare.project(queries[block].double(), self.curvature)
            own_ids = None if related_ids is None else related_ids[block]
            search = self._search_exact if self._faiss is None else self._search_faiss
            found, order = search(x, shortlist, k, own_ids)
            distances[block, : found.shape[1]], indices[block, : found.shape[1]] = found, order
        return distances, indices

    def _search_exact(self, x: Tensor, shortlist: int, k: int, own_ids: Tensor | None) -> tuple[Tensor, Tensor]:
        bound = self._lower_bound(x)
        if own_ids is not None and self.related_ids is not None:
            bound.masked_fill_(are_related(own_ids, self.related_ids), torch.inf)
        nearest, candidates = bound.topk(shortlist, largest=False)
        distances, indices = self._rank(x, candidates, nearest.isinf(), k)
        # The key of the k-th found (up to its own rounding): whatever was left out and may lie within it is ranked too.
        half = (math.sqrt(self.curvature) / 2 * distances[:, -1]).sinh().square() * (1 + 1e-9)
        key = half / self.curvature * (1 - self.curvature * x.square().sum(-1))
        unsettled = (key >= nearest[:, -1]) & nearest[:, -1].isfinite() & (shortlist < len(self))
        for row in unsettled.nonzero().flatten().tolist():
            candidates = (bound[row] <= key[row]).nonzero().mT
            distances[row], indices[row] = self._rank(x[row : row + 1], candidates, torch.zeros_like(candidates), k)
        return distances, indices

    def _search_faiss(self, x: Tensor, shortlist: int, k: int, own_ids: Tensor | None) -> tuple[Tensor, Tensor]:
        _, found = self._faiss.search((x - self._center).float().cpu().numpy(), shortlist)
        candidates = torch.from_numpy(found).to(x.device)
        forbidden = candidates < 0
        if own_ids is not None and self.related_ids is not None:
            forbidden |= are_related(own_ids, self.related_ids).gather(1, candidates.clamp(min=0))
        return self._rank(x, candidates, forbidden, k)

    def _lift(self, embeddings: Tensor) -> Tensor:
        """``N x d -> N x (d + 2)``: the database's side of the inner product."""
        y = poincare.project(embeddings.double(), self.curvature)
        weight = 1 / (1 - self.curvature * y.square().sum(-1, keepdim=True))
        y = y - self._center
        return (weight * torch.cat((-2 * y, torch.ones_like(weight), y.square().sum(-1, keepdim=True)), -1)).float()

    def _lift_query(self, x: Tensor, slack: float) -> Tensor:
        """``B x d -> B x (d + 2)``: the query's side, squares scaled down by ``slack``."""
        x = x - self._center
        square = x.square().sum(-1, keepdim=True)
        return torch.cat((x, (1 - slack) * square, torch.full_like(square, 1 - slack)), -1)

    def _lower_bound(self, x: Tensor) -> Tensor:
        """A lower bound of the key of every pair, in float32: ``B x d -> B x N``."""
        # Worst rounding of a product of d + 2 terms, and of its inputs where torch may shorten them.
        shortened = {"highest": 0.0, "high": 2.0**-10, "medium": 2.0**-7}[torch.get_float32_matmul_precision()]
        slack = (x.shape[-1] + 8) * torch.finfo(torch.float32).eps + 4 * shortened
        with torch.autocast(x.device.type, enabled=False):
            return self._lift_query(x, slack).float() @ self._lifted.mT

    def _rank(self, x: Tensor, candidates: Tensor, forbidden: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The k nearest among candidates by direct difference in float64: ``B x d, B x m, B x m -> B x k each``."""
        candidates, order = candidates.sort(dim=1)
        forbidden = forbidden.bool().gather(1, order)
        pieces = torch.split(candidates, max(1, _BLOCK // (x.numel() or 1)), dim=1)
        distances = torch.cat([self._distance(x, piece) for piece in pieces], dim=1).masked_fill(forbidden, torch.inf)
        distances, order = distances.sort(dim=1, stable=True)
        indices = candidates.gather(1, order).masked_fill(distances.isinf(), -1)
        return distances[:, :k], indices[:, :k]

    def _distance(self, x: Tensor, candidates: Tensor) -> Tensor:
        """``B x d, B x m -> B x m``."""
        y = poincare.project(self.embeddings[candidates].double(), self.curvature)
        return poincare.distance(x.unsqueeze(1), y, self.curvature)

    def _build_faiss(self) -> Any:
        try:
            import faiss
        except ImportError:
            raise RadscribeError(
                "approximate index: faiss is not installed; `pip install radscribe[approximate]`"
            ) from None
        cells = min(self.config.cells or math.isqrt(len(self)), len(self))
        width = self.embeddings.shape[-1]
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(width), width, cells, faiss.METRIC_L2)
        index.nprobe = max(1, round(cells * self.config.probed))
        database = (self.embeddings.double() - self._center).float().cpu().numpy()
        index.train(database)
        index.add(database)
        return index
