"""The entity model, in MedKLIP's architecture: which of 75 entities a film shows, and at which of 51 places."""

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
    """MedKLIP's shape by default. ``patch_positions`` tells the queries where each patch is; MedKLIP's are not told.

    ``patch_hidden`` is the hidden width of the two linear maps behind the patches, ``width`` where None; MedKLIP's own
    is that of its patches, 1024.
    """

    width: int = 256
    layers: int = 4
    heads: int = 4
    feed_forward: int = 1024
    dropout: float = 0.1
    patch_positions: bool = False
    patch_hidden: int | None = field(default=None, metadata=LATER)
    image_encoder: ImageEncoderConfig = field(
        default_factory=lambda: ImageEncoderConfig(depths=(3, 4, 6, 3))  # ResNet-50
    )

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        if self.patch_hidden is not None and self.patch_hidden < 1:
            raise ValueError(f"patch_hidden must be at least 1, not {self.patch_hidden}")
        if self.patch_positions and self.width % 4:
            raise ValueError(f"patch_positions: width {self.width} is no multiple of 4")


class EntityOutput(NamedTuple):
    presence_logits: Tensor  # B x 75 x 2, index 1 = present
    position_logits: Tensor  # B x 75 x 51
    pooled: Tensor  # B x width, the mean of the projected patches: the "frozen similarity" of films

    @property
    def presence(self) -> Tensor:
        """Presence probabilities, B x 75."""
        return self.presence_logits.float().softmax(-1)[..., 1]


class FilmEntities(NamedTuple):
    """Entity predictions of the frozen entity model for B films; computed once a film and kept."""

    presence: Tensor  # B x 75 probabilities
    positions: Tensor  # B x 75 place indices
    features: Tensor  # B x w pooled film features

    @classmethod
    def of(cls, output: EntityOutput) -> FilmEntities:
        return cls(output.presence, output.position_logits.argmax(-1), output.pooled.float())


class EntityModel(nn.Module):
    """75 description queries attend to 14 x 14 patches through a pre-norm transformer decoder.

    ``descriptions`` (75 x text width) and ``places`` (51 x text width) are the text encoder's vectors of the entity
    book and of "It is located at <place>"; they are buffers, filled once.
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
        """``films``: B x 1 x 224 x 224 in [0, 1]."""
        patches = self.project_patches(self.image_encoder(films))  # B x 196 x width
        queries = self.project_queries(self.descriptions).expand(len(films), -1, -1)  # B x 75 x width
        seen = patches + grid_positions(patches) if self.config.patch_positions else patches
        with trainable_attention(patches.device):
            entities = self.decoder(queries, seen)
        # Scaled, so that 51 inner products of text width start near uniform.
        position_logits = self.position_head(entities) @ self.places.T / self.places.shape[1] ** 0.5
        return EntityOutput(self.presence_head(entities), position_logits, patches.mean(1))
