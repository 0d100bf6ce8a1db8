"""The one nearest-neighbour search by cosine, of films, sentences and slots."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from radscribe.models.knowledge import nearest as nearest_module
from radscribe.models.knowledge.nearest import nearest


def rows(count: int, seed: int) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))


def test_the_nearest_are_those_of_a_full_sort_whatever_the_length_of_the_query() -> None:
    queries, keys = rows(7, 0), normalize(rows(20, 1), dim=-1)
    values, indices = nearest(3 * queries, keys, 4)
    cosines, order = (normalize(queries, dim=-1) @ keys.T).sort(dim=1, descending=True)
    assert torch.equal(indices, order[:, :4])
    torch.testing.assert_close(values, cosines[:, :4])


def test_kin_are_passed_over_and_none_left_is_minus_one() -> None:
    keys = normalize(rows(3, 2), dim=-1)
    related_ids = torch.tensor([[0, 0], [0, 1], [1, 1]])
    values, indices = nearest(keys, keys, 2, (related_ids, related_ids))
    assert indices.tolist() == [[2, -1], [-1, -1], [0, -1]]
    torch.testing.assert_close(values[0, 0], keys[0] @ keys[2])
    assert values[:, 1].tolist() == [-torch.inf] * 3
    assert nearest(keys, keys, 1)[1].flatten().tolist() == [0, 1, 2]


def test_more_asked_for_than_there_are() -> None:
    values, indices = nearest(rows(2, 3), normalize(rows(1, 4), dim=-1), 3)
    assert indices.tolist() == [[0, -1, -1]] * 2 and bool(values[:, 1:].isinf().all())
    assert nearest(rows(2, 3), torch.empty(0, 5), 1)[1].tolist() == [[-1], [-1]]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, keys, related_ids = rows(7, 5), normalize(rows(9, 6), dim=-1), torch.arange(9) % 3
    whole = nearest(queries, keys, 4, (related_ids[:7], related_ids))
    monkeypatch.setattr(nearest_module, "_BLOCK", 20)
    for ours, theirs in zip(nearest(queries, keys, 4, (related_ids[:7], related_ids)), whole, strict=True):
        torch.testing.assert_close(ours, theirs)
