"""The retrieval network, its ranking loss and the choice of training references."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radscribe.models.geometry import poincare
from radscribe.models.knowledge.retrieval import (
    HyperbolicNetwork,
    RetrievalConfig,
    RetrievalConfigError,
    choose_references,
    label_distance,
    noisy,
    ranking_loss,
)

SMALL = RetrievalConfig(input_width=12, width=16)


def states(count: int, seed: int = 0, kinds: int = 4) -> Tensor:
    return torch.randint(kinds, (count, 18), generator=torch.Generator().manual_seed(seed))


def test_network_follows_the_textbook_hyperbolic_layers() -> None:
    geoopt = pytest.importorskip("geoopt")
    torch.manual_seed(0)
    network = HyperbolicNetwork(SMALL).double()
    for layer in network.layers:
        torch.nn.init.normal_(layer.bias, std=0.1)  # type: ignore[arg-type]
    ball = geoopt.PoincareBall(c=torch.tensor(SMALL.curvature, dtype=torch.float64))
    presence = torch.rand(5, 12, dtype=torch.float64)
    x = ball.expmap0(presence)
    for layer in network.layers:
        x = ball.mobius_add(ball.mobius_matvec(layer.weight, x), ball.expmap0(layer.bias))
        x = ball.expmap0(torch.relu(ball.logmap0(x)))
    torch.testing.assert_close(network(presence), x, rtol=1e-7, atol=1e-9)


def test_network_starts_as_specified_and_stays_in_the_ball() -> None:
    torch.manual_seed(0)
    network = HyperbolicNetwork(RetrievalConfig())
    assert sorted(network.state_dict()) == [f"layers.{i}.{name}" for i in (0, 1) for name in ("bias", "weight")]
    first = network.layers[0].weight
    assert isinstance(first, Tensor) and first.shape == (512, 75)
    assert float(first.detach().std()) == pytest.approx(math.sqrt(2) * math.sqrt(2 / (512 + 75)), rel=0.02)
    assert not any(parameter.any() for name, parameter in network.named_parameters() if name.endswith("bias"))
    for presence in (torch.rand(4, 75), torch.zeros(4, 75), torch.ones(4, 75)):
        points = network(presence)
        assert points.shape == (4, 512) and bool((points.norm(dim=-1) < 10).all())
        network.zero_grad()
        poincare.pairwise_distance(points, points, network.curvature).sum().backward()
        assert all(bool(p.grad.isfinite().all()) for p in network.parameters() if p.grad is not None)


def test_learnable_curvature_starts_at_the_setting_and_learns() -> None:
    torch.manual_seed(0)
    config = RetrievalConfig(input_width=12, width=16, learnable_curvature=True)
    network = HyperbolicNetwork(config)
    assert network.log_curvature.detach().exp() == pytest.approx(0.01)
    embeddings = network(torch.rand(6, 12))
    loss = ranking_loss(embeddings, embeddings, states(6), torch.arange(6), config, network.curvature)
    loss.backward()
    assert network.log_curvature.grad is not None and float(network.log_curvature.grad) != 0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_label_distance_counts_differing_bits(seed: int) -> None:
    a, b = states(5, seed), states(7, seed + 1)
    bits_a, bits_b = (torch.nn.functional.one_hot(x, 4).flatten(1).bool() for x in (a, b))
    expected = (bits_a.unsqueeze(1) ^ bits_b.unsqueeze(0)).sum(-1)
    assert torch.equal(label_distance(a.to(torch.uint8), b.to(torch.uint8)).long(), expected)


def points(count: int, seed: int = 0) -> Tensor:
    return poincare.exponential_map_at_zero(
        torch.randn(count, 16, generator=torch.Generator().manual_seed(seed)), SMALL.curvature
    )


@pytest.mark.parametrize("target", ["multi", "single"])
@pytest.mark.parametrize("placed", [points(8), points(8, seed=1)])  # as they search, or elsewhere
def test_ranking_loss_row_by_row(placed: Tensor, target: Any) -> None:
    config = RetrievalConfig(input_width=12, width=16, temperature=0.7, target=target)
    embeddings, labels, related_ids = points(8), states(8, kinds=2), torch.tensor([0, 0, 1, 2, 3, 4, 5, 6])
    labels[2], labels[5] = labels[3], labels[3]  # ties: rows 2, 3 and 5 have two nearest
    terms = []
    for row in range(8):
        others = [other for other in range(8) if related_ids[other] != related_ids[row]]
        hamming = [int((labels[row] != labels[other]).sum()) for other in others]
        shares = torch.stack(
            [-poincare.distance(embeddings[row], placed[other], config.curvature) / 0.7 for other in others]
        ).log_softmax(0)
        nearest = [place for place, value in enumerate(hamming) if value == min(hamming)]
        nearest = nearest[:1] if target == "single" else nearest
        terms.append(-shares[nearest].mean())
    loss = ranking_loss(embeddings, placed, labels, related_ids, config, config.curvature)
    torch.testing.assert_close(loss, torch.stack(terms).mean(), rtol=1e-4, atol=1e-5)


def test_ranking_loss_falls_as_a_pair_of_like_labels_moves_closer() -> None:
    """Pairs of like labels, all equally far from everything; the first pair closes up around its middle."""
    labels = states(3).repeat_interleave(2, dim=0)
    losses = []
    for gap in (1.0, 0.7, 0.4, 0.1):
        embeddings = 0.5 * torch.eye(6)
        middle = embeddings[:2].mean(0)
        embeddings[:2] = middle + gap * (embeddings[:2] - middle)
        losses.append(float(ranking_loss(embeddings, embeddings, labels, torch.arange(6), SMALL, 0.01)))
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]


def test_views_of_one_patient_are_no_candidates_of_each_other() -> None:
    """Two views of one patient, and another patient to whom both are equally near by labels."""
    embeddings, labels = points(3), states(3)
    labels[1] = labels[0]
    loss = ranking_loss(embeddings, embeddings, labels, torch.tensor([0, 0, 1]), SMALL, 0.01)
    distances = poincare.pairwise_distance(embeddings, embeddings, 0.01)
    expected = -(-distances[2, :2]).log_softmax(0).mean() / 3  # either view has one candidate: no cost
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("count", [1, 3])
def test_without_candidates_the_loss_is_zero_and_trainable(count: int) -> None:
    embeddings = points(count).requires_grad_()
    loss = ranking_loss(embeddings, embeddings, states(count), torch.zeros(count).long(), SMALL, 0.01)
    loss.backward()
    assert float(loss.detach()) == 0 and embeddings.grad is not None and not embeddings.grad.any()


def test_a_row_without_candidates_is_skipped() -> None:
    """Of three studies, none of the first patient's two may choose the other; all still have the third."""
    embeddings, labels = points(3).requires_grad_(), states(3)
    loss = ranking_loss(embeddings, embeddings, labels, torch.tensor([0, 0, 1]), SMALL, 0.01)
    loss.backward()
    assert bool(loss.isfinite()) and embeddings.grad is not None and bool(embeddings.grad.isfinite().all())


def test_references_are_nearest_of_another_patient_and_drawn_among_ties() -> None:
    database = states(40, kinds=2)
    database[10:20] = database[0]
    related_ids = torch.arange(40) // 2
    queries, query_ids = database[:12], related_ids[:12]
    draws = torch.stack(
        [
            choose_references(queries, query_ids, database, related_ids, torch.Generator().manual_seed(seed))
            for seed in range(200)
        ]
    )
    hamming = label_distance(queries, database).masked_fill(query_ids[:, None] == related_ids, torch.inf)
    for query in range(12):
        nearest = (hamming[query] == hamming[query].min()).nonzero().flatten()
        assert torch.equal(draws[:, query].unique(), nearest)
    assert len(draws[:, 0].unique()) == 10
    again = choose_references(queries, query_ids, database, related_ids, torch.Generator().manual_seed(7))
    assert torch.equal(again, draws[7])


def test_references_of_one_source_are_of_it_though_another_has_nearer_ones() -> None:
    database, related_ids = states(40, kinds=2), torch.arange(40)
    sources = torch.arange(40) % 2
    database[1::2] = database[0]  # the odd ones are all alike
    generator = torch.Generator().manual_seed(0)
    chosen = choose_references(database, related_ids, database, related_ids, generator, (sources, sources))
    assert torch.equal(sources[chosen], sources)
    anywhere = choose_references(database, related_ids, database, related_ids, generator)
    assert not torch.equal(sources[anywhere], sources)
    alone = choose_references(
        database[:1], related_ids[:1], database, related_ids, generator, (torch.tensor([9]), sources)
    )
    assert alone.tolist() == [-1]


def test_reference_is_missing_where_only_the_own_patient_is_left() -> None:
    generator = torch.Generator().manual_seed(0)
    database, related_ids = states(3), torch.tensor([5, 5, 5])
    assert choose_references(database[:2], torch.tensor([5, 6]), database, related_ids, generator)[0] == -1
    empty = choose_references(database[:2], torch.tensor([5, 6]), database[:0], related_ids[:0], generator)
    assert empty.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("width", 0), ("layers", 0), ("curvature", 0.0), ("temperature", -1.0), ("target", "all"), ("pool", -1)],
)
def test_settings_out_of_range_are_named(setting: str, value: object) -> None:
    with pytest.raises(RetrievalConfigError, match=setting):
        RetrievalConfig(**{setting: value})  # type: ignore[arg-type]


def test_noise_moves_probabilities_and_keeps_them_probabilities() -> None:
    presence = torch.tensor([0.0, 1e-6, 0.3, 0.5, 1.0]).expand(4000, 5)
    assert torch.equal(noisy(presence, 0.0), presence)
    moved = noisy(presence, 0.8)
    assert bool(((moved >= 0) & (moved <= 1)).all())
    deviation = torch.logit(moved[:, 2:4].double()).std(0)
    torch.testing.assert_close(deviation, torch.full((2,), 0.8, dtype=torch.double), rtol=0.05, atol=0)
