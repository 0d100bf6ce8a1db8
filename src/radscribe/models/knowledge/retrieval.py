"""The learnable retrieval enhancer (LRE): draws studies with similar labels together in the Poincaré ball.

REVTAF, arXiv 2507.07568, Section 3.3, Eq. 5 to 7.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.errors import RadscribeError
from radscribe.labels.conditions import STATES
from radscribe.models.geometry import poincare
from radscribe.models.knowledge.related import are_related

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
    """Settings of the ball, its network and the ranking loss.

    Raises ``RetrievalConfigError`` for a setting out of its range.
    """

    # M, the number of entities.
    input_width: int = 75
    # d_h, the width of a point of the ball; 512 in the paper.
    width: int = 512
    # Hyperbolic layers; the paper gives no number.
    layers: int = 2
    # c of Eq. 3, above 0; the paper gives no number.
    curvature: float = 0.01
    # Whether c is learned on from there.
    learnable_curvature: bool = False
    # Distances are divided by it before the cross-entropy of Eq. 7; the paper has none (1).
    temperature: float = 1.0
    # Target of Eq. 7: "multi" shares it among all nearest studies by labels, since ties are the rule; "single" takes
    # the first of them, as the paper does.
    target: Target = "multi"
    # Ours: how many other training studies each batch is ranked together with, so that near neighbours are among them.
    pool: int = 0
    # What places a database study in the ball: "films", the entities seen on its film (the paper); ours: "reports",
    # the entities that its report states.
    indexed: Indexed = "films"
    # Ours: standard deviation of training noise on the presence logits of the searching film.
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
    """Möbius matrix-vector product, Möbius addition of the bias, ReLU in the tangent space at zero.

    The layer of hyperbolic neural networks (Ganea et al., arXiv 1805.09112). The paper names an HNN and its width, 512.
    """

    def __init__(self, input_width: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, input_width))
        # A tangent vector at zero: mapped into the ball when used, it can be trained by an ordinary optimiser.
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.xavier_uniform_(self.weight, gain=math.sqrt(2))

    def forward(self, x: Tensor, curvature: poincare.Curvature) -> Tensor:
        """``B x input_width -> B x width``, both points of the ball of ``curvature``."""
        x = poincare.mobius_matvec(self.weight, x, curvature)
        x = poincare.mobius_add(x, poincare.exponential_map_at_zero(self.bias, curvature), curvature)
        tangent = functional.relu(poincare.logarithm_map_at_zero(x, curvature))
        return poincare.exponential_map_at_zero(tangent, curvature)


class HyperbolicNetwork(nn.Module):
    """HNN of the paper's Section 3.3: a film's entity presence probabilities to its point H of the ball."""

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
        """``B x input_width (probabilities) -> B x width (points of the ball)``."""
        curvature = self.curvature
        with torch.autocast(presence.device.type, enabled=False):
            x = poincare.exponential_map_at_zero(presence.to(next(self.parameters()).dtype), curvature)
            for layer in self.layers:
                x = layer(x, curvature)
        return x


def _one_hot(labels: Tensor) -> Tensor:
    """``B x 18 (states) -> B x 72``."""
    return functional.one_hot(labels.long(), len(STATES)).flatten(-2).float()


def label_distance(a: Tensor, b: Tensor) -> Tensor:
    """Hamming distance (Eq. 6) over the 72 bits of the one-hot states: ``B x 18, N x 18 (states) -> B x N``.

    In bits: every condition whose states differ counts two.
    """
    with torch.autocast(a.device.type, enabled=False):
        agreements = _one_hot(a) @ _one_hot(b).mT
    return 2 * (a.shape[-1] - agreements)  # Eq. 6


def ranking_loss(
    embeddings: Tensor,
    placed: Tensor,
    labels: Tensor,
    related_ids: Tensor,
    config: RetrievalConfig,
    curvature: poincare.Curvature,
) -> Tensor:
    """L_rank of Eq. 5 to 7: ``B x width (twice), B x 18 (states), B or B x G (whole numbers) -> scalar``.

    ``embeddings`` are the B studies as they search, ``placed`` the same as the database places them; one in the paper.
    The logit is the negated distance over a temperature: the paper's Eq. 7 prints the distance itself, which would push
    the right neighbour away. Related studies (``related_ids``: patient, report) are no candidates of each other; a row
    without candidates is skipped, and without any row the loss is zero.
    """
    candidates = ~are_related(related_ids, related_ids)  # the diagonal is false
    rows = candidates.any(1)
    candidates = candidates[rows]
    hamming = label_distance(labels[rows], labels).masked_fill(~candidates, torch.inf)  # D
    if config.target == "multi":
        target = (hamming == hamming.amin(1, keepdim=True)).float()  # Eq. 7: all nearest, where the paper has pi
        target = target / target.sum(1, keepdim=True)
    else:
        target = functional.one_hot(hamming.argmin(1), len(labels)).float()  # Eq. 7: pi
    distances = poincare.pairwise_distance(embeddings[rows], placed, curvature)  # Eq. 5: D-hat
    logits = -distances / config.temperature
    log_share = logits.masked_fill(~candidates, -torch.inf).log_softmax(1).masked_fill(~candidates, 0.0)
    return -(target * log_share).sum() / rows.sum().clamp_min(1)  # Eq. 7


def noisy(presence: Tensor, noise: float) -> Tensor:
    """Probabilities with normal noise of standard deviation ``noise`` on their logits: the same shape.

    Noise 0 gives them back unchanged and draws nothing. Not in the paper.
    """
    return torch.sigmoid(torch.logit(presence, _CERTAIN) + noise * torch.randn_like(presence)) if noise else presence


def choose_references(
    query_labels: Tensor,
    query_related_ids: Tensor,
    database_labels: Tensor,
    database_related_ids: Tensor,
    generator: torch.Generator,
    sources: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The database row nearest by labels (Eq. 6) to each query: ``B x 18, B x G, N x 18, N x G -> B (int64)``.

    How the paper chooses the reference report while training. Never a row related to the query (patient, report), nor
    with ``sources`` (of queries B, of the database N) one of another source; drawn with ``generator`` among all
    nearest; -1 where there is none. Raises ``ValueError`` where queries and database have not the same columns of
    related ids.
    """
    if not len(database_labels):
        return torch.full((len(query_labels),), -1, device=query_labels.device)
    chosen = []
    size = max(1, _BLOCK // len(database_labels))
    parts = [torch.split(query_labels, size), torch.split(query_related_ids, size)]
    asked, held = sources if sources else (torch.zeros(len(query_labels)), torch.zeros(len(database_labels)))
    for labels, ids, own in zip(*parts, torch.split(asked, size), strict=True):
        hamming = label_distance(labels, database_labels)
        # Distances are whole numbers: noise below 1 breaks ties and nothing else.
        noise = torch.rand(hamming.shape, generator=generator, device=generator.device).to(hamming.device)
        forbidden = are_related(ids, database_related_ids) | (own[:, None] != held)
        value, index = (hamming + noise).masked_fill(forbidden, torch.inf).min(1)
        chosen.append(index.masked_fill(value.isinf(), -1))
    return torch.cat(chosen) if chosen else query_labels.new_empty(0, dtype=torch.long)
