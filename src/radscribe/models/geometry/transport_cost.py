"""The price of entropic transport between many pairs of distributions over one pair of supports.

It trains the topics from which MCSAM's memory may start (``models/knowledge/topics.py``).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from radscribe.models.geometry.sinkhorn import ConvergenceError

# Costs that span less than so many epsilon leave room, in float32, for the scalings and for their products.
LARGEST_SPAN = 60.0
# Iterations between two looks at the marginals.
_LOOK_EVERY = 5


def transport_cost(
    cost: Tensor, rows: Tensor, columns: Tensor, epsilon: float, iterations: int = 1000, tolerance: float = 0.005
) -> Tensor:
    """min <C, T> + epsilon KL(T | r c') over plans T of each pair of marginals: ``R x C, B x R, B x C -> B``.

    All pairs share ``cost``, so that an iteration is two matrix products. ``rows`` is positive, both have rows that sum
    to one. The gradient in ``cost`` and ``rows`` is that of the minimum (the plan, and the potentials), exact where the
    plan is: nothing is differentiated through the iterations. ``columns`` gets none. Stops once the L1 error of the
    row sums is within ``tolerance``; those of the columns are exact.

    Raises ``ConvergenceError`` where that is not reached after ``iterations`` or a price is not finite, and
    ``ValueError`` where the cost spans more than 60 epsilon, or ``epsilon`` is not positive and finite.
    """
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon {epsilon} must be positive and finite")
    with torch.autocast(cost.device.type, enabled=False):
        cost, rows, columns = cost.float(), rows.float(), columns.float()
        if (span := float(cost.detach().max() - cost.detach().min()) / epsilon) > LARGEST_SPAN * (1 + 1e-5):
            raise ValueError(
                f"the cost spans {span:.0f} epsilon, at most {LARGEST_SPAN:.0f} are possible; raise epsilon"
            )
        price: Tensor = _TransportCost.apply(cost, rows, columns, epsilon, iterations, tolerance)  # type: ignore[no-untyped-call]
    return price


class _TransportCost(torch.autograd.Function):
    """u = r / Kv, v = c / K'u; the plan is diag(u) K diag(v)."""

    @staticmethod
    def forward(
        ctx: Any,
        cost: Tensor,  # R x C
        rows: Tensor,  # B x R
        columns: Tensor,  # B x C
        epsilon: float,
        iterations: int,
        tolerance: float,
    ) -> Tensor:
        lowest = cost.min()
        kernel = ((lowest - cost) / epsilon).exp()
        v_sums = columns @ kernel.T  # B x R: Kv, v beginning as the marginal itself
        for step in range(1, iterations + 1):
            u = rows / v_sums
            u_sums = u @ kernel
            v = columns / u_sums
            v_sums = v @ kernel.T
            if step % _LOOK_EVERY == 0 or step == iterations:
                error = float((u * v_sums - rows).abs().sum(1).max()) if len(rows) else 0.0
                if error <= tolerance:
                    break
        else:
            raise ConvergenceError(error, tolerance, iterations)
        # T = r c' exp((f + g - C) / epsilon), with u = r exp(f / epsilon) and v = c exp(g / epsilon).
        f, g = -epsilon * v_sums.log(), -epsilon * u_sums.log()
        ctx.save_for_backward(kernel, u, v, f)
        price = (rows * f).sum(1) + (columns * g).sum(1) + lowest
        if not price.isfinite().all():  # a row without mass, or one beyond float32
            raise ConvergenceError(math.nan, tolerance, step)
        return price

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        kernel, u, v, f = ctx.saved_tensors
        return kernel * ((grad.unsqueeze(1) * u).T @ v), grad.unsqueeze(1) * f, None, None, None, None
