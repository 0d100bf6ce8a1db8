"""Transport plans against POT, against an autograd reference, and in their degenerate corners."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radscribe.geometry.sinkhorn import ConvergenceError, transport_plan


def problem(
    seed: int, batch: tuple[int, ...] = (3, 2), rows: int = 5, columns: int = 7, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    """Cost, row and column marginals; the marginals are shared by the second batch axis."""
    generator = torch.Generator().manual_seed(seed)
    cost = 2 * torch.rand(*batch, rows, columns, generator=generator, dtype=dtype)
    row, column = (torch.rand(*batch[:-1], 1, size, generator=generator, dtype=dtype) + 0.1 for size in (rows, columns))
    return cost, row / row.sum(-1, keepdim=True), column / column.sum(-1, keepdim=True)


def recorded_plan(cost: Tensor, row: Tensor, column: Tensor, epsilon: float, iterations: int, power: float) -> Tensor:
    """The textbook log-domain loop, differentiated by autograd."""
    kernel, f = -cost / epsilon, torch.zeros(cost.shape[:-1], dtype=cost.dtype)
    for _ in range(iterations):
        g = power * (column.log() - torch.logsumexp(kernel + f.unsqueeze(-1), -2))
        f = row.log() - torch.logsumexp(kernel + g.unsqueeze(-2), -1)
    return (kernel + f.unsqueeze(-1) + g.unsqueeze(-2)).exp()


# 0.05 runs on scalings, 0.005 (a span of 400) on logarithms.
@pytest.mark.parametrize("epsilon", [0.05, 0.005])
@pytest.mark.parametrize("unbalanced", [None, 0.3])
def test_plan_and_gradients_equal_the_recorded_loop(epsilon: float, unbalanced: float | None) -> None:
    inputs = tuple(tensor.requires_grad_() for tensor in problem(0))
    weight = torch.randn(3, 2, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    power = 1.0 if unbalanced is None else unbalanced / (unbalanced + epsilon)
    plan = transport_plan(*inputs, epsilon, iterations=20, unbalanced=unbalanced)
    expected = recorded_plan(*inputs, epsilon, 20, power)
    torch.testing.assert_close(plan, expected, rtol=1e-9, atol=1e-12)
    for ours, theirs in zip(
        torch.autograd.grad((plan * weight).sum(), inputs),
        torch.autograd.grad((expected * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("epsilon", [0.05, 0.01])
def test_single_precision_equals_double(epsilon: float) -> None:
    cost, row, column = problem(2)
    single = transport_plan(cost.float(), row.float(), column.float(), epsilon)
    torch.testing.assert_close(single.double(), transport_plan(cost, row, column, epsilon), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("epsilon", [0.5, 0.05])
def test_gradcheck(epsilon: float) -> None:
    inputs = tuple(tensor.requires_grad_() for tensor in problem(3, batch=(2,), rows=3, columns=4))
    assert torch.autograd.gradcheck(lambda *tensors: transport_plan(*tensors, epsilon, iterations=5), inputs)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([0.02, 0.1, 1.0]))
def test_plan_equals_pot(seed: int, epsilon: float) -> None:
    ot = pytest.importorskip("ot")
    cost, row, column = problem(seed, batch=(1,))
    plan = transport_plan(cost, row, column, epsilon, iterations=20_000, tolerance=1e-10)[0]
    expected = ot.sinkhorn(
        row[0], column[0], cost[0], epsilon, method="sinkhorn_log",
        numItermax=20_000, stopThr=1e-11,
    )  # fmt: skip
    torch.testing.assert_close(plan, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.filterwarnings("ignore:If reg_type = entropy")
@pytest.mark.parametrize("strength", [0.05, 1.0])
def test_unbalanced_plan_equals_pot(strength: float) -> None:
    ot = pytest.importorskip("ot")
    cost, row, column = problem(4, batch=(1,))
    plan = transport_plan(cost, row, column, 0.1, iterations=5000, tolerance=1e-12, unbalanced=strength)[0]
    expected = ot.unbalanced.sinkhorn_unbalanced(
        row[0], column[0], cost[0], 0.1, (float("inf"), strength), reg_type="entropy", numItermax=5000, stopThr=1e-13
    )
    torch.testing.assert_close(plan, expected, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(plan.sum(-1), row[0])
    assert float((plan.sum(-2) - column[0]).abs().sum()) > 1e-3


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.025]))
def test_plan_is_a_coupling(seed: int, epsilon: float) -> None:
    cost, row, column = problem(seed)
    plan = transport_plan(cost, row, column, epsilon, iterations=50_000, tolerance=1e-5)
    assert bool((plan >= 0).all())
    torch.testing.assert_close(plan.sum(-1), row.expand(3, 2, 5), rtol=1e-9, atol=1e-12)
    assert float((plan.sum(-2) - column).abs().sum(-1).max()) <= 1e-5 * (1 + 1e-6)


def test_published_settings_meet_the_columns_on_cosine_costs() -> None:
    generator = torch.Generator().manual_seed(5)
    unit = [torch.nn.functional.normalize(torch.randn(8, size, 64, generator=generator), dim=-1) for size in (49, 75)]
    row, column = torch.full((49,), 1 / 49), torch.full((75,), 1 / 75)
    plan = transport_plan(1 - unit[0] @ unit[1].mT, row, column, 0.05, 20)
    assert float((plan.sum(-2) - column).abs().sum(-1).max()) < 1e-4
    torch.testing.assert_close(plan.sum(-1), row.expand(8, 49), rtol=1e-5, atol=0)


@pytest.mark.parametrize("epsilon", [0.05, 0.005])
@pytest.mark.parametrize("unbalanced", [None, 0.3])
def test_columns_without_mass_get_exactly_nothing(epsilon: float, unbalanced: float | None) -> None:
    cost, row, column = problem(6)
    column[0, 0, 2] = 0
    column[1] = 0
    column = column / column.sum(-1, keepdim=True).clamp_min(1e-9)
    wild = cost.clone()
    wild[0, :, :, 2], wild[1] = float("nan"), float("inf")
    wild.requires_grad_(), row.requires_grad_(), column.requires_grad_()
    plan = transport_plan(wild, row, column, epsilon, unbalanced=unbalanced)
    assert not plan[0, :, :, 2].any() and not plan[1].any()
    keep = [0, 1, 3, 4, 5, 6]
    alone = transport_plan(cost[0, :, :, keep], row[0], column[0, :, keep], epsilon, unbalanced=unbalanced)
    torch.testing.assert_close(plan[0, :, :, keep], alone)
    plan.square().sum().backward()
    for tensor in (wild, row, column):
        assert tensor.grad is not None and bool(tensor.grad.isfinite().all())
    assert wild.grad is not None and not wild.grad[0, :, :, 2].any() and not wild.grad[1].any()


@pytest.mark.parametrize("epsilon", [0.05, 0.005])
def test_exhausted_iterations_are_an_error_with_the_numbers(epsilon: float) -> None:
    with pytest.raises(ConvergenceError, match="after 3 iterations") as caught:
        transport_plan(*problem(7), epsilon, iterations=3, tolerance=1e-9)
    assert caught.value.error > caught.value.tolerance == 1e-9


def test_a_constant_added_to_the_cost_changes_nothing() -> None:
    cost, row, column = problem(8, dtype=torch.float32)
    torch.testing.assert_close(
        transport_plan(cost + 100, row, column, 0.05), transport_plan(cost, row, column, 0.05), rtol=1e-3, atol=1e-6
    )


def test_half_precision_and_empty_batches() -> None:
    cost, row, column = problem(9)
    half = transport_plan(cost.bfloat16(), row.bfloat16(), column.bfloat16(), 0.05)
    assert half.dtype == torch.bfloat16 and bool(half.isfinite().all())
    assert transport_plan(cost[:0], row[:0], column[:0], 0.05).shape == (0, 2, 5, 7)
