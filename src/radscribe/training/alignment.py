"""One space for films and reports: two small heads over frozen encoders, aligned by contrast (MCSAM's aligned pair)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.config import to_mapping
from radscribe.core.files import write_json
from radscribe.core.tensors import fingerprint_of, read_tensors, write_tensors
from radscribe.labels.conditions import CHEXBERT_COUNT, POSITIVE
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.encoders.image import ImageEncoder, Stage
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.fusion.alignment import LARGEST_SCALE, contrastive_loss
from radscribe.models.knowledge.prompts import sentence_table
from radscribe.models.knowledge.slots import SlotsConfig, initial_slots
from radscribe.training.cache import Step
from radscribe.training.loop.fit import fit
from radscribe.training.steps import Training
from radscribe.training.text_encoder import TrainedText, film_features

# What the lineage starts its contrast from.
TEMPERATURE = 0.07
DROPOUT = 0.2
BATCH = 64


class PairFeatures(NamedTuple):
    """What frozen encoders say of N studies: ``films`` N x d_v, ``texts`` N x d_t, ``reports`` N, a number a text."""

    films: Tensor
    texts: Tensor
    reports: Tensor

    def rows(self, indices: Sequence[int]) -> PairFeatures:
        """Those of the studies at ``indices``."""
        return PairFeatures(*(part[list(indices)] for part in self))


class AlignmentHeads(nn.Module):
    """Features of a film and of a report to unit vectors of one width, v and t."""

    film_mean: Tensor
    film_spread: Tensor
    text_mean: Tensor
    text_spread: Tensor

    def __init__(self, training: PairFeatures, width: int) -> None:
        super().__init__()
        for name, features in (("film", training.films), ("text", training.texts)):
            self.register_buffer(f"{name}_mean", features.mean(0))
            self.register_buffer(f"{name}_spread", features.std(0).clamp(min=1e-4))
        self.film_head, self.text_head = (
            nn.Sequential(nn.Linear(size, 2 * width), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(2 * width, width))
            for size in (training.films.shape[1], training.texts.shape[1])
        )
        self.log_scale = nn.Parameter(torch.tensor(-math.log(TEMPERATURE)))

    def films(self, features: Tensor) -> Tensor:
        """v: N x d_v -> N x width, unit rows."""
        places = self.film_head((features - self.film_mean) / self.film_spread)
        return functional.normalize(places.float(), dim=-1)  # MCSAM: v

    def texts(self, features: Tensor) -> Tensor:
        """t: N x d_t -> N x width, unit rows."""
        places = self.text_head((features - self.text_mean) / self.text_spread)
        return functional.normalize(places.float(), dim=-1)  # MCSAM: t

    def forward(self, batch: PairFeatures) -> dict[str, Tensor]:
        """The symmetric contrast; studies of one and the same report are no negatives of each other."""
        scale = self.log_scale.exp().clamp(max=LARGEST_SCALE)
        same = batch.reports[:, None] == batch.reports
        return {"loss": contrastive_loss(self.films(batch.films), self.texts(batch.texts), scale, same)}


class AlignmentObjective:
    """Takes the last epoch: what the validation split says is logged, and reaches no memory slot.

    ``found`` is the share of its films whose own report is nearest.
    """

    name = "alignment"
    saves_within_epoch = True
    smallest_batch = 2
    strata: NDArray[np.int64] | None = None
    often: NDArray[np.float64] | None = None

    def __init__(self, heads: AlignmentHeads, training: PairFeatures, validation: PairFeatures) -> None:
        self.module, self.training, self.validation = heads, training, validation
        self.count, self.epoch = len(training.reports), 0

    def begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def load(self, indices: list[int], epoch: int) -> PairFeatures:
        return self.training.rows(indices)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss, and the share of films whose own report is nearest; "score" is the number of the epoch."""
        figures = {"score": float(self.epoch)}
        if len(self.validation.reports) > 1:
            batch = PairFeatures(*(part.to(self.module.log_scale.device) for part in self.validation))
            nearest = (self.module.films(batch.films) @ self.module.texts(batch.texts).T).argmax(1)
            figures["loss"] = float(self.module(batch)["loss"])
            figures["found"] = float((batch.reports[nearest] == batch.reports).float().mean())
        return figures


def report_features(text_encoder: TextEncoder, reports: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The mean vector of each report's sentences (N x d_t), and a whole number for each text (N)."""
    distinct = list(dict.fromkeys(reports))
    sentences, rows = sentence_table(distinct)
    vectors = text_encoder.encode(sentences)
    means = torch.stack([vectors[row].mean(0) if row else vectors.new_zeros(text_encoder.width) for row in rows])
    number = {text: position for position, text in enumerate(distinct)}
    numbers = torch.tensor([number[text] for text in reports])
    return means[numbers], numbers


@dataclass(frozen=True)
class AlignmentStep:
    """v and t (N x ``width`` each, unit rows): the training films and reports in one space.

    Features by the frozen encoders of films (the entity model where there is one) and of reports are brought together
    by two heads; v is made of the mean over a study's views.
    """

    name: ClassVar[str] = "alignment"
    training: Training
    text: TrainedText
    last_step: Step
    entity_model: EntityModel | None
    width: int

    @property
    def inputs(self) -> dict[str, Any]:
        recipe = self.training.recipe
        return {
            "before": self.last_step.key,
            "views": recipe.views,
            "width": self.width,
            **self.training.inputs(recipe.alignment_training, recipe.entity_model.image_encoder),
        }

    def build(self, folder: Path) -> dict[str, Any]:
        training, recipe = self.training, self.training.recipe
        torch.manual_seed(recipe.seed)
        features_of = self.film_features()
        found = {
            split: PairFeatures(
                self.features_of_split(split, features_of),
                *report_features(self.text.encoder, training.reports(split)),
            )
            for split in ("train", "validate")
        }
        heads = AlignmentHeads(found["train"], self.width)
        objective = AlignmentObjective(heads, found["train"], found["validate"])
        summary = fit(objective, recipe.alignment_training, training.run(folder, recipe.alignment_training))
        heads.cpu()
        with torch.no_grad():
            places = {"images": heads.films(found["train"].films), "texts": heads.texts(found["train"].texts)}
        write_tensors(folder / "places.safetensors", places)
        write_tensors(folder / "heads.safetensors", dict(heads.state_dict()))
        return summary

    @property
    def device(self) -> torch.device:
        """Where features are computed."""
        return self.training.fabric(self.training.recipe.alignment_training).device

    def film_features(self) -> Callable[[Tensor], Tensor]:
        """The features of a film for its head, B x 1 x H x W -> B x d_v: those of the entity model where there is one,
        else of the film encoder that was trained beside the text encoder, else of the image encoder as it starts."""
        training = self.training
        if self.entity_model is not None:
            return EntityFeatures(self.entity_model.to(self.device).eval())
        if self.text.film_encoder is not None:
            return partial(film_features, self.text.film_encoder.to(self.device).eval())
        config = training.recipe.entity_model.image_encoder
        encoder = training.starts.begin(ImageEncoder(config), None).to(self.device).eval()
        return lambda films: encoder(films).mean(1)

    @torch.no_grad()
    def features_of_split(self, split: str, features_of: Callable[[Tensor], Tensor]) -> Tensor:
        """``features_of`` each study of a split, the mean over its views: N x d_v, on the CPU."""
        training, device, parts = self.training, self.device, []
        count = len(training.studies(split))
        stage: Stage = "last" if self.entity_model is None else "middle"
        views = [training.view(split, number, stage=stage) for number in range(training.recipe.views)]
        for first in range(0, count, BATCH):
            rows = range(first, min(first + BATCH, count))
            seen = [features_of(view.plain(rows).to(device)) for view in views]
            parts.append(torch.stack(seen).mean(0).float().cpu())
        return torch.cat(parts)


@dataclass(frozen=True)
class EntityFeatures:
    """What an entity model predicts of films, as features: presence of 75 entities, then its pooled patches."""

    model: EntityModel

    def __call__(self, films: Tensor) -> Tensor:
        """``B x 1 x H x W -> B x (75 + w)``."""
        output = self.model(films)
        present = output.presence_logits[..., 1] - output.presence_logits[..., 0]
        return torch.cat((present.float(), output.pooled.float()), -1)


@dataclass(frozen=True)
class BankStep:
    """The memory as it starts, with its marginal errors and the use of its slots; a plan that is not met ends the run.

    ``images`` and ``texts`` are v and t of the training studies (N x D_M each).
    """

    name: ClassVar[str] = "bank"
    training: Training
    alignment_step: Step
    images: Tensor
    texts: Tensor
    start: SlotsConfig

    @property
    def inputs(self) -> dict[str, Any]:
        return {
            "alignment": self.alignment_step.key,
            "start": to_mapping(self.start),
            "seed": self.training.recipe.seed,
        }

    def build(self, folder: Path) -> dict[str, Any]:
        training = self.training
        device = training.fabric(training.recipe.alignment_training).device
        places = (self.images.to(device), self.texts.to(device))
        slots = initial_slots(*places, self.start, training.recipe.seed, self.rarest_conditions().to(device))
        measured = {name: value for name, value in slots._asdict().items() if not isinstance(value, Tensor)}
        ids = [study.study_id for study in training.studies("train")]
        start = {
            "mode": self.start.mode,
            **measured,
            "usage": [round(share, 6) for share in slots.usage.tolist()],
            "encoders": fingerprint_of(read_tensors(self.alignment_step.folder / "heads.safetensors"), {}),
            "training_ids": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
        }
        write_tensors(folder / "slots.safetensors", {"slots": slots.vectors})
        write_json(folder / "memory.json", start)
        return measured

    def rarest_conditions(self) -> Tensor:
        """Of each training study the rarest positive condition (N), by which a subset of a large split is drawn."""
        labels = torch.tensor([study.labels for study in self.training.studies("train")])
        positive = labels[:, :CHEXBERT_COUNT] == POSITIVE
        rarity = positive.float().mean(0).clamp(min=1e-9).reciprocal()
        return torch.where(positive.any(1), (positive * rarity).argmax(1), CHEXBERT_COUNT)
