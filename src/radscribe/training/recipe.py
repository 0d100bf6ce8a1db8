"""The whole recipe of a training: the system, and how each of its steps is trained."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from radscribe.core.config import LATER, RecipeError, from_mapping, read_yaml
from radscribe.drafting.system import SystemConfig
from radscribe.labels.conditions import CONDITIONS
from radscribe.models.knowledge.prompts import triplet_text
from radscribe.training.loop.schedule import TrainingConfig


@dataclass(frozen=True)
class AlignmentTrainingConfig(TrainingConfig):
    """Two small heads over features that are there: large batches, short and cheap."""

    epochs: int = 40
    batch_size: int = 256
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    warmup_steps: int = 40


@dataclass(frozen=True)
class LabelTrainingConfig(TrainingConfig):
    """How an image encoder is trained on the labels of films."""

    # First blocks that it keeps as loaded; those of `image_encoder.frozen_blocks` are kept as this step leaves them.
    frozen_blocks: int = 0
    # Dropout between the mean patch and the head that tells the conditions.
    dropout: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout}")
        if self.frozen_blocks < 0:
            raise ValueError(f"frozen_blocks must not be negative, but is {self.frozen_blocks}")


@dataclass(frozen=True)
class TopicTrainingConfig(TrainingConfig):
    """The topic model's own schedule (Zhao et al.)."""

    epochs: int = 50
    batch_size: int = 200
    learning_rate: float = 1e-3
    schedule: Literal["cosine", "steps"] = "steps"
    decay: float = 1.0
    warmup_steps: int = 0
    weight_decay: float = 0.0
    precision: Literal["auto", "32-true", "bf16-mixed"] = "32-true"
    threads: int | Literal["auto"] | None = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size < 2:
            raise ValueError("batch_size must be at least 2 for topics: their batch norm needs a second report")


@dataclass(frozen=True)
class GeneratorConfig:
    """How a generator is trained and its epoch chosen."""

    # Where training finds the reference report: nearest by "labels" (the paper), in the "ball" as inference does, or
    # "both", drawn anew for each film and epoch. Only REVTAF has references.
    references: Literal["labels", "ball", "both"] = "labels"
    # References chosen by labels are of the study's own image source, so that its wording is worth taking over.
    same_source: bool = field(default=False, metadata=LATER)
    # Tokens of a report that training reads.
    max_words: int = 150
    # Reports written for validation after each epoch.
    validation_studies: int = 300
    validation_beams: int = 1
    # An epoch whose commonest report is a larger share of them has collapsed; it is chosen only where all have.
    commonest: float = 1.0
    # By which figure of these reports the epoch is chosen: over all 14 conditions, or over the 13 beside "no finding",
    # which else decides alone where most studies are normal.
    chosen_by: Literal["micro_f1", "micro_f1_13"] = field(default="micro_f1", metadata=LATER)
    # Another seed for the generator alone; runs that differ in it share the cached steps before it.
    seed: int | None = None
    # A study is drawn max(1, sqrt(this / share of studies with its rarest positive condition)) times as often, in the
    # same number of steps; 0 draws all alike.
    rare_rate: float = field(default=0.0, metadata=LATER)
    # A study whose report n studies share word for word is drawn n ** -this times as often, in the same number of
    # steps: at 1 every wording counts once, at 0 every study.
    alike: float = field(default=0.0, metadata=LATER)
    # Share of the training studies, the same for every seed, that the generator learns from, in the same number of
    # steps; all can be references, and all train the steps before.
    pairs: float = field(default=1.0, metadata=LATER)
    # Sentences that no model of one film can know, of earlier films, sizes and removed words, teach nothing.
    knowable: bool = field(default=False, metadata=LATER)
    # A condition: studies that state it teach the generator nothing, and can be references still.
    withheld: str | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        if not 0 < self.pairs <= 1:
            raise ValueError(f"pairs must be above 0 and at most 1, not {self.pairs}")
        if self.withheld is not None and self.withheld not in CONDITIONS:
            raise ValueError(f"withheld: no condition {self.withheld!r}; take one of {', '.join(CONDITIONS)}")
        if not 0 <= self.alike <= 1:
            raise ValueError(f"alike must be between 0 and 1, not {self.alike}")
        if not 0 <= self.rare_rate <= 1:
            raise ValueError(f"rare_rate must be between 0 and 1, not {self.rare_rate}")
        if self.seed is not None and self.seed < 0:
            raise ValueError(f"seed {self.seed} must not be negative")
        if not 0 < self.commonest <= 1:
            raise ValueError(f"commonest must be above 0 and at most 1, not {self.commonest}")


@dataclass(frozen=True, kw_only=True)
class Recipe(SystemConfig):
    """A system, and how each step of its training is done."""

    seed: int = 0
    # Stores the checkpoint's weights in 16 bits.
    half_precision: bool = False
    # Stores the reference reports as text, for data whose licence allows it.
    store_reports: bool = False
    # Draws each image source equally often.
    balance_sources: bool = False
    # Computes the frozen blocks of the image encoders once a film and shifts their features instead of augmenting
    # films; all encoders must freeze the same blocks of the same weights.
    cache_frozen_blocks: bool = False
    # With it, computes so many augmented copies of each training film, one of which is drawn each epoch, instead of
    # shifting the features of one.
    frozen_copies: int = field(default=0, metadata=LATER)
    # Trains an entity model first, whose image encoder an MCSAM generator starts from (a mini recipe's shortcut).
    entity_start: bool = False
    # Folder made by `radscribe import` that is the entity model, which then needs no training.
    entity_weights: str | None = field(default=None, metadata=LATER)
    # Imported folder that the report decoder starts from, and whose words it writes.
    decoder_weights: str | None = field(default=None, metadata=LATER)
    # Imported folder from which every part of the generator starts that it holds.
    generator_weights: str | None = field(default=None, metadata=LATER)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    # Trains an image encoder on the labels of films first, those of `--labelled` included; all others start from it.
    label_training: LabelTrainingConfig | None = field(default=None, metadata=LATER)
    text_training: TrainingConfig = field(default_factory=TrainingConfig)
    entity_training: TrainingConfig = field(default_factory=TrainingConfig)
    alignment_training: AlignmentTrainingConfig = field(default_factory=AlignmentTrainingConfig)
    # The topics that the memory starts from (memory.start.mode ot_topic).
    topic_training: TopicTrainingConfig = field(default=TopicTrainingConfig(), metadata=LATER)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed {self.seed} must not be negative")
        model = self.model
        encoders = (self.entity_model.image_encoder, model.image_encoder)
        longest = max(self.generator.max_words, self.search.max_new_tokens)
        if model.prompt_tokens + longest > model.decoder.max_positions:
            raise ValueError(
                f"reports of {longest} tokens behind a prompt of {model.prompt_tokens} do not fit into the decoder's "
                f"max_positions {model.decoder.max_positions}"
            )
        try:
            triplet_text(0, 0, 0, self.triplet_template)
        except (KeyError, IndexError, ValueError):
            raise ValueError(
                f"triplet_template {self.triplet_template!r} may name {{entity}}, {{place}} and {{existence}} only"
            ) from None
        if self.label_training and not encoders[0] == encoders[1]:
            raise ValueError("label_training: both image encoders start from the same one; write them alike")
        if self.label_training and encoders[0].start != "previous":
            raise ValueError("label_training: write image_encoder.start: previous, or nothing starts from it")
        if self.entity_start and (model.reads_entities or model.image_encoder.start != "previous"):
            raise ValueError("entity_start is for an MCSAM model whose image_encoder.start is previous")
        if self.entity_weights and not (model.reads_entities or self.entity_start):
            raise ValueError("entity_weights: an MCSAM model reads an entity model with entity_start alone")
        if self.decoder_weights and self.generator_weights:
            raise ValueError("decoder_weights and generator_weights both start the decoder: leave one out")
        if self.generator_weights and self.cache_frozen_blocks:
            raise ValueError("generator_weights starts an image encoder too: leave out cache_frozen_blocks")
        if self.frozen_copies < 0 or (self.frozen_copies and not self.cache_frozen_blocks):
            raise ValueError("frozen_copies must not be negative, and is for cache_frozen_blocks alone")
        if self.cache_frozen_blocks and not (encoders[0] == encoders[1] and encoders[0].frozen_blocks):
            raise ValueError("cache_frozen_blocks needs both image encoders alike, with frozen_blocks above 0")

        fusion = getattr(model, "fusion", None)
        if fusion and fusion.reference_words and not self.store_reports:
            raise ValueError("model.fusion.reference_words: drafting reads the reports; write store_reports: true")
        if model.text_width not in (None, self.text_encoder.width):
            raise ValueError(
                f"model.memory.slot_width {model.text_width}: topics lie among the text encoder's words; write its "
                f"width, {self.text_encoder.width}, or another start.mode"
            )

    def system(self) -> SystemConfig:
        """The part that a checkpoint carries on."""
        return SystemConfig(**{entry.name: getattr(self, entry.name) for entry in fields(SystemConfig)})


def imported_files(recipe: Recipe, weights: Path) -> list[Path]:
    """The weights that a recipe starts from and that lie in folders or files of this machine."""
    encoders = (recipe.model.image_encoder, recipe.entity_model.image_encoder)
    starts = (recipe.entity_weights, recipe.decoder_weights, recipe.generator_weights, recipe.text_encoder.source)
    names = [name for name in (*starts, *(encoder.weights for encoder in encoders)) if name]
    places = [place for name in names for place in (Path(name), weights / name)]
    return [file for place in places for file in ([place, *place.iterdir()] if place.is_dir() else [place])]


def read_recipe(path: Path) -> Recipe:
    """The recipe in a YAML file. Raises ``RecipeError`` naming file, key and fix."""
    try:
        return from_mapping(Recipe, read_yaml(path))
    except RecipeError as error:
        raise error if str(error).startswith(str(path)) else RecipeError(f"{path}: {error}") from None
