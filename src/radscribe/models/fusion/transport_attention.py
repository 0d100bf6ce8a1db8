"""Multi-Prompts Sinkhorn Attention (MPSA): image patches read reference text with a transport plan as weights.

REVTAF, arXiv 2507.07568, Eq. 10 and 11.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.config import LATER
from radscribe.core.errors import RadscribeError
from radscribe.models.geometry.sinkhorn import transport_plan

Mode = Literal["full", "degenerate"]
Projection = Literal["linear", "block"]


class FusionConfigError(RadscribeError, ValueError):
    """A setting of ``FusionConfig`` is out of its range."""


@dataclass(frozen=True)
class FusionConfig:
    """FVTAF: transport attention over the two prompts, and the consistency of its maps; the paper's by default.

    Raises ``FusionConfigError`` for a setting out of its range.
    """

    # Attention heads of each branch; each has a transport plan of its own.
    heads: int = 8
    # Weight of the transport plan's entropy, in units of the cost 1 - cosine.
    epsilon: float = 0.05
    # Sinkhorn iterations.
    iterations: int = 20
    # "full" solves the plan between patches and text; "degenerate" is the published code, uniform whatever the film.
    mode: Mode = "full"
    # "linear" as in the paper, or the published code's "block": a feed-forward network and a second LayerNorm.
    projection: Projection = "linear"
    # Strength of the penalty that replaces the constraint on the text's marginal; None keeps the constraint.
    unbalanced: float | None = None
    # "soft" overlap of the maps; "hard" is the published code's, cut at 0.5, without a gradient.
    consistency: Literal["soft", "hard"] = "soft"
    # Ours: "presence" gives absent entities less mass than the uniform marginal of the paper.
    local_marginal: Literal["uniform", "presence"] = "uniform"
    # Ours: how many reference reports are joined into one global prompt.
    references: int = 1
    # Ours: beyond this ball distance nothing is near enough, and the global prompt is empty.
    farthest_reference: float | None = None
    # Ours: cross-attention reads so many tokens of the nearest reference report beside the patches; 0 reads none.
    reference_words: int = field(default=0, metadata=LATER)

    def __post_init__(self) -> None:
        for name in ("heads", "iterations", "references"):
            if getattr(self, name) < 1:
                raise FusionConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.reference_words < 0:
            raise FusionConfigError(f"reference_words must not be negative, but is {self.reference_words}")
        if not self.epsilon > 0:
            raise FusionConfigError(f"epsilon must be positive, not {self.epsilon}")
        if self.unbalanced is not None and not self.unbalanced > 0:
            raise FusionConfigError(f"unbalanced must be positive, not {self.unbalanced}")
        for name, choices in (("mode", get_args(Mode)), ("projection", get_args(Projection))):
            if getattr(self, name) not in choices:
                raise FusionConfigError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")


class TransportOutput(NamedTuple):
    """What one branch returns for B films of P patches and n text tokens."""

    fused: Tensor  # one half of F_c (Eq. 11): B x P x d
    maps: Tensor  # M_c of Eq. 10, where each text token looks: B x n x P
    plan: Tensor  # T: B x heads x P x n; each row sums to 1 / P


class FeedForward(nn.Module):
    """The rest of the published code's block: a feed-forward network of four times the width, added, and a LayerNorm.

    Not in the paper, whose projection (Eq. 11) is linear.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """``... x width -> ... x width``."""
        out: Tensor = self.norm(x + self.network(x))
        return out


class TransportAttention(nn.Module):
    """Patches attend to text tokens with the optimal transport plan between the two as weights (Eq. 10 and 11).

    ``visual_width`` is d_v, the width of the patches and of Q, K and V; ``text_width`` d_t; ``output_width`` d.
    """

    def __init__(self, config: FusionConfig, visual_width: int, text_width: int, output_width: int) -> None:
        """Raises ``FusionConfigError`` where the patches cannot be split into the configured heads."""
        super().__init__()
        if visual_width % config.heads:
            raise FusionConfigError(f"patches of width {visual_width} cannot be split into {config.heads} heads")
        self.config = config
        width = visual_width
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(text_width, width)
        self.value = nn.Linear(text_width, width)
        self.norm = nn.LayerNorm(width)
        self.project = nn.Sequential(nn.Linear(width, output_width))
        if config.projection == "block":
            self.project.append(FeedForward(output_width))

    def forward(
        self, patches: Tensor, text: Tensor, mask: Tensor, column_marginal: Tensor | None = None
    ) -> TransportOutput:
        """``B x P x d_v, B x n x d_t, B x n (bool, true for tokens), B x n -> TransportOutput``.

        Tokens outside ``mask`` influence nothing, whatever they hold. A study without any token gets an attended term
        of zero and maps of zero. ``column_marginal`` (masses at least 0, normalised here over the valid tokens; uniform
        by default) is how much of the image each token should receive.
        """
        text = text.masked_fill(~mask.unsqueeze(-1), 0.0)
        query = self._heads(self.query(patches))  # Eq. 10: Q
        key, value = self._heads(self.key(text)), self._heads(self.value(text))  # Eq. 10: K, V
        with torch.autocast(patches.device.type, enabled=False):  # exp(cosine / epsilon) magnifies half-precision
            dtype = torch.promote_types(query.dtype, torch.float32)
            unit_query, unit_key = (functional.normalize(part.to(dtype), dim=-1) for part in (query, key))
            cosine = unit_query @ unit_key.mT  # Eq. 10: Q K^T of unit vectors, B x heads x P x n
            plan = self._plan(cosine, mask, column_marginal)  # Eq. 10: MPSA(Q K^T)
            patch_count = patches.shape[1]
            token_count = mask.sum(-1).view(-1, 1, 1)
            maps = patch_count * token_count * (plan * cosine).mean(1).mT  # Eq. 10: M_c
        attended = (patch_count * plan).to(value.dtype) @ value  # Eq. 10: the text that each patch reads
        fused = self.project(self.norm(attended.transpose(1, 2).flatten(2) + patches))  # Eq. 11
        return TransportOutput(fused, maps, plan)

    def _heads(self, x: Tensor) -> Tensor:
        """``B x L x d_v -> B x heads x L x (d_v / heads)``."""
        return x.view(*x.shape[:2], self.config.heads, -1).transpose(1, 2)

    def _plan(self, cosine: Tensor, mask: Tensor, column_marginal: Tensor | None) -> Tensor:
        """``B x heads x P x n -> `` the plan of the same shape, whose rows carry 1 / P each."""
        config, patch_count = self.config, cosine.shape[-2]
        uniform = mask.to(cosine.dtype) / mask.sum(-1, keepdim=True).clamp_min(1)
        if config.mode == "degenerate":
            return (uniform / patch_count)[:, None, None, :].expand_as(cosine)
        columns = uniform
        if column_marginal is not None:
            columns = column_marginal.to(cosine.dtype).masked_fill(~mask, 0.0)
            mass = columns.sum(-1, keepdim=True)
            columns = torch.where(mass > 0, columns / mass.clamp_min(torch.finfo(mass.dtype).tiny), uniform)
        rows = cosine.new_full((patch_count,), 1 / patch_count)
        return transport_plan(
            1 - cosine, rows, columns.unsqueeze(1), config.epsilon, config.iterations, unbalanced=config.unbalanced
        )
