"""First values of the memory bank: K slots that image and report embeddings share, found by optimal transport.

A cross-modal bank that starts well is the paper's (MCSAM, arXiv 2404.00588); summaries of it name optimal transport.
How it is done is not known: all below is ours. Run it on the training split only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from radscribe.core.config import LATER
from radscribe.core.errors import RadscribeError
from radscribe.models.geometry.sinkhorn import solve_transport
from radscribe.models.knowledge.nearest import nearest
from radscribe.models.knowledge.topics import TopicsConfig

Mode = Literal["ot_topic", "ot_joint", "ot_match", "kmeans", "random"]
# How much each study belongs to each slot, N x K with equal row sums, given the slots and epsilon.
_Weigh = Callable[[Tensor, float], Tensor]

# Fewer studies a slot say little of how often it is needed.
_STUDIES_PER_SLOT = 4
# Lloyd's iterations end when nothing moves, or here.
_LLOYD_ROUNDS = 50


@dataclass(frozen=True)
class SlotsConfig:
    """How the slots start, all of it ours. Raises ``ValueError`` for a setting out of its range."""

    # N_m, how many slots there are.
    count: int = 256
    # "ot_topic" learns topics of the reports, from their words; "ot_joint" moves slots to the means of one plan
    # between studies and slots; "ot_match" clusters each modality by itself and couples the centroids by transport;
    # "kmeans" clusters the pairs; "random" does without data, as R2GenCMN does: Gaussian vectors, here of unit length.
    mode: Mode = "ot_joint"
    # How topics are learned, for "ot_topic".
    topics: TopicsConfig = field(default=TopicsConfig(), metadata=LATER)
    # Plans of "ot_joint" and "ot_match", and at most so many reseedings behind them.
    rounds: int = 10
    # Epsilon of the first round, in units of the cost 1 - cosine.
    first_epsilon: float = 0.1
    # Epsilon of the last round; it falls geometrically.
    epsilon: float = 0.01
    # Sinkhorn's iterations of each plan, at most.
    iterations: int = 10_000
    # L1 error of both marginals at which a plan has converged.
    tolerance: float = 1e-3
    # Slots whose cosine is above it are duplicates.
    duplicate_cosine: float = 0.999
    # Above so many studies a stratified subset is used.
    at_most: int = 50_000

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode {self.mode!r} is not one of {', '.join(get_args(Mode))}")
        for name in ("count", "rounds", "iterations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if not 0 < self.epsilon <= self.first_epsilon < math.inf:
            raise ValueError(f"epsilon {self.epsilon} must be positive and at most first_epsilon {self.first_epsilon}")
        if not (self.tolerance > 0 and 0 < self.duplicate_cosine < 1):
            raise ValueError("tolerance must be positive, duplicate_cosine within (0, 1)")
        if self.mode == "ot_topic" and self.count < 2:
            raise ValueError("count must be at least 2 for topics")
        if self.at_most < _STUDIES_PER_SLOT * self.count:
            raise ValueError(f"at_most {self.at_most} must be at least {_STUDIES_PER_SLOT} x count {self.count}")

    @property
    def epsilons(self) -> list[float]:
        """Epsilon of each round, falling geometrically to the last."""
        ratio = self.first_epsilon / self.epsilon
        return [self.epsilon * ratio ** (left / max(1, self.rounds - 1)) for left in reversed(range(self.rounds))]


class Slots(NamedTuple):
    """M and what is stored beside it."""

    vectors: Tensor  # M: K x D, unit rows, float32
    row_error: float | None  # L1 error of the last plan's row sums; None for a mode without plans
    column_error: float | None  # and of its column sums
    iterations: int  # of Sinkhorn, over all plans between studies and slots
    usage: Tensor  # K: share of studies whose largest plan entry, or without plans whose nearest slot, is slot k
    reseeded: int  # slots that are one study's pair, not a mean: where many, epsilon is coarse for these embeddings
    studies: int  # N, of those used
    sampled: bool  # whether they are a subset


def initial_slots(images: Tensor, texts: Tensor, config: SlotsConfig, seed: int, strata: Tensor | None = None) -> Slots:
    """K slots for N training studies: ``N x D (v_i), N x D (t_i), N -> K x D``, the same for a seed.

    ``images`` and ``texts`` are unit rows of one aligned, frozen pair of encoders: unaligned ones cannot share a slot.
    ``strata``: integers, whose shares a subset keeps. The order of the studies does not matter.

    Raises ``RadscribeError`` where the studies are too few or too alike for so many slots, or a slot stays dead (no
    study's first choice) or a duplicate; ``ConvergenceError`` where a plan does not converge; ``ValueError`` for shapes
    that do not fit, rows that are not of unit length, or the mode "ot_topic", which is learned from words instead.
    """
    if config.mode == "ot_topic":
        raise ValueError("topics are learned from the words of reports, not from embeddings of studies")
    if images.shape != texts.shape or images.dim() != 2:
        raise ValueError(f"images {tuple(images.shape)} and texts {tuple(texts.shape)} must both be N x D")
    if strata is not None and strata.shape != images.shape[:1]:
        raise ValueError(f"strata {tuple(strata.shape)} must be one for each of {len(images)} studies")
    if not all(bool(((rows.norm(dim=1) - 1).abs() < 1e-2).all()) for rows in (images, texts)):
        raise ValueError("images and texts must be unit rows")
    require_studies(len(images), config.count)
    generator = torch.Generator().manual_seed(seed)
    rows = _studies_used(images, texts, config.at_most, generator, strata)
    v, t = images[rows].float(), texts[rows].float()
    pairs = (v + t) / 2
    plans = _Plans(pairs, config)
    if config.mode == "ot_joint":
        start = _start(functional.normalize(pairs, dim=-1), config, generator, "pairs of image and report")
        slots, usage, reseeded = _refine(pairs, start, plans, config.epsilons, config)  # MCSAM: M
    elif config.mode == "ot_match":
        slots, usage, reseeded = _refine(pairs, _matched(v, t, config, generator), plans, (), config)
    elif config.mode == "kmeans":
        slots, usage, reseeded = _clusters(pairs, config, generator, "pairs of image and report")
    else:
        slots = functional.normalize(torch.randn(config.count, pairs.shape[1], generator=generator), dim=-1).to(pairs)
        usage, reseeded = _usage(_choice_of_nearest(pairs)(slots, config.epsilon)), 0
    return Slots(slots, *plans.errors, plans.iterations, usage, reseeded, len(rows), len(rows) < len(images))


def require_studies(found: int, slots: int) -> None:
    """Raises ``RadscribeError`` where ``found`` training studies are too few to start so many slots."""
    if found < _STUDIES_PER_SLOT * slots:
        raise RadscribeError(
            f"slots: {slots} slots need {_STUDIES_PER_SLOT * slots} training studies, found {found}; "
            f"at most {found // _STUDIES_PER_SLOT} slots are possible"
        )


def _studies_used(
    images: Tensor, texts: Tensor, at_most: int, generator: torch.Generator, strata: Tensor | None
) -> Tensor:
    """Rows of the studies used, sorted along a random direction: by what they hold and not by how they are given."""
    directions = torch.randn(2, images.shape[1], generator=generator).to(images)
    image_place, text_place = (
        (rows * along).sum(1, dtype=torch.float64) for rows, along in zip((images, texts), directions, strict=True)
    )
    rows: Tensor = (image_place + text_place).argsort()
    if len(rows) <= at_most:
        return rows
    if strata is not None:
        rows = rows[strata.to(rows.device)[rows].argsort(stable=True)]
    # Even steps through strata, each sorted along that direction, take of each its share to within one study.
    steps = (torch.arange(at_most, device=rows.device, dtype=torch.float64) + 0.5) * len(rows) / at_most
    return rows[steps.long()]


class _Plans:
    """Plans between N points and K slots, both marginals uniform, each started from the potentials of the last."""

    def __init__(self, points: Tensor, config: SlotsConfig) -> None:
        self.points, self.config = points, config
        self.potential: Tensor | None = None
        self.errors: tuple[float | None, float | None] = (None, None)
        self.iterations = 0

    def __call__(self, slots: Tensor, epsilon: float) -> Tensor:
        n, k = len(self.points), len(slots)
        solved = solve_transport(
            1 - self.points @ slots.T,  # MCSAM: M; C_ik = 1 - (v_i.m_k + t_i.m_k) / 2
            self.points.new_full((n,), 1 / n, dtype=torch.float64),
            self.points.new_full((k,), 1 / k, dtype=torch.float64),
            epsilon,
            self.config.iterations,
            self.config.tolerance,
            self.potential,  # of the studies: that of a reseeded slot follows from them
        )
        self.potential, self.errors = solved.row_potential, (solved.row_error, solved.column_error)
        self.iterations += solved.iterations
        return solved.plan


def _choice_of_nearest(points: Tensor) -> _Weigh:
    """Each point belongs to its nearest slot alone."""
    return lambda slots, _: functional.one_hot(nearest(points, slots, 1)[1][:, 0], len(slots)).to(points)


def _refine(
    points: Tensor, slots: Tensor, weigh: _Weigh, epsilons: Sequence[float], config: SlotsConfig
) -> tuple[Tensor, Tensor, int]:
    """Slots K x D at the means of the points that belong to them, none dead or a duplicate; their usage K; how many
    of them were reseeded last, and are one study's pair instead of a mean.
    """
    reseeded = torch.zeros(len(slots), dtype=torch.bool, device=slots.device)
    for epsilon in epsilons:
        means, usage, service = _weighed(points, slots, weigh(slots, epsilon))
        reseeded = _weak(means, usage, config)
        before, slots = slots, _moved(means, reseeded, means[~reseeded], points, service, config)
        if torch.equal(before, slots):
            break
    # What was reseeded last has to be weighed once more, and may itself need to move: then away from where it was.
    for _ in range(config.rounds):
        _, usage, service = _weighed(points, slots, weigh(slots, config.epsilon))
        weak = _weak(slots, usage, config)
        if not weak.any():
            return slots, usage, int(reseeded.sum())
        slots, reseeded = _moved(slots, weak, slots, points, service, config), reseeded | weak
    raise RadscribeError(
        f"slots: {int(weak.sum())} of {len(slots)} stay dead or duplicates (cosine above {config.duplicate_cosine}) "
        f"after {config.rounds} reseedings; ask for fewer slots, or a lower epsilon where there is one"
    )


def _weighed(points: Tensor, slots: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """From the weights N x K, which are too wide to keep: the unit mean of each slot's points (K x D), its usage (K),
    and for each point the cosine to the slots it belongs to (N).

    The cosine and not the cost, which is high where a study's own image and report disagree: no slot can fix that.
    """
    usage, weights = _usage(weights), weights.to(points)
    means = functional.normalize(weights.T @ points, dim=-1)  # MCSAM: M; m_k
    service = (weights @ slots * functional.normalize(points, dim=-1)).sum(1) / weights.sum(1)
    return means, usage, service


def _usage(weights: Tensor) -> Tensor:
    """Share of the points whose largest weight is slot k's: ``N x K -> K``."""
    return weights.argmax(1).bincount(minlength=weights.shape[1]) / len(weights)


def _weak(slots: Tensor, usage: Tensor, config: SlotsConfig) -> Tensor:
    """K booleans: slots that are no study's first choice, or duplicates of an earlier one that is."""
    twins = (slots @ slots.T).triu(1) > config.duplicate_cosine
    return (usage == 0) | twins[usage > 0].any(0)


def _moved(slots: Tensor, weak: Tensor, taken: Tensor, points: Tensor, service: Tensor, config: SlotsConfig) -> Tensor:
    """The slots with the weak ones moved to the worst-served studies, as far as there are such apart from ``taken``.

    A study near a taken or an already moved slot is served by it.
    """

    def worst_served(closest: Tensor, free: Tensor) -> Tensor:
        return torch.maximum(service, closest).masked_fill(~free, torch.inf).argmin()

    unit = functional.normalize(points, dim=-1)
    worst = _apart(unit, taken, int(weak.sum()), config, worst_served)
    slots = slots.clone()
    slots[weak.nonzero()[: len(worst), 0]] = unit[worst]
    return slots


def _apart(
    unit: Tensor, taken: Tensor, count: int, config: SlotsConfig, choose: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Indices of up to ``count`` rows that are no duplicates of each other nor of those taken.

    ``choose``: one row, given the cosine of each to the nearest taken (N) and whether it is free to be chosen (N).
    """
    closest = nearest(unit, taken, 1)[0][:, 0].masked_fill(~unit.any(1), torch.inf)  # v = -t is no direction
    found = list[Tensor]()
    while len(found) < count and bool((free := closest <= config.duplicate_cosine).any()):
        found.append(choose(closest, free))
        closest = torch.maximum(closest, unit @ unit[found[-1]])
    return torch.stack(found) if found else torch.empty(0, dtype=torch.long, device=unit.device)


def _start(unit: Tensor, config: SlotsConfig, generator: torch.Generator, name: str) -> Tensor:
    """K distinct rows, drawn as k-means++ does: in proportion to their squared distance from those already drawn."""

    def draw(closest: Tensor, free: Tensor) -> Tensor:
        distance = (1 - closest.clamp(-1, 1)).double() * free
        return torch.multinomial(distance.cpu(), 1, generator=generator)[0].to(unit.device)

    rows = _apart(unit, unit[:0], config.count, config, draw)
    if len(rows) < config.count:
        raise RadscribeError(
            f"slots: {config.count} slots need as many distinct {name} (cosine at most {config.duplicate_cosine}), "
            f"found {len(rows)}; at most {len(rows)} slots are possible"
        )
    return unit[rows]


def _clusters(points: Tensor, config: SlotsConfig, generator: torch.Generator, name: str) -> tuple[Tensor, Tensor, int]:
    """Lloyd's k-means on directions: as ``_refine`` returns it; ``name``: what the points are."""
    unit = functional.normalize(points, dim=-1)
    start = _start(unit, config, generator, name)
    return _refine(unit, start, _choice_of_nearest(unit), range(_LLOYD_ROUNDS), config)


def _matched(v: Tensor, t: Tensor, config: SlotsConfig, generator: torch.Generator) -> Tensor:
    """Each modality clustered by itself, the centroids coupled one to one by their plan: ``N x D, N x D -> K x D``."""
    image_centroids, *_ = _clusters(v, config, generator, "images")
    text_centroids, *_ = _clusters(t, config, generator, "reports")
    plans = _Plans(image_centroids, config)
    for epsilon in config.epsilons:
        plan = plans(text_centroids, epsilon)
    _, partner = linear_sum_assignment(plan.cpu().numpy(), maximize=True)
    return functional.normalize(image_centroids + text_centroids[torch.from_numpy(partner).to(v.device)], dim=-1)
