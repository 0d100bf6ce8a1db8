"""The whole recipe of a training: the system, and how each of its steps is trained."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from radscribe.core.config import LATER, RecipeError, from_mapping, read_yaml
from radscribe.drafting.system import SystemConfig
from radscribe.labels.conditions import CONDITIONS
from radscribe.models.knowledge.prompts import triplet_text
from radscribe.models.mcsam import McsamConfig
from radscribe.training.generator import GeneratorConfig
from radscribe.training.loop.schedule import TrainingConfig


def _alignment_training() -> TrainingConfig:
    """Two small heads over features that are there: large batches, short and cheap."""
    return TrainingConfig(epochs=40, batch_size=256, learning_rate=1e-3, final_learning_rate=1e-5, warmup_steps=40)


@dataclass(frozen=True, kw_only=True)
class Recipe(SystemConfig):
    """``half_precision`` stores the checkpoint's weights in 16 bits; ``store_reports`` its reference reports as text
    (for data whose licence allows it); ``balance_sources`` draws each image source equally often;
    ``cache_frozen_blocks`` computes the frozen blocks of the image encoders once a film (all encoders must freeze the
    same blocks of the same weights) and shifts their features instead of augmenting the films; ``entity_start`` trains
    an entity model first, whose image encoder an MCSAM generator starts from (a mini recipe's shortcut).

    Folders that `radscribe import` made: ``entity_weights`` is the entity model, which then needs no training;
    ``decoder_weights`` is what the report decoder starts from, and whose words it writes; ``generator_weights`` starts
    every part of the generator that the folder holds."""

    seed: int = 0
    half_precision: bool = False
    store_reports: bool = False
    balance_sources: bool = False
    cache_frozen_blocks: bool = False
    entity_start: bool = False
    entity_weights: str | None = field(default=None, metadata=LATER)
    decoder_weights: str | None = field(default=None, metadata=LATER)
    generator_weights: str | None = field(default=None, metadata=LATER)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    text_training: TrainingConfig = field(default_factory=TrainingConfig)
    entity_training: TrainingConfig = field(default_factory=TrainingConfig)
    alignment_training: TrainingConfig = field(default_factory=_alignment_training)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed {self.seed} must not be negative")
        model = self.model
        prompt = 1 if isinstance(model, McsamConfig) else 1 + len(CONDITIONS)
        longest = max(self.generator.max_words, self.search.max_new_tokens)
        if prompt + longest > self.model.decoder.max_positions:
            raise ValueError(
                f"reports of {longest} tokens behind a prompt of {prompt} do not fit into the decoder's "
                f"max_positions {self.model.decoder.max_positions}"
            )
        try:
            triplet_text(0, 0, 0, self.triplet_template)
        except (KeyError, IndexError, ValueError):
            raise ValueError(
                f"triplet_template {self.triplet_template!r} may name {{entity}}, {{place}} and {{existence}} only"
            ) from None
        if self.entity_start and not (isinstance(model, McsamConfig) and model.image_encoder.start == "previous"):
            raise ValueError("entity_start is for an MCSAM model whose image_encoder.start is previous")
        if self.entity_weights and isinstance(model, McsamConfig) and not self.entity_start:
            raise ValueError("entity_weights: an MCSAM model reads an entity model with entity_start alone")
        if self.decoder_weights and self.generator_weights:
            raise ValueError("decoder_weights and generator_weights both start the decoder: leave one out")
        if self.generator_weights and self.cache_frozen_blocks:
            raise ValueError("generator_weights starts an image encoder too: leave out cache_frozen_blocks")
        encoders = (self.entity_model.image_encoder, self.model.image_encoder)
        if self.cache_frozen_blocks and not (encoders[0] == encoders[1] and encoders[0].frozen_blocks):
            raise ValueError("cache_frozen_blocks needs both image encoders alike, with frozen_blocks above 0")

    def system(self) -> SystemConfig:
        """The part that a checkpoint carries on."""
        return SystemConfig(**{entry.name: getattr(self, entry.name) for entry in fields(SystemConfig)})


def read_recipe(path: Path) -> Recipe:
    """The recipe in a YAML file. Raises ``RecipeError`` naming file, key and mend."""
    try:
        return from_mapping(Recipe, read_yaml(path))
    except RecipeError as error:
        raise error if str(error).startswith(str(path)) else RecipeError(f"{path}: {error}") from None
