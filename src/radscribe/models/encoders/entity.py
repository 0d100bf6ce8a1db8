"""The entity model: predicts which of 75 entities a film shows, and at which of 51 places.

The architecture is MedKLIP's (Wu et al., ICCV 2023, arXiv 2301.02228).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from radscribe.core.config import LATER
from radscribe.labels.entities import ENTITIES, PLACES
from radscribe.models.encoders.attention import trainable_attention
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.models.encoders.positions import grid_positions


@dataclass(frozen=True)
class EntityModelConfig:
    """Sizes of the entity model, MedKLIP's by default. Raises ``ValueError`` for a setting out of its range."""

    # Width of queries and projected patches.
    width: int = 256
    # Transformer decoder layers.
    layers: int = 4
    # Attention heads; ``width`` is a multiple of them.
    heads: int = 4
    # Hidden width of each layer's feed-forward network.
    feed_forward: int = 1024
    # Dropout of the decoder, in training.
    dropout: float = 0.1
    # Ours: adds each patch's row and column to it (DETR's sines); MedKLIP's queries do not see positions.
    patch_positions: bool = False
    # Hidden width of the two linear maps behind the patches, None for ``width``; MedKLIP's is its patches' width, 1024.
    patch_hidden: int | None = field(default=None, metadata=LATER)
    # Network that makes the patches, cut at stride 16.
    image_encoder: ImageEncoderConfig = field(
        default_factory=lambda: ImageEncoderConfig(depths=(3, 4, 6, 3))  # ResNet-50
    )

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        if self.patch_hidden is not None and self.patch_hidden < 1:
            raise ValueError(f"patch_hidden must be at least 1, not {self.patch_hidden}")
        if self.patch_positions and self.width % 4:
            raise ValueError(f"patch_positions: width {self.width} is not a multiple of 4")


class EntityOutput(NamedTuple):
    """What the entity model returns for B films."""

    presence_logits: Tensor  # B x 75 x 2, index 1 = present
    position_logits: Tensor  # B x 75 x 51
    pooled: Tensor  # B x width, mean of the projected patches, for the "frozen similarity" of films

    @property
    def presence(self) -> Tensor:
        """Presence probabilities, B x 75."""
        return self.presence_logits.float().softmax(-1)[..., 1]


class FilmEntities(NamedTuple):
    """Entity predictions of the frozen entity model for B films, computed once per film and kept."""

    presence: Tensor  # B x 75 probabilities
    positions: Tensor  # B x 75 place indices
    features: Tensor  # B x w pooled film features

    @classmethod
    def of(cls, output: EntityOutput) -> FilmEntities:
        """Probabilities, most likely places and float32 features of ``output``."""
        return cls(output.presence, output.position_logits.argmax(-1), output.pooled.float())


class EntityModel(nn.Module):
    """75 description queries attend to 14 x 14 patches through a pre-norm transformer decoder.

    ``descriptions`` (75 x text width) and ``places`` (51 x text width) are buffers, filled once with the text encoder's
    vectors of the entity descriptions and of "It is located at <place>".
    """

    descriptions: Tensor
    places: Tensor

    def __init__(self, config: EntityModelConfig, text_width: int) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config.image_encoder, stage="middle")
        hidden = config.patch_hidden or config.width
        self.project_patches = nn.Sequential(
            nn.Linear(self.image_encoder.width, hidden), nn.ReLU(), nn.Linear(hidden, config.width)
        )
        self.project_queries = nn.Linear(text_width, config.width)
        layer = nn.TransformerDecoderLayer(
            config.width, config.heads, config.feed_forward, config.dropout, batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, config.layers, norm=nn.LayerNorm(config.width))
        self.presence_head = nn.Linear(config.width, 2)
        self.position_head = nn.Linear(config.width, text_width)
        self.register_buffer("descriptions", torch.zeros(len(ENTITIES), text_width))
        self.register_buffer("places", torch.zeros(len(PLACES), text_width))

    def forward(self, films: Tensor) -> EntityOutput:
        """Predictions for films (B x 1 x H x W in [0, 1]; at 224 x 224 there are 196 patches)."""
        patches = self.project_patches(self.image_encoder(films))  # B x P x width
        queries = self.project_queries(self.descriptions).expand(len(films), -1, -1)  # B x 75 x width
        seen = patches + grid_positions(patches) if self.config.patch_positions else patches
        with trainable_attention(patches.device):
            entities = self.decoder(queries, seen)
        # Scaled by the root of the text width, so that the softmax over 51 places starts near uniform.
        position_logits = self.position_head(entities) @ self.places.T / self.places.shape[1] ** 0.5
        return EntityOutput(self.presence_head(entities), position_logits, patches.mean(1))
