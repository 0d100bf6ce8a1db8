"""Rows of like length computed together give what all give padded to the longest, and cost fewer positions."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from radscribe.models.decoding.padding import by_length


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 3), st.integers(1, 5))
def test_every_row_is_what_it_would_be_alone(given_lengths: list[int], beyond: int, parts: int) -> None:
    lengths, longest = torch.tensor(given_lengths), max(given_lengths) + beyond
    x = torch.randn(len(lengths), longest, 2)
    asked: list[tuple[int, int]] = []

    def compute(rows: Tensor, length: int) -> Tensor:
        asked.append((len(rows), length))
        return 2 * x[rows, :length]

    found = by_length(compute, lengths, longest, parts)
    assert found.shape == x.shape
    for row, length in enumerate(given_lengths):
        assert torch.equal(found[row, :length], 2 * x[row, :length])
    assert sum(rows for rows, _ in asked) == len(lengths) and len(asked) <= parts
    assert [length for _, length in asked] == sorted(length for _, length in asked)


def test_short_rows_do_not_pay_for_long_ones() -> None:
    lengths = torch.tensor([9, 1, 2, 1, 8, 2])
    positions: list[int] = []

    def compute(rows: Tensor, length: int) -> Tensor:
        positions.append(len(rows) * length)
        return torch.ones(len(rows), length, 1)

    by_length(compute, lengths, 9)
    assert positions == [2, 4, 18]
