"""Semantic alignment (SAM of MCSAM, arXiv 2404.00588): what image and text retrieved should mean the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.errors import RadscribeError

# The learned scale, one over the temperature, grows no further (as in CLIP).
LARGEST_SCALE = 100.0


@dataclass(frozen=True)
class AlignmentConfig:
    """Settings of ``SemanticAlignment``; the paper's own are not known. Raises ``ValueError`` out of range."""

    # Width of z_v and z_t.
    width: int = 256
    # Temperature at which the contrast starts; it is learned on.
    temperature: float = 0.07
    # Where s_v goes: one more "token" that cross-attention reads, added to the "words", or "none".
    semantic: Literal["token", "words", "none"] = "token"
    # Whether studies with the same report text are negatives of each other.
    same_report_negatives: bool = False

    def __post_init__(self) -> None:
        if self.width < 1 or not self.temperature > 0:
            raise ValueError(f"alignment: width {self.width} and temperature {self.temperature} must be positive")


class SemanticAlignment(nn.Module):
    """z_v and z_t, unit vectors of what each modality retrieved; s_v is made of z_v.

    That a contrastive objective aligns the two is the paper's; one small head for each side is ours. ``width`` is that
    of the retrieved features, ``output_width`` that of s_v.
    """

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
        """z_v, unit rows: ``B x N_I x width -> B x config.width``, float32."""
        return functional.normalize(self.image_head(retrieved.mean(1)).float(), dim=-1)  # MCSAM: z_v

    def text(self, retrieved: Tensor, mask: Tensor) -> Tensor:
        """z_t, unit rows: ``B x L x width, B x L (true for words) -> B x config.width``, float32."""
        weights = mask.unsqueeze(-1).to(retrieved.dtype)
        mean = (retrieved * weights).sum(1) / weights.sum(1).clamp(min=1)
        return functional.normalize(self.text_head(mean).float(), dim=-1)  # MCSAM: z_t

    def embed(self, image: Tensor) -> Tensor:
        """s_v of z_v: ``B x config.width -> B x 1 x output width``. Only where ``semantic`` is not "none"."""
        # A unit row has small entries: times the root of its width it is of the size that linear maps expect.
        semantic: Tensor = self.semantic(image * self.config.width**0.5)  # MCSAM: s_v
        return semantic.unsqueeze(1)

    def loss(self, image: Tensor, text: Tensor, same_report: Tensor) -> Tensor:
        """L_align of z_v and z_t (``B x config.width`` each), a scalar.

        ``same_report`` (B x B, bool) is true where two studies have the same report text. Raises ``RadscribeError`` for
        fewer than two studies.
        """
        scale = self.log_scale.exp().clamp(max=LARGEST_SCALE)
        return contrastive_loss(image, text, scale, None if self.config.same_report_negatives else same_report)


def contrastive_loss(image: Tensor, text: Tensor, scale: Tensor, same: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE, the mean of both directions: unit rows ``B x d`` twice, scale (0-d) ``-> scalar``.

    ``scale`` is one over the temperature. Pairs in ``same`` (B x B, bool) are no negatives of each other. Raises
    ``RadscribeError`` for fewer than two pairs: a contrast needs something to differ from.
    """
    if len(image) < 2:
        raise RadscribeError("contrast needs batches of at least 2 studies; raise batch_size")
    with torch.autocast(image.device.type, enabled=False):  # a scale of up to 100 magnifies half precision
        logits = scale.float() * image.float() @ text.float().T
    if same is not None:
        others = same & ~torch.eye(len(image), dtype=torch.bool, device=same.device)
        logits = logits.masked_fill(others, float("-inf"))
    target = torch.arange(len(image), device=logits.device)
    both_directions = functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
    return both_directions / 2  # MCSAM: L_align
