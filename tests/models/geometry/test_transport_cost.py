"""The price of transport over one shared cost: POT's, with the gradient of the minimum."""

from __future__ import annotations

import numpy as np
import ot
import pytest
import torch
from torch import Tensor

from radscribe.models.geometry.sinkhorn import ConvergenceError
from radscribe.models.geometry.transport_cost import transport_cost


def problem(pairs: int = 3, rows: int = 5, columns: int = 7, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    cost = 2 * torch.rand(rows, columns, generator=random)
    of_rows = torch.rand(pairs, rows, generator=random).add(0.05)
    of_columns = torch.rand(pairs, columns, generator=random)
    of_columns[0, :2] = 0  # words that a report does not have
    return cost, of_rows / of_rows.sum(1, keepdim=True), of_columns / of_columns.sum(1, keepdim=True)


@pytest.mark.parametrize("epsilon", [0.05, 0.3, 5.0])
def test_the_price_of_each_pair_is_pots(epsilon: float) -> None:
    cost, rows, columns = problem()
    found = transport_cost(cost, rows, columns, epsilon, 20_000, 1e-6)
    for row, column, price in zip(rows.double().numpy(), columns.double().numpy(), found.tolist(), strict=True):
        plan = ot.sinkhorn(row / row.sum(), column / column.sum(), cost.double().numpy(), epsilon, stopThr=1e-12)
        even = row[:, None] * column
        relative = np.where(plan > 0, plan * np.log(np.maximum(plan, 1e-300) / np.maximum(even, 1e-300)), 0).sum()
        assert price == pytest.approx((plan * cost.numpy()).sum() + epsilon * relative, abs=2e-5)


def test_the_gradient_is_that_of_the_price() -> None:
    cost, rows, columns = problem()
    logits = rows.log().requires_grad_()
    cost.requires_grad_()

    def price() -> Tensor:
        return transport_cost(cost, logits.softmax(1), columns, 0.1, 20_000, 1e-6) @ torch.tensor([1.0, -2.0, 0.5])

    price().backward()  # type: ignore[no-untyped-call]
    step = 1e-2
    for value, gradient in ((cost, cost.grad), (logits, logits.grad)):
        assert gradient is not None
        for at in np.ndindex(*value.shape):
            with torch.no_grad():
                before = value[at].clone()
                value[at] = before + step
                above = price()
                value[at] = before - step
                slope = (above - price()) / (2 * step)
                value[at] = before
            assert float(gradient[at]) == pytest.approx(float(slope), abs=2e-3)


def test_equal_rows_of_a_cost_share_their_price_and_a_constant_adds_to_it() -> None:
    cost, rows, columns = problem()
    torch.testing.assert_close(
        transport_cost(cost + 0.7, rows, columns, 0.1, 20_000, 1e-6),
        transport_cost(cost, rows, columns, 0.1, 20_000, 1e-6) + 0.7,
        rtol=0,
        atol=1e-5,
    )
    order = torch.tensor([3, 1, 0, 4, 2])
    torch.testing.assert_close(
        transport_cost(cost[order], rows[:, order], columns, 0.1), transport_cost(cost, rows, columns, 0.1)
    )


def test_what_cannot_be_solved_is_refused() -> None:
    cost, rows, columns = problem()
    with pytest.raises(ConvergenceError, match="after 1 iterations"):
        transport_cost(cost, rows, columns, 0.05, 1, 1e-9)
    with pytest.raises(ValueError, match="at most 60"):
        transport_cost(cost, rows, columns, 0.001)
    with pytest.raises(ValueError, match="must be positive"):
        transport_cost(cost, rows, columns, 0.0)
