"""The Poincaré ball of curvature -c: its maps, its distance and its lift to the hyperboloid.

``curvature`` is the positive c of REVTAF (arXiv 2507.07568, Eq. 3 and 4), a number or a 0-d tensor (then
differentiable); the ball has radius 1 / sqrt(c). Every function works along the last axis, broadcasts over the others,
and is written so that nothing cancels near the boundary. None raises errors of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

Curvature = float | Tensor


def _square_root(curvature: Curvature) -> Curvature:
    return curvature.sqrt() if isinstance(curvature, Tensor) else curvature**0.5


def _square_norm(x: Tensor) -> Tensor:
    """||x||^2: ``... x d -> ... x 1``."""
    return x.square().sum(-1, keepdim=True)


def _room(x: Tensor, curvature: Curvature) -> Tensor:
    """1 - c ||x||^2, kept positive: ``... x d -> ... x 1``."""
    return (1 - curvature * _square_norm(x)).clamp_min(torch.finfo(x.dtype).eps)


def project(x: Tensor, curvature: Curvature) -> Tensor:
    """Pull points at or beyond the boundary back inside the ball: ``... x d -> ... x d``.

    The margin of sqrt(machine epsilon) leaves half of the digits of 1 - c ||x||^2, on which every distance depends.
    """
    limit = (1 - torch.finfo(x.dtype).eps ** 0.5) / _square_root(curvature)
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    shrink: Tensor = limit / norm.clamp(min=limit)  # exactly 1 for inner points
    return x * shrink


def mobius_add(x: Tensor, y: Tensor, curvature: Curvature) -> Tensor:
    """Möbius addition x (+) y of points of the ball, Eq. 4 of REVTAF: ``... x d, ... x d -> ... x d``.

    The printed quotient, regrouped around s = x + y so that no term cancels when y is close to -x.
    """
    total = x + y
    excess = curvature * _square_norm(total)  # c ||s||^2
    room = _room(x, curvature)
    return project((room * total + excess * x) / (room * _room(y, curvature) + excess), curvature)  # Eq. 4


def exponential_map_at_zero(v: Tensor, curvature: Curvature) -> Tensor:
    """The point reached from the origin along the tangent vector v: ``... x d -> ... x d``."""
    # tanh(u) / u is 1 to machine precision below the clamp, so the clamp only removes 0 / 0.
    u: Tensor = _square_root(curvature) * torch.linalg.vector_norm(v, dim=-1, keepdim=True)
    u = u.clamp_min(torch.finfo(v.dtype).eps)
    return project(torch.tanh(u) / u * v, curvature)


def logarithm_map_at_zero(x: Tensor, curvature: Curvature) -> Tensor:
    """The tangent vector at the origin that points to x: ``... x d -> ... x d``."""
    epsilon = torch.finfo(x.dtype).eps
    u: Tensor = _square_root(curvature) * torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    u = u.clamp(epsilon, 1 - epsilon)
    return torch.atanh(u) / u * x


def mobius_matvec(weight: Tensor, x: Tensor, curvature: Curvature) -> Tensor:
    """The matrix ``weight`` (``e x d``) applied to points of the ball: ``... x d -> ... x e``."""
    return exponential_map_at_zero(logarithm_map_at_zero(x, curvature) @ weight.mT, curvature)


def _distance(gap: Tensor, room: Tensor, curvature: Curvature) -> Tensor:
    """Distance from the Euclidean gap ||x - y|| and the product of the two points' room, all of one shape."""
    root = _square_root(curvature)
    return torch.asinh(root * gap / room.sqrt()) * (2 / root)  # Eq. 3


def distance(x: Tensor, y: Tensor, curvature: Curvature) -> Tensor:
    """Geodesic distance between points of the ball, Eq. 3 of REVTAF, broadcast: ``... x d, ... x d -> ...``.

    With the sign that the paper dropped, (2 / sqrt c) artanh(sqrt c ||(-x) (+) y||), in its equal form with arsinh,
    which keeps its precision where artanh saturates.
    """
    gap = torch.linalg.vector_norm(x - y, dim=-1)
    room = (_room(x, curvature) * _room(y, curvature)).squeeze(-1)
    return _distance(gap, room, curvature)  # Eq. 3


def pairwise_distance(x: Tensor, y: Tensor, curvature: Curvature) -> Tensor:
    """Every distance (Eq. 3) between two sets of points, by one matrix product: ``B x d, N x d -> B x N``.

    The squared gap is a difference of large numbers, so it is taken in float64; what is left below the rounding of
    that difference counts as zero, and a zero distance passes a zero gradient.
    """
    with torch.autocast(x.device.type, enabled=False):
        a, b = x.double(), y.double()
        square_a, square_b = _square_norm(a), _square_norm(b).mT
        scale = square_a + square_b
        square_gap = scale - 2 * (a @ b.mT)
        apart = square_gap > 16 * torch.finfo(torch.float64).eps * scale
        gap = torch.where(apart, square_gap, 1.0).sqrt() * apart
        return _distance(gap, _room(a, curvature) * _room(b, curvature).mT, curvature).to(x.dtype)  # Eq. 3


def lift(x: Tensor, curvature: Curvature, *, query: bool = False) -> Tensor:
    """Coordinates on the hyperboloid: ``... x d -> ... x (d + 1)``, time first.

    With its time negated (``query=True``) a lifted query's inner product with a lifted point is
    -cosh(sqrt c * distance): the nearest neighbour is exactly the maximum inner product. Not in the paper.
    """
    room = _room(x, curvature)
    time = (2 - room) / room  # (1 + c ||x||^2) / (1 - c ||x||^2)
    return torch.cat((-time if query else time, 2 * _square_root(curvature) * x / room), dim=-1)
