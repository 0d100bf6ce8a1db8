"""The ball's maps and distances against geoopt, against their definitions and against each other."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radscribe.models.geometry import poincare

CURVATURES = [0.01, 0.3, 1.0]


def points(count: int, curvature: float, radius: float, seed: int = 0, width: int = 6) -> Tensor:
    """Float64 points at hyperbolic distances up to ``radius`` from the origin."""
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(count, width, generator=generator, dtype=torch.float64)
    direction /= direction.norm(dim=-1, keepdim=True)
    reach = radius * torch.rand(count, 1, generator=generator, dtype=torch.float64)
    return direction * torch.tanh(math.sqrt(curvature) * reach / 2) / math.sqrt(curvature)


def triples(curvature: float, seed: int, radius: float = 6.0) -> tuple[Tensor, Tensor, Tensor]:
    x, y, z = points(60, curvature, radius / math.sqrt(curvature), seed).chunk(3)
    return x, y, z


@pytest.mark.parametrize("curvature", CURVATURES)
def test_maps_and_distance_equal_geoopt(curvature: float) -> None:
    geoopt = pytest.importorskip("geoopt")
    ball = geoopt.PoincareBall(c=torch.tensor(curvature, dtype=torch.float64))  # a float would be kept in float32
    x, y, v = triples(curvature, seed=1)
    weight = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) / 4
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(poincare.distance(x, y, curvature), ball.dist(x, y), **close)
    torch.testing.assert_close(poincare.mobius_add(x, y, curvature), ball.mobius_add(x, y), **close)
    torch.testing.assert_close(poincare.exponential_map_at_zero(v, curvature), ball.expmap0(v), **close)
    torch.testing.assert_close(poincare.logarithm_map_at_zero(x, curvature), ball.logmap0(x), **close)
    torch.testing.assert_close(poincare.mobius_matvec(weight, x, curvature), ball.mobius_matvec(weight, x), **close)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_distance_is_the_corrected_equation_3(curvature: float) -> None:
    x, y, _ = triples(curvature, seed=3, radius=3.0)
    root = math.sqrt(curvature)
    written = 2 / root * torch.atanh(root * poincare.mobius_add(-x, y, curvature).norm(dim=-1))
    torch.testing.assert_close(poincare.distance(x, y, curvature), written, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_distance_is_exact_to_the_last_digits(curvature: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    c = mpmath.mpf(curvature)
    x, y, _ = triples(curvature, seed=1, radius=12.0)
    expected = []
    with mpmath.workdps(50):
        for a, b in zip(x.tolist(), y.tolist(), strict=True):
            pairs = [(mpmath.mpf(p), mpmath.mpf(q)) for p, q in zip(a, b, strict=True)]
            room = (1 - c * sum(p * p for p, _ in pairs)) * (1 - c * sum(q * q for _, q in pairs))
            gap = sum((p - q) ** 2 for p, q in pairs)
            expected.append(float(mpmath.acosh(1 + 2 * c * gap / room) / mpmath.sqrt(c)))
    exact = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(poincare.distance(x, y, curvature), exact, rtol=1e-11, atol=0)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(CURVATURES))
def test_distance_is_a_metric(seed: int, curvature: float) -> None:
    x, y, z = triples(curvature, seed)
    xy, yz, xz = (poincare.distance(a, b, curvature) for a, b in ((x, y), (y, z), (x, z)))
    assert torch.equal(poincare.distance(x, x, curvature), torch.zeros(20, dtype=torch.float64))
    assert torch.equal(xy, poincare.distance(y, x, curvature))
    assert bool((xz <= (xy + yz) * (1 + 1e-9)).all())


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(CURVATURES))
def test_translation_from_the_left_keeps_distances(seed: int, curvature: float) -> None:
    x, y, z = triples(curvature, seed, radius=3.0)
    moved = poincare.distance(poincare.mobius_add(z, x, curvature), poincare.mobius_add(z, y, curvature), curvature)
    torch.testing.assert_close(moved, poincare.distance(x, y, curvature), rtol=1e-7, atol=1e-7)
    back = poincare.mobius_add(-z, poincare.mobius_add(z, x, curvature), curvature)
    torch.testing.assert_close(back, x, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_exponential_and_logarithm_are_inverse_and_radial(curvature: float) -> None:
    v = torch.randn(20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    x = poincare.exponential_map_at_zero(v, curvature)
    torch.testing.assert_close(poincare.logarithm_map_at_zero(x, curvature), v)
    # A tangent vector at zero carries the metric factor 2: its point lies at twice its length.
    torch.testing.assert_close(poincare.distance(torch.zeros_like(x), x, curvature), 2 * v.norm(dim=-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("curvature", CURVATURES)
def test_pairwise_distance_equals_the_broadcast_one(curvature: float, dtype: torch.dtype) -> None:
    x, y, _ = triples(curvature, seed=5)
    exact = poincare.distance(x.to(dtype).double().unsqueeze(1), y.to(dtype).double().unsqueeze(0), curvature)
    pairwise = poincare.pairwise_distance(x.to(dtype), y.to(dtype), curvature)
    torch.testing.assert_close(pairwise.double(), exact, rtol=1e-6, atol=1e-6)


def test_gradients_are_right_and_finite_at_zero_distance() -> None:
    curvature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    x = points(4, 0.3, 3.0, seed=6).requires_grad_()
    y = points(3, 0.3, 3.0, seed=7).requires_grad_()
    weight = torch.randn(4, 6, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(poincare.pairwise_distance, (x, y, curvature))
    assert torch.autograd.gradcheck(lambda a, b, c: poincare.distance(a[:3], b, c), (x, y, curvature))
    assert torch.autograd.gradcheck(poincare.mobius_matvec, (weight, x, curvature))
    assert torch.autograd.gradcheck(lambda a, b, c: poincare.mobius_add(a[:3], b, c), (x, y, curvature))
    for dtype in (torch.float32, torch.float64):
        same = torch.cat((x, x[:2], torch.zeros(1, 6))).detach().to(dtype).requires_grad_()
        distances = poincare.pairwise_distance(same, same, 0.3)
        assert not distances[0, 4].any() and not distances.diagonal().any()
        distances.sum().backward()
        poincare.distance(same, same, 0.3).sum().backward()
        poincare.exponential_map_at_zero(poincare.logarithm_map_at_zero(same, 0.3), 0.3).sum().backward()
        assert same.grad is not None and bool(same.grad.isfinite().all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_projection_keeps_points_inside_and_leaves_inner_points_alone(dtype: torch.dtype) -> None:
    inner = points(10, 0.01, 50.0, seed=8).to(dtype)
    assert torch.equal(poincare.project(inner, 0.01), inner)
    outer = poincare.project(1e3 * inner, 0.01)
    assert bool((0.1 * outer.norm(dim=-1) < 1).all())
    torch.testing.assert_close(outer / outer.norm(dim=-1, keepdim=True), inner / inner.norm(dim=-1, keepdim=True))
    far = poincare.exponential_map_at_zero(1e4 * inner, 0.01)  # where tanh is exactly 1
    assert bool(poincare.pairwise_distance(far, -far, 0.01).isfinite().all())
    assert bool(poincare.mobius_add(far, -far, 0.01).isfinite().all())


@pytest.mark.parametrize("curvature", CURVATURES)
def test_lifted_inner_product_is_minus_cosh_of_the_distance(curvature: float) -> None:
    x, y, _ = triples(curvature, seed=9, radius=3.0)
    product = poincare.lift(x, curvature, query=True) @ poincare.lift(y, curvature).mT
    cosh = torch.cosh(math.sqrt(curvature) * poincare.pairwise_distance(x, y, curvature))
    torch.testing.assert_close(product, -cosh, rtol=1e-8, atol=1e-8)
    assert torch.equal(product.argmax(1), poincare.pairwise_distance(x, y, curvature).argmin(1))


def test_pairwise_distance_keeps_full_precision_under_autocast() -> None:
    x, y, _ = (part.float() for part in triples(0.01, seed=10))
    plain = poincare.pairwise_distance(x, y, 0.01)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(poincare.pairwise_distance(x, y, 0.01), plain)
