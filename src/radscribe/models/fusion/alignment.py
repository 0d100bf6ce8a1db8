"""Semantic alignment (SAM of MCSAM, arXiv 2404.00588): what image and text retrieved should mean the same."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.config import LATER
from radscribe.core.errors import RadscribeError
from radscribe.models.encoders.attention import trainable_attention
from radscribe.models.fusion.consolidation import START

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
    # Whether studies with the same 18 labels are: they often say the same in other words.
    same_labels_negatives: bool = field(default=True, metadata=LATER)
    # How far the contrast's gradient reaches: through what was retrieved into patches and words ("all"), or into the
    # "memory" and no further.
    reach: Literal["all", "memory"] = field(default="all", metadata=LATER)
    # What makes z of what was retrieved: a small network on the mean for each modality, or one transformer for both.
    encoder: Literal["mlp", "siamese"] = field(default="mlp", metadata=LATER)
    # Layers and heads of that transformer.
    layers: int = field(default=2, metadata=LATER)
    heads: int = field(default=8, metadata=LATER)

    def __post_init__(self) -> None:
        if self.width < 1 or not self.temperature > 0:
            raise ValueError(f"alignment: width {self.width} and temperature {self.temperature} must be positive")
        if min(self.layers, self.heads) < 1:
            raise ValueError(f"alignment: layers {self.layers} and heads {self.heads} must be at least 1")
        if self.encoder == "siamese" and self.width % self.heads:
            raise ValueError(f"alignment: width {self.width} is not divisible by {self.heads} heads")


class PooledEncoder(nn.Sequential):
    """A small network over the mean of what one modality retrieved (ours): ``B x L x width -> B x output width``."""

    def __init__(self, width: int, output_width: int) -> None:
        super().__init__(nn.Linear(width, width), nn.GELU(), nn.Linear(width, output_width))

    def forward(self, retrieved: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask`` (B x L) is true for what counts; None counts all."""
        if mask is None:
            mean = retrieved.mean(1)
        else:
            weights = mask.unsqueeze(-1).to(retrieved.dtype)
            mean = (retrieved * weights).sum(1) / weights.sum(1).clamp(min=1)
        for layer in self:
            mean = layer(mean)
        return mean


class SiameseEncoder(nn.Module):
    """One small transformer for what either modality retrieved, read at a [CLS] vector before it.

    That one BERT-like network encodes both is a single summary's word of the paper; its sizes are ours. It has no
    positions: what was retrieved is a set. ``B x L x width -> B x config.width``.
    """

    def __init__(self, config: AlignmentConfig, width: int) -> None:
        super().__init__()
        self.beginning = nn.Parameter(torch.randn(1, 1, config.width) * 0.02)  # [CLS]
        self.reduce, self.norm = nn.Linear(width, config.width), nn.LayerNorm(config.width)
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, 2 * config.width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.project = nn.Linear(config.width, config.width)

    def forward(self, retrieved: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask`` (B x L) is true for what counts; None counts all."""
        rows = self.norm(self.reduce(retrieved))
        rows = torch.cat((self.beginning.expand(len(rows), -1, -1).to(rows.dtype), rows), 1)
        padding = None if mask is None else functional.pad(~mask, (1, 0), value=False)
        with trainable_attention(rows.device):
            read = self.layers(rows, src_key_padding_mask=padding)
        summary: Tensor = self.project(read[:, 0])
        return summary


class SemanticAlignment(nn.Module):
    """z_v and z_t, unit vectors of what each modality retrieved; s_v is made of z_v.

    That semantic consistency of the two is asked for is the paper's; that a contrast does it is known from summaries.
    ``width`` is that of the retrieved features, ``output_width`` that of s_v.
    """

    def __init__(self, config: AlignmentConfig, width: int, output_width: int) -> None:
        super().__init__()
        self.config = config
        if config.encoder == "siamese":
            self.encoder = SiameseEncoder(config, width)
        else:
            self.image_head, self.text_head = (PooledEncoder(width, config.width) for _ in range(2))
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))
        if config.semantic != "none":
            self.semantic = nn.Linear(config.width, output_width)
            with torch.no_grad():  # an untrained s_v would only disturb the words
                self.semantic.weight.mul_(START)
                self.semantic.bias.zero_()

    def image(self, retrieved: Tensor) -> Tensor:
        """z_v, unit rows: ``B x N_I x width -> B x config.width``, float32."""
        encoder = self.encoder if self.config.encoder == "siamese" else self.image_head
        return functional.normalize(encoder(retrieved).float(), dim=-1)  # MCSAM: z_v

    def text(self, retrieved: Tensor, mask: Tensor) -> Tensor:
        """z_t, unit rows: ``B x L x width, B x L (true for words) -> B x config.width``, float32."""
        encoder = self.encoder if self.config.encoder == "siamese" else self.text_head
        return functional.normalize(encoder(retrieved, mask).float(), dim=-1)  # MCSAM: z_t

    def embed(self, image: Tensor) -> Tensor:
        """s_v of z_v: ``B x config.width -> B x 1 x output width``. Only where ``semantic`` is not "none"."""
        # A unit row has small entries: times the root of its width it is of the size that linear maps expect.
        semantic: Tensor = self.semantic(image * self.config.width**0.5)  # MCSAM: s_v
        return semantic.unsqueeze(1)

    def loss(self, image: Tensor, text: Tensor, reports: Tensor, labels: Tensor) -> Tensor:
        """L_align of z_v and z_t (``B x config.width`` each), a scalar.

        Studies with equal ``reports`` (B) have the same report text; ``labels`` are their states, B x 18. Raises
        ``RadscribeError`` for fewer than two studies.
        """
        same = torch.eye(len(reports), dtype=torch.bool, device=reports.device)
        if not self.config.same_report_negatives:
            same = same | (reports[:, None] == reports)
        if not self.config.same_labels_negatives:
            same = same | (labels[:, None] == labels).all(-1)
        return contrastive_loss(image, text, self.log_scale.exp().clamp(max=LARGEST_SCALE), same)


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
