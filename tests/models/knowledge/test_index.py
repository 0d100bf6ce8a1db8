"""The reference index against float64 brute force, where single precision fails too."""

import sys
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from radscribe.core.errors import RadscribeError
from radscribe.models.geometry import poincare
from radscribe.models.knowledge.index import IndexConfig, IndexConfigError, ReferenceIndex, StaleIndexError

CURVATURE = 0.01


def points(count: int, radius: float, seed: int, width: int = 64) -> Tensor:
    """Points within ``radius`` (in units of the curvature) of the origin, float64."""
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(count, width, generator=generator, dtype=torch.float64)
    direction /= direction.norm(dim=-1, keepdim=True)
    return 10 * direction * torch.tanh(radius / 2 * torch.rand(count, 1, generator=generator, dtype=torch.float64))


def near(centers: Tensor, count: int, gap: float, seed: int) -> Tensor:
    """``count`` points about ``gap`` away from randomly chosen centers, by translation in the ball."""
    generator = torch.Generator().manual_seed(seed)
    chosen = centers[torch.randint(len(centers), (count,), generator=generator)]
    step = gap * torch.randn(count, centers.shape[1], generator=generator, dtype=torch.float64)
    return poincare.mobius_add(chosen, step, CURVATURE)


def shell(count: int, radius: float, seed: int) -> Tensor:
    x = points(count, radius, seed)
    return 10 * x / x.norm(dim=-1, keepdim=True) * torch.tanh(torch.tensor(radius / 2, dtype=torch.float64))


SITUATIONS = {
    "spread": lambda: (points(3000, 6.0, 0), points(20, 6.0, 1)),
    "boundary": lambda: (shell(3000, 12.0, 2), shell(20, 12.0, 3)),
    "near duplicates": lambda: (near(shell(5, 6.0, 4), 3000, 0.01, 5), near(shell(5, 6.0, 4), 20, 0.01, 6)),
    "near duplicates at the boundary": lambda: (
        near(shell(5, 12.0, 7), 3000, 0.01, 8),
        near(shell(5, 12.0, 7), 20, 0.01, 9),
    ),
    "exact duplicates": lambda: (points(7, 6.0, 10).repeat(400, 1), points(20, 6.0, 11)),
    "one cluster": lambda: (shell(1, 6.0, 12) + 1e-4 * points(3000, 1.0, 13), shell(1, 6.0, 12).repeat(3, 1)),
}


def brute_force(queries: Tensor, database: Tensor, k: int) -> tuple[Tensor, Tensor]:
    distances = torch.stack([poincare.distance(query, database.double(), CURVATURE) for query in queries.double()])
    ordered, indices = distances.sort(dim=1, stable=True)
    return ordered[:, :k], indices[:, :k]


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shortlist", [1, 64])
def test_ranking_equals_float64_brute_force(situation: str, dtype: torch.dtype, shortlist: int) -> None:
    database, queries = (x.to(dtype) for x in SITUATIONS[situation]())
    index = ReferenceIndex(database, CURVATURE, "model", config=IndexConfig(shortlist=shortlist))
    distances, indices = index.search(queries, k=5)
    expected_distances, expected = brute_force(queries, database, 5)
    assert torch.equal(indices, expected)
    torch.testing.assert_close(distances, expected_distances)


def test_single_precision_alone_would_fail() -> None:
    """Why the index re-ranks: the same situations defeat one float32 matrix product."""
    database, queries = (x.float() for x in SITUATIONS["near duplicates at the boundary"]())
    lifted = poincare.lift(queries, CURVATURE, query=True) @ poincare.lift(database, CURVATURE).mT
    _, expected = brute_force(queries, database, 1)
    assert float((lifted.argmax(1) == expected[:, 0]).float().mean()) < 0.5


@pytest.fixture
def shortened_products() -> Iterator[None]:
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("shortened_products")
def test_ranking_holds_where_matrix_products_are_shortened() -> None:
    database, queries = SITUATIONS["spread"]()
    _, indices = ReferenceIndex(database, CURVATURE, "model").search(queries, k=5)
    assert torch.equal(indices, brute_force(queries, database, 5)[1])


def test_half_precision_storage_ranks_what_is_stored() -> None:
    database, queries = SITUATIONS["spread"]()
    stored = database.half()
    _, indices = ReferenceIndex(stored, CURVATURE, "model").search(queries, k=5)
    assert torch.equal(indices, brute_force(queries, stored, 5)[1])


def test_related_rows_are_passed_over_and_what_is_missing_is_marked() -> None:
    database = points(30, 3.0, 0)
    related_ids = torch.arange(30) // 3
    index = ReferenceIndex(database, CURVATURE, "model", related_ids=related_ids)
    distances, indices = index.search(database, k=30, related_ids=related_ids)
    for row in range(30):
        allowed = (related_ids != related_ids[row]).nonzero().flatten()
        order = poincare.distance(database[row], database[allowed], CURVATURE).argsort()
        assert torch.equal(indices[row, :27], allowed[order])
    assert bool((indices[:, 27:] == -1).all()) and bool(distances[:, 27:].isinf().all())
    narrow = ReferenceIndex(database, CURVATURE, "model", related_ids, IndexConfig(shortlist=1))
    assert torch.equal(narrow.search(database, 1, related_ids)[1], indices[:, :1])


def test_a_database_smaller_than_k_and_an_empty_one() -> None:
    database, queries = points(3, 3.0, 0), points(2, 3.0, 1)
    distances, indices = ReferenceIndex(database, CURVATURE, "model").search(queries, k=5)
    assert torch.equal(indices[:, :3], brute_force(queries, database, 3)[1])
    assert indices[:, 3:].tolist() == [[-1, -1]] * 2 and bool(distances[:, 3:].isinf().all())
    _, indices = ReferenceIndex(database[:0], CURVATURE, "model").search(queries)
    assert indices.tolist() == [[-1], [-1]]


def test_large_batches_are_searched_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radscribe.models.knowledge.index._BLOCK", 5000)
    database, queries = SITUATIONS["exact duplicates"]()
    _, indices = ReferenceIndex(database, CURVATURE, "model").search(queries, k=5)
    assert torch.equal(indices, brute_force(queries, database, 5)[1])


def test_a_stale_index_is_an_error_of_one_line_with_the_fix() -> None:
    index = ReferenceIndex(points(3, 3.0, 0), CURVATURE, "a" * 64)
    index.ensure_built_by("a" * 64)
    with pytest.raises(StaleIndexError, match="radscribe index build") as caught:
        index.ensure_built_by("b" * 64)
    assert isinstance(caught.value, RadscribeError) and "\n" not in str(caught.value)


def test_approximate_search_finds_most_neighbours_and_no_related_ones() -> None:
    pytest.importorskip("faiss")
    database, queries = near(points(40, 4.0, 0), 4000, 0.3, 1), near(points(40, 4.0, 0), 50, 0.3, 2)
    related_ids = torch.arange(4000) // 2
    index = ReferenceIndex(database, CURVATURE, "model", related_ids, IndexConfig(kind="approximate"))
    expected_distances, expected = brute_force(queries, database, 2)
    distances, indices = index.search(queries, k=2)
    found = indices[:, 0] == expected[:, 0]
    assert float(found.float().mean()) >= 0.9
    torch.testing.assert_close(distances[found, 0], expected_distances[found, 0])
    _, others = index.search(queries, k=1, related_ids=related_ids[indices[:, 0]])
    assert not bool((related_ids[others[:, 0]] == related_ids[indices[:, 0]]).any())


def test_approximate_search_without_faiss_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(RadscribeError, match=r"pip install radscribe\[approximate\]"):
        ReferenceIndex(points(3, 3.0, 0), CURVATURE, "model", config=IndexConfig(kind="approximate"))


@pytest.mark.parametrize("settings", [{"kind": "fast"}, {"shortlist": 0}, {"probed": 0.0}, {"cells": -1}])
def test_settings_out_of_range_are_named(settings: dict[str, object]) -> None:
    with pytest.raises(IndexConfigError, match=next(iter(settings))):
        IndexConfig(**settings)  # type: ignore[arg-type]
