"""The learnable retrieval enhancer (LRE): studies with like labels are drawn together in the Poincaré ball."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radscribe.core.errors import RadscribeError
from radscribe.labels.conditions import STATES
from radscribe.models.geometry import poincare
from radscribe.models.knowledge.related import of_kin

Target = Literal["multi", "single"]
Indexed = Literal["films", "reports"]

# Entries of the widest query-by-database block held in memory at once.
_BLOCK = 2**24
# A probability this near to 0 or 1 counts as no nearer, so that its logit stays finite.
_CERTAIN = 1e-4


class RetrievalConfigError(RadscribeError, ValueError):
    """A setting of ``RetrievalConfig`` is out of its range."""


@dataclass(frozen=True)
class RetrievalConfig:
    """``target``: "multi" shares the target among all nearest studies by labels (ties are the rule), "single" takes
    the first of them, as the paper does. ``pool`` ranks each batch together with that many other training studies,
    so that a near neighbour is among the candidates of a small batch; 0 in the paper. ``indexed`` says what places a
    study of the database in the ball: "films", the entities seen on its film (the paper), or "reports", those that its
    report states. ``noise`` is the deviation of noise on the logits of the searching film's presence while training,
    since training films are seen more clearly than others; 0 in the paper.
    """

    input_width: int = 75
    width: int = 512
    layers: int = 2
    curvature: float = 0.01
    learnable_curvature: bool = False
    temperature: float = 1.0
    target: Target = "multi"
    pool: int = 0
    indexed: Indexed = "films"
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("input_width", "width", "layers", "curvature", "temperature"):
            if not getattr(self, name) > 0:
                raise RetrievalConfigError(f"retrieval: {name} {getattr(self, name)} must be positive")
        for name in ("pool", "noise"):
            if getattr(self, name) < 0:
                raise RetrievalConfigError(f"retrieval: {name} {getattr(self, name)} must not be negative")
        for name, choices in (("target", get_args(Target)), ("indexed", get_args(Indexed))):
            if getattr(self, name) not in choices:
                raise RetrievalConfigError(
                    f"retrieval: {name} {getattr(self, name)!r} is not one of {', '.join(choices)}"
                )


class HyperbolicLayer(nn.Module):
    """Möbius matrix-vector product, Möbius addition of the bias, ReLU in the tangent space at zero."""

    def __init__(self, input_width: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, input_width))
        # A tangent vector at zero: mapped into the ball when used, it can be trained by an ordinary optimiser.
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.xavier_uniform_(self.weight, gain=math.sqrt(2))

    def forward(self, x: Tensor, curvature: poincare.Curvature) -> Tensor:
        """``B x input_width -> B x width``, both in the ball."""
        x = poincare.mobius_matvec(self.weight, x, curvature)
        x = poincare.mobius_add(x, poincare.exponential_map_at_zero(self.bias, curvature), curvature)
        return poincare.exponential_map_at_zero(F.relu(poincare.logarithm_map_at_zero(x, curvature)), curvature)


class HyperbolicNetwork(nn.Module):
    """Entity presence probabilities to a point of the ball."""

    def __init__(self, config: RetrievalConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.input_width] + [config.width] * config.layers
        self.layers = nn.ModuleList(HyperbolicLayer(*pair) for pair in itertools.pairwise(widths))
        if config.learnable_curvature:
            self.log_curvature = nn.Parameter(torch.tensor(math.log(config.curvature)))

    @property
    def curvature(self) -> poincare.Curvature:
        """c: the configured number, or the learned 0-d tensor."""
        return self.log_curvature.exp() if self.config.learnable_curvature else self.config.curvature

    def forward(self, presence: Tensor) -> Tensor:
        """``B x 75 (probabilities) -> B x width (points of the ball)``."""
        curvature = self.curvature
        with torch.autocast(presence.device.type, enabled=False):
            x = poincare.exponential_map_at_zero(presence.to(next(self.parameters()).dtype), curvature)
            for layer in self.layers:
                x = layer(x, curvature)
        return x


def _one_hot(labels: Tensor) -> Tensor:
    """``B x 18 (states) -> B x 72``."""
    return F.one_hot(labels.long(), len(STATES)).flatten(-2).float()


def label_distance(a: Tensor, b: Tensor) -> Tensor:
    """Hamming distance over one-hot states: ``B x 18, N x 18 -> B x N`` (every differing condition counts two bits)."""
    with torch.autocast(a.device.type, enabled=False):
        agreements = _one_hot(a) @ _one_hot(b).mT
    return 2 * (a.shape[-1] - agreements)


def ranking_loss(
    embeddings: Tensor,
    placed: Tensor,
    labels: Tensor,
    group_ids: Tensor,
    config: RetrievalConfig,
    curvature: poincare.Curvature,
) -> Tensor:
    """Eq. 5 - 7, with the negated distance as logit: ``B x width (twice), B x 18, B or B x G (groups) -> scalar``.

    ``embeddings`` are the B studies as they search, ``placed`` the same as the database places them; one in the paper.
    The paper's Eq. 7 prints the distance itself, which would push the right neighbour away. Members of the same group
    (patient, report) are no candidates; a row without candidates is skipped, and without any row the loss is zero.
    """
    candidates = ~of_kin(group_ids, group_ids)  # the diagonal is false
    rows = candidates.any(1)
    candidates = candidates[rows]
    hamming = label_distance(labels[rows], labels).masked_fill(~candidates, torch.inf)  # Eq. 5
    if config.target == "multi":
        target = (hamming == hamming.amin(1, keepdim=True)).float()  # Eq. 6
        target = target / target.sum(1, keepdim=True)
    else:
        target = F.one_hot(hamming.argmin(1), len(labels)).float()
    logits = -poincare.pairwise_distance(embeddings[rows], placed, curvature) / config.temperature
    log_share = logits.masked_fill(~candidates, -torch.inf).log_softmax(1).masked_fill(~candidates, 0.0)
    return -(target * log_share).sum() / rows.sum().clamp_min(1)  # Eq. 7


def noisy(presence: Tensor, noise: float) -> Tensor:
    """Probabilities with normal noise of deviation ``noise`` on their logits: the same shape."""
    return torch.sigmoid(torch.logit(presence, _CERTAIN) + noise * torch.randn_like(presence)) if noise else presence


def choose_references(
    query_labels: Tensor,
    query_groups: Tensor,
    database_labels: Tensor,
    database_groups: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """The database row nearest by labels to each query: ``B x 18, B x G, N x 18, N x G -> B (int64)``.

    Never a row of any of the query's own groups (patient, report); drawn at random among all nearest; -1 where there is
    none.
    """
    if not len(database_labels):
        return torch.full((len(query_labels),), -1, device=query_labels.device)
    chosen = []
    size = max(1, _BLOCK // len(database_labels))
    for labels, groups in zip(torch.split(query_labels, size), torch.split(query_groups, size), strict=True):
        hamming = label_distance(labels, database_labels)
        # Distances are whole numbers: noise below 1 breaks ties and nothing else.
        noise = torch.rand(hamming.shape, generator=generator, device=generator.device).to(hamming.device)
        forbidden = of_kin(groups, database_groups)
        value, index = (hamming + noise).masked_fill(forbidden, torch.inf).min(1)
        chosen.append(index.masked_fill(value.isinf(), -1))
    return torch.cat(chosen) if chosen else query_labels.new_empty(0, dtype=torch.long)
