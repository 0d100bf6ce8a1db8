"""Transport plans against POT, against an autograd reference, and in their degenerate corners."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from radscribe.models.geometry.sinkhorn import ConvergenceError, solve_transport, transport_plan


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


def uniform(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    return torch.full((rows,), 1 / rows, dtype=torch.float64), torch.full((columns,), 1 / columns, dtype=torch.float64)


def alike(seed: int, rows: int = 40, columns: int = 8, width: int = 6) -> Tensor:
    """Cosine costs of studies and slots."""
    generator = torch.Generator().manual_seed(seed)
    sides = (torch.randn(size, width, dtype=torch.float64, generator=generator) for size in (rows, columns))
    a, b = (torch.nn.functional.normalize(side, dim=-1) for side in sides)
    return 1 - a @ b.T


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.1]))
def test_a_solved_transport_reports_what_its_plan_shows(seed: int, epsilon: float) -> None:
    cost, (row, column) = alike(seed).float(), uniform(40, 8)
    solved = solve_transport(cost, row, column, epsilon)
    assert solved.plan.dtype == torch.float64 and bool((solved.plan >= 0).all())
    assert 0 <= solved.row_error < 1e-9 and 0 < solved.column_error <= 1e-3
    assert solved.column_error == pytest.approx(float((solved.plan.sum(0) - column).abs().sum()), rel=1e-9)
    exponent = solved.row_potential[:, None] + solved.column_potential - cost.double()
    torch.testing.assert_close((exponent / epsilon).exp(), solved.plan)
    loose = transport_plan(cost.double(), row, column, epsilon, iterations=10_000, tolerance=1e-3)
    torch.testing.assert_close(solved.plan, loose, rtol=1e-9, atol=1e-14)


def test_a_solved_transport_equals_pot() -> None:
    ot = pytest.importorskip("ot")
    cost, (row, column) = alike(1), uniform(40, 8)
    plan = solve_transport(cost, row, column, 0.02, tolerance=1e-9).plan
    expected = ot.sinkhorn(row, column, cost, 0.02, method="sinkhorn_log", numItermax=10_000, stopThr=1e-10)
    torch.testing.assert_close(plan, expected, rtol=1e-5, atol=1e-9)


def test_permuting_rows_and_columns_permutes_the_plan() -> None:
    cost, marginals = alike(2), uniform(40, 8)
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.randperm(40, generator=generator), torch.randperm(8, generator=generator)
    permuted = solve_transport(cost[rows][:, columns], *marginals, 0.02).plan
    torch.testing.assert_close(permuted, solve_transport(cost, *marginals, 0.02).plan[rows][:, columns])


def test_much_entropy_gives_the_outer_product_and_little_the_linear_assignment() -> None:
    _, row, column = problem(3, batch=(1,))
    cost = problem(3, batch=(1,))[0][0]
    blurred = solve_transport(cost, row[0], column[0], 1e4, tolerance=1e-9).plan
    torch.testing.assert_close(blurred, row[0].unsqueeze(1) * column[0], rtol=1e-3, atol=0)
    cost = alike(4, rows=9, columns=9)
    sharp = solve_transport(cost, *uniform(9, 9), 1e-3).plan
    _, partner = linear_sum_assignment(cost)
    assert sharp.argmax(1).tolist() == partner.tolist()
    assert float(sharp.amax(1).sum()) > 0.98


def test_a_warm_start_gives_the_same_plan_in_fewer_iterations() -> None:
    cost, marginals = alike(5), uniform(40, 8)
    nearby = cost + 0.01 * alike(6)
    before = solve_transport(cost, *marginals, 0.02)
    cold, warm = (
        solve_transport(nearby, *marginals, 0.015, row_potential=start) for start in (None, before.row_potential)
    )
    again = solve_transport(nearby, *marginals, 0.015, row_potential=cold.row_potential)
    assert again.iterations == 1 and warm.iterations < cold.iterations
    exact = [
        solve_transport(nearby, *marginals, 0.015, tolerance=1e-10, row_potential=start).plan
        for start in (None, before.row_potential)
    ]
    torch.testing.assert_close(exact[0], exact[1], rtol=1e-5, atol=1e-10)


def test_a_column_whose_cost_is_new_restarts_from_the_rows() -> None:
    cost, marginals = alike(5), uniform(40, 8)
    before = solve_transport(cost, *marginals, 0.02)
    cost[:, 3] = 5 + alike(6)[:, 3]
    after = solve_transport(cost, *marginals, 0.02, row_potential=before.row_potential)
    assert after.column_error <= 1e-3 and float(after.column_potential[3] - before.column_potential[3]) > 4


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_transport_that_does_not_converge_is_an_error_with_the_numbers(value: float | None) -> None:
    """A cost that is not a number is one of them: it once went round for ever."""
    cost = alike(7)
    if value is not None:
        cost[0, 0] = value
    with pytest.raises(ConvergenceError, match=r"L1 marginal error .* above the tolerance 1e-09 after 3 it") as caught:
        solve_transport(cost, *uniform(40, 8), 0.01, iterations=3, tolerance=1e-9)
    assert caught.value.iterations == 3 and not caught.value.error <= 1e-9
    with pytest.raises(ValueError, match="must be positive"):
        solve_transport(cost, *uniform(40, 8), 0.0)
