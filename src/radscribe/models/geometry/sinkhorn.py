"""Entropic optimal transport by Sinkhorn's iterations, differentiated through the iterations.

``transport_plan`` gives the weights of REVTAF's transport attention (arXiv 2507.07568, Eq. 10); ``solve_transport``
gives the plans from which MCSAM's memory slots start (``models/knowledge/slots.py``).
"""

from __future__ import annotations

from itertools import count
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from radscribe.core.errors import RadscribeError

# Kernels whose entries span less than exp(60) leave room, in float32, for the scalings and for their products.
_KERNEL_SPAN = 60.0
# The logarithm of no mass: finite, so that differences of two of them are not NaN, and exp of it is exactly 0.
_LOG_EMPTY = -1e30


class ConvergenceError(RadscribeError):
    """The marginals were not met within the iterations allowed.

    ``error`` is the largest L1 distance of a marginal, ``tolerance`` the one asked for, ``iterations`` those spent.
    """

    def __init__(self, error: float, tolerance: float, iterations: int) -> None:
        super().__init__(
            f"transport plan: L1 marginal error {error:.3g} is above the tolerance {tolerance:.3g} after "
            f"{iterations} iterations; allow more iterations, or raise epsilon or the tolerance"
        )
        self.error, self.tolerance, self.iterations = error, tolerance, iterations


class Transport(NamedTuple):
    """A solved problem: plan = exp((row_potential + column_potential - cost) / epsilon), in float64."""

    plan: Tensor  # R x C
    row_potential: Tensor  # R, in units of the cost: it stays a good start when epsilon or a column's cost changes
    column_potential: Tensor  # C
    row_error: float  # L1 distance of the plan's row sums from their marginal, and so for the columns
    column_error: float
    iterations: int


@torch.no_grad()
def solve_transport(
    cost: Tensor,
    row_marginal: Tensor,
    column_marginal: Tensor,
    epsilon: float,
    iterations: int = 10_000,
    tolerance: float = 1e-3,
    row_potential: Tensor | None = None,
) -> Transport:
    """One problem to convergence, in the log domain and float64, without gradient: ``R x C, R, C -> Transport``.

    ``epsilon`` is in units of the cost. ``row_potential`` (R, in units of the cost): where to start, for instance a
    similar problem's. The columns' potentials follow from it in the first update, so that a column whose cost is new
    needs none. Stops once the L1 errors of both marginals are within ``tolerance``.

    Raises ``ConvergenceError`` where they are not after ``iterations``, and ``ValueError`` unless ``epsilon`` is
    positive and ``iterations`` at least 1.
    """
    _check_positive(epsilon, iterations)
    log_kernel = _log_kernel(cost.double(), column_marginal, epsilon).unsqueeze(0)
    row, column = row_marginal.double().unsqueeze(0), column_marginal.double().unsqueeze(0)
    start = None if row_potential is None else row_potential.double().unsqueeze(0) / epsilon
    f, g, used = _log_domain_potentials(log_kernel, row, column, 1.0, iterations, tolerance, start)
    plan = _log_domain_plan(log_kernel, f, g, column)[0]
    row_error, column_error = (
        float((plan.sum(axis) - marginal[0]).abs().sum()) for axis, marginal in ((1, row), (0, column))
    )
    return Transport(plan, epsilon * f[0], epsilon * g[0], row_error, column_error, used)


def transport_plan(
    cost: Tensor,
    row_marginal: Tensor,
    column_marginal: Tensor,
    epsilon: float,
    iterations: int = 20,
    tolerance: float | None = None,
    unbalanced: float | None = None,
) -> Tensor:
    """The plan T minimising <C, T> - epsilon H(T): ``... x R x C, ... x R, ... x C -> ... x R x C``.

    The last update is that of the rows, so that these sum exactly to ``row_marginal``. A column without mass gets
    exactly zero whatever its cost, and a problem whose columns have no mass at all gets a plan of zeros. The marginals
    broadcast over the leading axes of ``cost``; ``epsilon`` is in units of the cost.

    ``tolerance``: stop once the L1 errors of both marginals of every problem are within it; None runs all
    ``iterations``. ``unbalanced``: strength of a Kullback-Leibler penalty that replaces the constraint on the columns;
    the rows stay exact, and ``tolerance`` then bounds the mass that one more update would move.

    Raises ``ConvergenceError`` where ``tolerance`` is not met after ``iterations``, and ``ValueError`` unless
    ``epsilon`` and ``unbalanced`` are positive and ``iterations`` is at least 1.
    """
    _check_positive(epsilon, iterations, unbalanced)
    power = 1.0 if unbalanced is None else unbalanced / (unbalanced + epsilon)
    dtype = torch.promote_types(cost.dtype, torch.float32)
    *leading, rows, columns = cost.shape
    with torch.autocast(cost.device.type, enabled=False):
        log_kernel = _log_kernel(cost.to(dtype), column_marginal, epsilon).reshape(-1, rows, columns)
        row = row_marginal.to(dtype).expand(*leading, rows).reshape(-1, rows)
        column = column_marginal.to(dtype).expand(*leading, columns).reshape(-1, columns)
        highest, span = _span(log_kernel.detach())
        if span < _KERNEL_SPAN:
            # One shift for a whole problem changes no iterate: the scalings absorb it.
            kernel = (log_kernel - highest).exp()
            plan: Tensor = _ScalingPlan.apply(kernel, row, column, power, iterations, tolerance)  # type: ignore[no-untyped-call]
        else:
            f, g, _ = _log_domain_potentials(log_kernel, row, column, power, iterations, tolerance)
            plan = _log_domain_plan(log_kernel, f, g, column)
    return plan.view(cost.shape).to(cost.dtype)  # Eq. 10: the transport plan behind MPSA's weights


def _check_positive(epsilon: float, iterations: int, unbalanced: float | None = None) -> None:
    if not (epsilon > 0 and iterations >= 1 and (unbalanced is None or unbalanced > 0)):
        raise ValueError(f"epsilon {epsilon}, iterations {iterations} and unbalanced {unbalanced} must be positive")


def _log_kernel(cost: Tensor, column_marginal: Tensor, epsilon: float) -> Tensor:
    """-C / epsilon, and no kernel at all where a column has no mass."""
    return (cost / -epsilon).masked_fill((column_marginal <= 0).unsqueeze(-2), _LOG_EMPTY)


def _span(log_kernel: Tensor) -> tuple[Tensor, float]:
    """Largest entry of each problem, ``B x 1 x 1``, and the widest range of entries that carry mass."""
    if not log_kernel.numel():
        return log_kernel.new_zeros(()), 0.0
    highest = log_kernel.amax((-2, -1), keepdim=True)
    lowest = log_kernel.masked_fill(log_kernel == _LOG_EMPTY, torch.inf).amin((-2, -1), keepdim=True)
    return highest, float((highest - lowest).max())


def _converged(moved: Tensor, tolerance: float, step: int, iterations: int) -> bool:
    """Whether no problem would move more than ``tolerance``, given ``moved``: ``B x C``."""
    error = float(moved.abs().sum(-1).max()) if moved.numel() else 0.0
    if not error <= tolerance and step >= iterations:  # an error that is not a number never gets better
        raise ConvergenceError(error, tolerance, iterations)
    return error <= tolerance


def _log_domain_potentials(
    log_kernel: Tensor,
    row: Tensor,
    column: Tensor,
    power: float,
    iterations: int,
    tolerance: float | None,
    start: Tensor | None = None,
) -> tuple[Tensor, Tensor, int]:
    """The same iterations on logarithms, right for any epsilon, recorded step by step: f B x R, g B x C, steps."""
    log_row, log_column = (
        torch.where(marginal > 0, torch.where(marginal > 0, marginal, 1.0).log(), _LOG_EMPTY)
        for marginal in (row, column)
    )
    f, g = torch.zeros_like(row) if start is None else start, torch.zeros_like(column)
    for step in count():
        if step == iterations and tolerance is None:
            break
        log_sum = torch.logsumexp(log_kernel + f.unsqueeze(-1), dim=-2)
        g_next = power * (log_column - log_sum)
        if tolerance is not None and step:
            moved = torch.where(column > 0, (g_next + log_sum).exp() - (g + log_sum).exp(), 0.0)
            if _converged(moved.detach(), tolerance, step, iterations):
                break
        g = g_next
        f = log_row - torch.logsumexp(log_kernel + g.unsqueeze(-2), dim=-1)
    return f, g, step


def _log_domain_plan(log_kernel: Tensor, f: Tensor, g: Tensor, column: Tensor) -> Tensor:
    plan = (log_kernel + f.unsqueeze(-1) + g.unsqueeze(-2)).exp()
    return torch.where((column > 0).unsqueeze(-2), plan, 0.0)


def _reciprocal(x: Tensor) -> Tensor:
    """1 / x, and 0 where there is no mass."""
    return torch.where(x > 0, 1 / x, 0.0)


def _times(vector: Tensor, matrix: Tensor) -> Tensor:
    """``B x R, B x R x C -> B x C``; a row vector on the left is the batched product that the CPU library does well."""
    return torch.bmm(vector.unsqueeze(1), matrix).squeeze(1)


class _ScalingPlan(torch.autograd.Function):
    """v = (b / K'u)^power, u = a / Kv, plan = diag(u) K diag(v), with the exact gradient of the unrolled loop.

    Only the scalings are kept for the way back, and the gradient of K is gathered over all iterations by one matrix
    product: several times faster than recording each step.
    """

    @staticmethod
    def forward(
        ctx: Any,
        kernel: Tensor,  # B x R x C
        row: Tensor,  # B x R
        column: Tensor,  # B x C
        power: float,
        iterations: int,
        tolerance: float | None,
    ) -> Tensor:
        u, v = torch.ones_like(row), torch.zeros_like(column)
        # A share is 1 / Kv or 1 / K'u: the scaling before its marginal.
        us, vs, u_shares, v_shares = [u], list[Tensor](), list[Tensor](), list[Tensor]()
        for step in count():
            if step == iterations and tolerance is None:
                break
            column_sum = _times(u, kernel)
            v_share = _reciprocal(column_sum)
            v_next = column * v_share
            if power != 1:
                v_next = v_next**power
            moved = (v_next - v) * column_sum
            if tolerance is not None and step and _converged(moved, tolerance, step, iterations):
                break
            v = v_next
            u_share = _reciprocal(_times(v, kernel.mT))
            u = row * u_share
            for saved, value in ((us, u), (vs, v), (u_shares, u_share), (v_shares, v_share)):
                saved.append(value)
        ctx.power = power
        ctx.save_for_backward(kernel, row, column, *(torch.stack(saved) for saved in (us, vs, u_shares, v_shares)))
        return u.unsqueeze(-1) * kernel * v.unsqueeze(-2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_plan: Tensor) -> tuple[Tensor | None, ...]:
        kernel, row, column, us, vs, u_shares, v_shares = ctx.saved_tensors
        power: float = ctx.power
        weighted = grad_plan * kernel
        grad_u = _times(vs[-1], weighted.mT)
        grad_v = _times(us[-1], weighted)
        grad_log_row, grad_log_column = torch.zeros_like(grad_u), torch.zeros_like(grad_v)
        grad_row_sums, grad_column_sums = [], []
        for step in reversed(range(len(vs))):
            grad_log_u = grad_u * us[step + 1]
            grad_log_row += grad_log_u
            grad_row_sums.append(-grad_log_u * u_shares[step])  # through Kv
            grad_v = grad_v + _times(grad_row_sums[-1], kernel)
            grad_log_column += power * grad_v * vs[step]
            grad_column_sums.append(-power * grad_v * vs[step] * v_shares[step])  # through K'u
            grad_u, grad_v = _times(grad_column_sums[-1], kernel.mT), torch.zeros_like(grad_v)
        left = torch.cat((torch.stack(grad_row_sums[::-1]), us[:-1]))  # 2T x B x R
        right = torch.cat((vs, torch.stack(grad_column_sums[::-1])))  # 2T x B x C
        grad_kernel = torch.bmm(left.permute(1, 2, 0), right.transpose(0, 1))
        grad_kernel += us[-1].unsqueeze(-1) * grad_plan * vs[-1].unsqueeze(-2)
        return grad_kernel, grad_log_row * _reciprocal(row), grad_log_column * _reciprocal(column), None, None, None
