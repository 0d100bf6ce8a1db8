"""Multi-source prompt alignment (MPSA): image patches read reference text by optimal transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radscribe.core.errors import RadscribeError
from radscribe.models.geometry.sinkhorn import transport_plan

Mode = Literal["full", "degenerate"]
Projection = Literal["linear", "block"]


class TransportAttentionConfigError(RadscribeError, ValueError):
    """A setting of ``TransportAttentionConfig`` is out of its range."""


@dataclass(frozen=True)
class TransportAttentionConfig:
    """``mode``: "full" solves the transport plan between patches and text; "degenerate" is the published code's
    behaviour, whose weights are uniform over the text whatever the image. ``projection``: "linear" as in the paper, or
    the "block" of the published code, a feed-forward network and a second LayerNorm. ``unbalanced``: strength of the
    penalty that replaces the constraint on the text's marginal.
    """

    visual_width: int
    text_width: int
    output_width: int
    heads: int = 8
    epsilon: float = 0.05
    iterations: int = 20
    mode: Mode = "full"
    projection: Projection = "linear"
    unbalanced: float | None = None

    def __post_init__(self) -> None:
        for name in ("visual_width", "text_width", "output_width", "heads", "iterations"):
            if getattr(self, name) < 1:
                raise TransportAttentionConfigError(f"transport attention: {name} must be at least 1")
        if self.visual_width % self.heads:
            raise TransportAttentionConfigError(
                f"transport attention: visual_width {self.visual_width} is not a multiple of heads {self.heads}"
            )
        if not self.epsilon > 0:
            raise TransportAttentionConfigError(f"transport attention: epsilon {self.epsilon} must be positive")
        if self.unbalanced is not None and not self.unbalanced > 0:
            raise TransportAttentionConfigError(f"transport attention: unbalanced {self.unbalanced} must be positive")
        for name, choices in (("mode", get_args(Mode)), ("projection", get_args(Projection))):
            if getattr(self, name) not in choices:
                raise TransportAttentionConfigError(
                    f"transport attention: {name} {getattr(self, name)!r} is not one of {', '.join(choices)}"
                )


class TransportOutput(NamedTuple):
    fused: Tensor  # B x P x d
    maps: Tensor  # B x n x P, where each text token looks
    plan: Tensor  # B x heads x P x n


class FeedForward(nn.Module):
    """The rest of the published block: a feed-forward network of four times the width, added, and a LayerNorm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """``... x width -> ... x width``."""
        out: Tensor = self.norm(x + self.network(x))
        return out


class TransportAttention(nn.Module):
    """Patches attend to text tokens with the optimal transport plan between the two as weights."""

    def __init__(self, config: TransportAttentionConfig) -> None:
        super().__init__()
        self.config = config
        width = config.visual_width
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(config.text_width, width)
        self.value = nn.Linear(config.text_width, width)
        self.norm = nn.LayerNorm(width)
        self.project = nn.Sequential(nn.Linear(width, config.output_width))
        if config.projection == "block":
            self.project.append(FeedForward(config.output_width))

    def forward(
        self, patches: Tensor, text: Tensor, mask: Tensor, column_marginal: Tensor | None = None
    ) -> TransportOutput:
        """``B x P x d_v, B x n x d_t, B x n (bool, true for tokens), B x n -> TransportOutput``.

        Tokens outside ``mask`` influence nothing, whatever they hold. A study without any token gets an attended term
        of zero and maps of zero. ``column_marginal`` (masses, normalised here over the valid tokens; uniform by
        default) says how much of the image each token is to receive.
        """
        text = text.masked_fill(~mask.unsqueeze(-1), 0.0)
        query, key, value = self._heads(self.query(patches)), self._heads(self.key(text)), self._heads(self.value(text))
        with torch.autocast(patches.device.type, enabled=False):  # exp(cosine / epsilon) magnifies half-precision
            dtype = torch.promote_types(query.dtype, torch.float32)
            cosine = F.normalize(query.to(dtype), dim=-1) @ F.normalize(key.to(dtype), dim=-1).mT  # B x heads x P x n
            plan = self._plan(cosine, mask, column_marginal)
            patch_count = patches.shape[1]
            token_count = mask.sum(-1).view(-1, 1, 1)
            maps = patch_count * token_count * (plan * cosine).mean(1).mT
        attended = (patch_count * plan).to(value.dtype) @ value
        fused = self.project(self.norm(attended.transpose(1, 2).flatten(2) + patches))
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
