"""The first values of the memory bank: balance, no dead or duplicate slots, and what they may depend on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize

from radscribe.core.errors import RadscribeError
from radscribe.models.geometry.sinkhorn import ConvergenceError, solve_transport
from radscribe.models.knowledge import slots as slots_module
from radscribe.models.knowledge.nearest import nearest
from radscribe.models.knowledge.slots import Mode, Slots, SlotsConfig, initial_slots

# Topics are made of words, not of embeddings of studies: test_topics.py.
MODES = tuple(mode for mode in get_args(Mode) if mode != "ot_topic")


def studies(
    count: int = 160, shares: tuple[float, ...] = (1.0,) * 8, width: int = 16, noise: float = 0.4, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Images, texts (a constant apart, as those of contrastive encoders are) and planted orthogonal directions."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return normalize(torch.randn(*shape, generator=generator), dim=-1)

    clusters = torch.linalg.qr(draw(width, width)).Q[: len(shares)]
    planted = torch.multinomial(torch.tensor(shares), count, replacement=True, generator=generator)
    images, texts = (
        normalize(clusters[planted] + 0.5 * draw(1, width) + noise * draw(count, width), dim=-1) for _ in range(2)
    )
    return images, texts, clusters


def found(images: Tensor, texts: Tensor, seed: int = 0, strata: Tensor | None = None, **settings: Any) -> Slots:
    return initial_slots(images, texts, replace(SlotsConfig(count=8), **settings), seed, strata)


def entropy(usage: Tensor) -> float:
    return float(torch.special.entr(usage).sum())


@pytest.mark.parametrize("mode", MODES)
def test_slots_are_distinct_unit_rows_that_are_all_used(mode: Mode) -> None:
    images, texts, _ = studies(shares=(20.0, *(1.0,) * 7))
    made = found(images, texts, mode=mode)
    assert made.vectors.shape == (8, 16) and made.vectors.dtype == torch.float32
    torch.testing.assert_close(made.vectors.norm(dim=1), torch.ones(8))
    assert float((made.vectors @ made.vectors.T).fill_diagonal_(-1).max()) <= 0.999
    assert float(made.usage.sum()) == pytest.approx(1)
    assert mode == "random" or bool((made.usage > 0).all())
    assert (made.studies, made.sampled) == (160, False)
    again, other = found(images, texts, mode=mode), found(images, texts, seed=1, mode=mode)
    assert torch.equal(made.vectors, again.vectors) and not torch.equal(made.vectors, other.vectors)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_stored_beside_the_slots_is_that_of_their_own_last_plan(mode: Mode) -> None:
    images, texts, _ = studies(shares=(20.0, *(1.0,) * 7))
    made = found(images, texts, mode=mode)
    if mode in ("kmeans", "random"):
        assert (made.row_error, made.column_error, made.iterations) == (None, None, 0)
        choice = nearest((images + texts) / 2, made.vectors, 1)[1].flatten()
    else:
        assert made.row_error is not None and made.column_error is not None
        assert made.row_error < 1e-9 and made.column_error <= 1e-3 and made.iterations >= 11
        cost = 1 - (images @ made.vectors.T + texts @ made.vectors.T) / 2
        choice = solve_transport(cost, torch.full((160,), 1 / 160), torch.full((8,), 1 / 8), 0.01).plan.argmax(1)
    # Both plans are within the tolerance, and not the same.
    torch.testing.assert_close(made.usage, choice.bincount(minlength=8) / 160, rtol=0, atol=2 / 160)


def test_transport_uses_the_slots_more_evenly_than_the_nearest_neighbour_does() -> None:
    images, texts, _ = studies(400, shares=(40.0, *(1.0,) * 7))
    entropies = {mode: entropy(found(images, texts, mode=mode).usage) for mode in MODES}
    assert min(entropies["ot_joint"], entropies["ot_match"]) > max(entropies["kmeans"], entropies["random"]) + 0.1


@pytest.mark.parametrize("seed", range(4))
def test_planted_cross_modal_clusters_are_recovered(seed: int) -> None:
    images, texts, clusters = studies(320, seed=seed, noise=0.6)
    slots = found(images, texts, seed).vectors
    likeness, which = nearest(clusters - clusters.mean(0), normalize(slots - slots.mean(0), dim=1), 1)
    assert sorted(which.flatten().tolist()) == list(range(8)) and float(likeness.min()) > 0.9


def test_each_slot_of_k_means_is_the_mean_direction_of_the_pairs_nearest_to_it() -> None:
    images, texts, _ = studies(noise=1)
    slots, pairs = found(images, texts, mode="kmeans").vectors, normalize(images + texts, dim=1)
    which = (pairs @ slots.T).argmax(1)
    means = torch.stack([normalize(pairs[which == slot].mean(0), dim=0) for slot in range(8)])
    torch.testing.assert_close(slots, means)


def test_matched_centroids_are_those_of_the_linear_assignment() -> None:
    images, texts, _ = studies()
    generator, config = torch.Generator().manual_seed(3), SlotsConfig(count=8, mode="ot_match")
    a, b = (slots_module._clusters(rows, config, generator, "rows")[0] for rows in (images, texts))
    _, partner = linear_sum_assignment(1 - a @ b.T)
    expected = normalize(a + b[torch.from_numpy(partner)], dim=1)
    made = slots_module._matched(images, texts, config, torch.Generator().manual_seed(3))
    torch.testing.assert_close(made, expected)
    assert partner.tolist() != list(range(8))


def test_the_pairs_matter() -> None:
    images, texts, clusters = studies(320)
    shuffled = texts[torch.randperm(320, generator=torch.Generator().manual_seed(0))]
    paired, mixed = (found(images, other, mode="ot_joint").vectors for other in (texts, shuffled))
    assert float(nearest(clusters, paired, 1)[0].min()) > float(nearest(clusters, mixed, 1)[0].min()) + 0.1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at_most", [50_000, 100])
def test_the_order_of_the_studies_does_not_matter(mode: Mode, at_most: int) -> None:
    images, texts, _ = studies()
    images[:40], texts[40:80] = images[0], texts[0]
    order = torch.randperm(160, generator=torch.Generator().manual_seed(1))
    made, permuted = (
        found(images[rows], texts[rows], mode=mode, at_most=at_most) for rows in (torch.arange(160), order)
    )
    assert torch.equal(made.vectors, permuted.vectors) and torch.equal(made.usage, permuted.usage)


def test_a_subset_keeps_the_share_of_each_stratum_and_follows_the_seed() -> None:
    images, texts, _ = studies(320)
    strata = torch.tensor([5] * 200 + [2] * 80 + [7] * 40)
    rows = [
        slots_module._studies_used(images, texts, 64, torch.Generator().manual_seed(seed), strata) for seed in (0, 0, 1)
    ]
    assert strata[rows[0]].unique(return_counts=True)[1].tolist() == [16, 40, 8]
    assert len(rows[0].unique()) == 64
    assert torch.equal(rows[0], rows[1]) and not torch.equal(rows[0].sort().values, rows[2].sort().values)
    made = found(images, texts, strata=strata, at_most=64)
    assert (made.studies, made.sampled) == (64, True)
    assert torch.equal(made.vectors, found(images, texts, strata=strata, at_most=64).vectors)


def test_too_few_studies_and_too_few_distinct_pairs_name_what_is_possible() -> None:
    images, texts, _ = studies()
    with pytest.raises(RadscribeError, match="8 slots need 32 training studies, found 31; at most 7 slots"):
        found(images[:31], texts[:31])
    # 5 pairs, each with 31 all but identical copies.
    near = [normalize(rows[:5].repeat(32, 1) + 1e-4 * torch.randn(160, 16), dim=1) for rows in (images, texts)]
    with pytest.raises(RadscribeError, match=r"distinct pairs of image and report .* at most 5 slots are possible"):
        found(*near)
    with pytest.raises(RadscribeError, match=r"distinct reports .* found 5"):
        found(images, near[1], mode="ot_match")
    made = found(*near, count=5)
    assert bool((made.usage > 0).all()) and float((made.vectors @ made.vectors.T).triu(1).max()) <= 0.999


def test_a_big_heap_of_identical_pairs_leaves_no_slot_dead_or_double() -> None:
    """Equal masses would put 6 of 8 slots on the heap: all but one have to go elsewhere, each to one study."""
    images, texts, _ = studies()
    images[:120], texts[:120] = images[0], texts[0]
    made = found(images, texts)
    assert bool((made.usage > 0).all()) and float((made.vectors @ made.vectors.T).triu(1).max()) <= 0.999
    assert made.reseeded >= 3 and found(*studies()[:2]).reseeded == 0


def test_slots_that_cannot_be_kept_apart_are_an_error_with_the_numbers() -> None:
    images, texts, _ = studies(noise=20)
    images, texts = (normalize(images[:1] + 0.06 * rows, dim=1) for rows in (images, texts))
    with pytest.raises(RadscribeError, match=r"\d+ of 40 stay dead or duplicates .* after 3 reseedings"):
        found(images, texts, count=40, rounds=3)


def test_weak_slots_move_to_the_worst_served_whatever_the_length_of_the_pair() -> None:
    corners = torch.eye(4)
    beside = normalize(corners[2] + 0.2 * corners[3], dim=0)
    between = normalize(corners[0] + corners[1], dim=0)
    points = torch.stack((corners[0], 0.1 * corners[0], between, corners[2], beside))
    slots = torch.stack((-corners[3], corners[0], corners[0], -corners[3]))  # dead, used, its duplicate, used
    weights = torch.tensor([[0, 1.0, 0, 0]] * 4 + [[0, 0, 0, 1.0]])
    means, usage, service = slots_module._weighed(points, slots, weights)
    torch.testing.assert_close(means[1], normalize(points[:4].sum(0), dim=0))
    torch.testing.assert_close(service, torch.tensor([1.0, 1.0, 0.5**0.5, 0.0, float(-beside[3])]))
    config = SlotsConfig(count=4)
    weak = slots_module._weak(slots, usage, config)
    assert usage.tolist() == pytest.approx([0, 0.8, 0, 0.2]) and weak.tolist() == [True, False, True, False]
    moved = slots_module._moved(slots, weak, slots[~weak], points, service, config)
    # Once a slot is at corner 2, the study beside it is served.
    torch.testing.assert_close(moved[weak], torch.stack((corners[2], between)))
    assert torch.equal(moved[~weak], slots[~weak])


def test_each_plan_starts_from_the_potentials_of_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    warm = found(*studies()[:2]).iterations
    monkeypatch.setattr(slots_module, "solve_transport", lambda *arguments: solve_transport(*arguments[:6]))
    assert warm < 0.8 * found(*studies()[:2]).iterations


def test_a_plan_that_does_not_converge_is_an_error_with_the_numbers() -> None:
    with pytest.raises(ConvergenceError, match="above the tolerance 1e-12 after 2 iterations"):
        found(*studies()[:2], iterations=2, tolerance=1e-12)


def test_epsilon_falls_geometrically_to_the_last() -> None:
    assert SlotsConfig(rounds=3).epsilons == pytest.approx([0.1, 0.1**1.5, 0.01])
    assert SlotsConfig(rounds=1).epsilons == [0.01]


def test_opposite_image_and_text_are_no_slot() -> None:
    images, texts, _ = studies()
    texts[:20] = -images[:20]
    assert float(found(images, texts).vectors.norm(dim=1).min()) == pytest.approx(1)
    with pytest.raises(RadscribeError, match=r"8 slots need .* found 5"):
        found(images[[0, *range(20, 25)]].repeat(6, 1), texts[[0, *range(20, 25)]].repeat(6, 1))


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "sinkhorn"},
        {"count": 0},
        {"rounds": 0},
        {"iterations": 0},
        {"epsilon": 0.0},
        {"epsilon": 0.2},
        {"tolerance": 0.0},
        {"duplicate_cosine": 1.0},
        {"at_most": 31},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        replace(SlotsConfig(count=8), **settings)


def test_embeddings_that_are_no_unit_rows_or_do_not_belong_together_are_refused() -> None:
    images, texts, _ = studies()
    with pytest.raises(ValueError, match="must both be N x D"):
        found(images, texts[:, :8])
    with pytest.raises(ValueError, match="strata"):
        found(images, texts, strata=torch.zeros(3))
    for scale in (2.0, float("nan")):
        with pytest.raises(ValueError, match="unit rows"):
            found(images, scale * texts)


def test_topics_are_not_made_of_embeddings() -> None:
    images, texts, _ = studies()
    with pytest.raises(ValueError, match="words of reports"):
        found(images, texts, mode="ot_topic")
