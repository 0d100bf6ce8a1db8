"""Semantic alignment (MCSAM's SAM): what image and text retrieved is to mean the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.errors import RadscribeError

LARGEST_SCALE = 100.0


@dataclass(frozen=True)
class AlignmentConfig:
    """``semantic``: where the semantic visual embedding s_v goes: one more "token" that cross-attention reads, added to
    the "words", or "none". ``same_report_negatives`` lets studies of one and the same report repel each other.
    """

    width: int = 256
    temperature: float = 0.07
    semantic: Literal["token", "words", "none"] = "token"
    same_report_negatives: bool = False

    def __post_init__(self) -> None:
        if self.width < 1 or not self.temperature > 0:
            raise ValueError(f"alignment: width {self.width} and temperature {self.temperature} must be positive")


class SemanticAlignment(nn.Module):
    """z_v and z_t, unit vectors of what each modality retrieved; s_v is made of z_v."""

    def __init__(self, config: AlignmentConfig, width: int, output_width: int) -> None:
        super().__init__()
        self.config = config
        self.image_head, self.text_head = (
            nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, config.width)) for _ in range(2)
        )
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))
        if config.semantic != "none":
            self.semantic = nn.Linear(config.width, output_width)

    def image(self, retrieved: Tensor) -> Tensor:
        """``B x N_I x width -> z_v``, B x 256."""
        return functional.normalize(self.image_head(retrieved.mean(1)).float(), dim=-1)

    def text(self, retrieved: Tensor, mask: Tensor) -> Tensor:
        """``B x L x width, B x L (true for words) -> z_t``, B x 256."""
        weights = mask.unsqueeze(-1).to(retrieved.dtype)
        mean = (retrieved * weights).sum(1) / weights.sum(1).clamp(min=1)
        return functional.normalize(self.text_head(mean).float(), dim=-1)

    def embed(self, image: Tensor) -> Tensor:
        """s_v of z_v: B x 256 -> B x 1 x output width."""
        # A unit row has small entries: times the root of its width it is of the size that linear maps expect.
        semantic: Tensor = self.semantic(image * self.config.width**0.5)
        return semantic.unsqueeze(1)

    def loss(self, image: Tensor, text: Tensor, same_report: Tensor) -> Tensor:
        """L_align of z_v and z_t (B x 256 each); ``same_report`` (B x B) is true where two studies share a report."""
        scale = self.log_scale.exp().clamp(max=LARGEST_SCALE)
        return contrastive_loss(image, text, scale, None if self.config.same_report_negatives else same_report)


def contrastive_loss(image: Tensor, text: Tensor, scale: Tensor, same: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE (the mean of both directions) of unit rows B x d; pairs in ``same`` (B x B) are no negatives.

    Raises ``RadscribeError`` for fewer than two pairs, which have nothing to be told from.
    """
    if len(image) < 2:
        raise RadscribeError("contrast needs batches of at least 2 studies; raise batch_size")
    with torch.autocast(image.device.type, enabled=False):  # a scale of up to 100 magnifies half precision
        logits = scale.float() * image.float() @ text.float().T
    if same is not None:
        others = same & ~torch.eye(len(image), dtype=torch.bool, device=same.device)
        logits = logits.masked_fill(others, float("-inf"))
    target = torch.arange(len(image), device=logits.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
