"""Trains the entity model on the triplets of the training split's reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.config import to_mapping
from radscribe.core.tensors import write_tensors
from radscribe.drafting.films import FilmSource
from radscribe.labels.entities import ENTITIES
from radscribe.models.encoders.descriptions import DESCRIPTIONS
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.knowledge.prompts import place_texts
from radscribe.training.area import mean_area
from radscribe.training.cache import Step
from radscribe.training.loop.fit import fit
from radscribe.training.steps import Training, load
from radscribe.training.text_encoder import TrainedText
from radscribe.weights.folder import Imported
from radscribe.weights.from_import import start_entity_model

IGNORED = -100
# A rarer class never counts more than this against the commoner one.
LARGEST_WEIGHT = 8.0
# Presence is a mean over 75 mostly absent entities: without this the place, which words alone half decide, drowns it.
PRESENCE_SHARE = 8.0


class EntityBatch(NamedTuple):
    """B films with the entities and places that their reports state."""

    films: Tensor  # B x 1 x H x W
    presence: Tensor  # B x 75, 1 where the report states the entity as present
    positions: Tensor  # B x 75, the place of a present and located entity, IGNORED elsewhere


def targets(triplets: Sequence[Sequence[tuple[int, int, int]]]) -> tuple[Tensor, Tensor]:
    """Presence and positions (N x 75 each) of the reports' triplets; an unmentioned entity is absent.

    An entity at several places is given the first one stated: the head names one place.
    """
    presence = torch.zeros(len(triplets), len(ENTITIES), dtype=torch.long)
    positions = torch.full((len(triplets), len(ENTITIES)), IGNORED)
    for row, report in enumerate(triplets):
        for entity, place, present in report:
            if present:
                presence[row, entity] = 1
                if positions[row, entity] == IGNORED:
                    positions[row, entity] = place
    return presence, positions


class EntityLoss(nn.Module):
    """Cross-entropy of presence, weighted by class frequency, and of the position where there is one.

    Presence is read from the pooled patches too, by a linear layer that is dropped after training: the queries find
    where to look only once the patches carry information, and similar pooled films then show similar entities.
    """

    weights: Tensor

    def __init__(self, model: EntityModel, presence: Tensor) -> None:
        super().__init__()
        self.model = model
        self.shortcut = nn.Linear(model.config.width, 2 * len(ENTITIES))
        rate = presence.float().mean(0).clamp(min=1e-4, max=1 - 1e-4)
        # The square root: full inverse frequency would call every entity present half of the time.
        weights = torch.stack((rate / (1 - rate), (1 - rate) / rate), -1).sqrt().clamp(max=LARGEST_WEIGHT)
        self.register_buffer("weights", weights.clamp(min=1.0), persistent=False)  # 75 x 2

    def forward(self, batch: EntityBatch) -> dict[str, Tensor]:
        """The losses of a batch and their sum under "loss"."""
        output = self.model(batch.films)
        presence = self._presence(output.presence_logits, batch.presence)
        pooled = self._presence(self.shortcut(output.pooled).view(-1, len(ENTITIES), 2), batch.presence)
        located = batch.positions != IGNORED
        logits = output.position_logits.float()[located]
        position = functional.cross_entropy(logits, batch.positions[located]) if located.any() else logits.sum()
        loss = PRESENCE_SHARE * (presence + pooled) + position
        return {"loss": loss, "presence": presence, "pooled": pooled, "position": position}

    def _presence(self, logits: Tensor, presence: Tensor) -> Tensor:
        """The weighted cross-entropy of ``logits`` (B x 75 x 2) for ``presence`` (B x 75)."""
        losses = functional.cross_entropy(logits.float().flatten(0, 1), presence.flatten(), reduction="none")
        weights = self.weights.gather(1, presence.T).T
        return (losses.view_as(presence) * weights).sum() / weights.sum()


class EntityObjective:
    """Scored by the mean area under the ROC curve of entities that the validation split has and lacks 5 times."""

    name = "entity model"
    saves_within_epoch = True
    smallest_batch = 1

    def __init__(
        self,
        model: EntityModel,
        films: FilmSource,
        triplets: Sequence[Sequence[tuple[int, int, int]]],
        validation_films: FilmSource,
        validation_triplets: Sequence[Sequence[tuple[int, int, int]]],
        strata: NDArray[np.int64] | None = None,
    ) -> None:
        self.strata = strata
        self.often: NDArray[np.float64] | None = None
        self.presence, self.positions = targets(triplets)
        self.validation_presence, self.validation_positions = targets(validation_triplets)
        self.module = EntityLoss(model, self.presence)
        self.films, self.validation_films = films, validation_films
        self.count = len(self.presence)

    def begin_epoch(self, epoch: int) -> None:
        """Nothing is kept between epochs."""

    def load(self, indices: list[int], epoch: int) -> EntityBatch:
        return EntityBatch(self.films.augmented(indices, epoch), self.presence[indices], self.positions[indices])

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Losses and figures of the validation split."""
        device = next(self.module.parameters()).device
        presence, right, located = [], 0, 0
        for first in range(0, len(self.validation_presence), 64):
            indices = list(range(first, min(first + 64, len(self.validation_presence))))
            output = self.module.model(self.validation_films.plain(indices).to(device))
            presence.append(output.presence.cpu())
            wanted = self.validation_positions[indices]
            known = wanted != IGNORED
            right += int((output.position_logits.argmax(-1).cpu() == wanted)[known].sum())
            located += int(known.sum())
        area = mean_area(torch.cat(presence), self.validation_presence)
        return {"area": area, "position_accuracy": right / max(located, 1), "score": area}


@dataclass(frozen=True)
class EntityModelStep:
    """Trained on the triplets of the training split, or taken whole from the recipe's ``entity_weights``."""

    name: ClassVar[str] = "entity-model"
    training: Training
    text: TrainedText
    imported: Imported | None

    @property
    def inputs(self) -> dict[str, Any]:
        recipe = self.training.recipe
        inputs: dict[str, Any] = {"text": self.text.step.key, "entity_model": to_mapping(recipe.entity_model)}
        if self.imported:
            return {**inputs, "imported": self.imported.content}
        return inputs | self.training.inputs(recipe.entity_training, recipe.entity_model.image_encoder)

    def build(self, folder: Path) -> dict[str, Any]:
        training, recipe = self.training, self.training.recipe
        torch.manual_seed(recipe.seed)
        model = EntityModel(recipe.entity_model, self.text.encoder.width)
        if not (self.imported and start_entity_model(self.imported, model)):
            model.descriptions.copy_(self.text.encoder.encode(list(DESCRIPTIONS.values())))
            model.places.copy_(self.text.encoder.encode(place_texts()))
        if self.imported:
            write_tensors(folder / "entity_model.safetensors", dict(model.state_dict()))
            return {"source": recipe.entity_weights}
        training.starts.begin(model.image_encoder, self.text.film_encoder)
        triplets = {name: [study.triplets for study in training.studies(name)] for name in ("train", "validate")}
        objective = EntityObjective(
            model,
            training.view("train", stage="middle"),
            triplets["train"],
            training.view("validate", stage="middle"),
            triplets["validate"],
            training.strata(),
        )
        summary = fit(objective, recipe.entity_training, training.run(folder, recipe.entity_training))
        write_tensors(folder / "entity_model.safetensors", dict(model.state_dict()))
        return summary


def entity_model(training: Training, text: TrainedText) -> tuple[Step, EntityModel]:
    """The entity model of a training, frozen."""
    recipe = training.recipe
    imported = training.starts.imported(recipe.entity_weights, "entity_weights") if recipe.entity_weights else None
    step = training.cache.step(EntityModelStep(training, text, imported))
    model = EntityModel(recipe.entity_model, text.encoder.width)
    load(model, step.folder / "entity_model.safetensors")
    return step, model.eval().requires_grad_(False)
