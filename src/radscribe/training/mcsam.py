"""MCSAM's training: films and reports in one space, the memory's start, and a generator of films and reports alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from radscribe.core.files import read_json
from radscribe.core.tensors import read_tensors
from radscribe.drafting.system import System
from radscribe.labels.conditions import CONDITIONS, POSITIVE
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.encoders.image import ImageEncoder
from radscribe.models.mcsam import Mcsam, McsamBatch, McsamConfig, McsamEvidence, SlotKnowledge
from radscribe.training.alignment import AlignmentStep, BankStep
from radscribe.training.cache import Step
from radscribe.training.database import reference_database
from radscribe.training.entity_model import entity_model
from radscribe.training.generator import GeneratorStep, ReportObjective, Split
from radscribe.training.recipe import GeneratorConfig
from radscribe.training.steps import SystemTraining
from radscribe.training.targets import writable
from radscribe.training.text_encoder import TrainedText, text_encoder


class McsamObjective(ReportObjective):
    """Trains ``Mcsam``."""

    def __init__(
        self,
        model: Mcsam,
        training: Split,
        validation: Split,
        config: GeneratorConfig,
        search: SearchConfig,
        seed: int,
        strata: NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__(model, model, training, validation, config, search, seed, strata)
        self.model, self.training, self.validation = model, training, validation
        # A contrast needs a second study.
        self.smallest_batch = 2 if model.config.alignment else 1
        known = {text: number for number, text in enumerate(dict.fromkeys(training.reports))}
        self.same = torch.tensor([known[text] for text in training.reports])

    def begin_epoch(self, epoch: int) -> None:
        """Nothing is kept between epochs."""

    def load(self, indices: list[int], epoch: int) -> McsamBatch:
        healthy = self.training.labels[indices, CONDITIONS.index("no finding")] == POSITIVE
        films = self.training.films.augmented(indices, epoch)
        return McsamBatch(films, self.words(indices), self.same[indices], healthy)

    def see(self, indices: list[int]) -> McsamEvidence:
        return self.model.see(self.validation.films.plain(indices).to(self.device))


@dataclass(frozen=True)
class McsamGeneratorStep(GeneratorStep):
    """The generator; its memory starts from ``bank_step``, its image encoder from one of ``encoders``."""

    text: TrainedText
    last_step: Step
    bank_step: Step | None
    encoders: tuple[ImageEncoder | None, ImageEncoder | None]
    config: McsamConfig

    @property
    def before(self) -> dict[str, Any]:
        return {"before": self.last_step.key, "bank": self.bank_step.key if self.bank_step else None}

    def new_model(self) -> Mcsam:
        return Mcsam(self.config, self.training.report_tokenizer(self.text.encoder))

    def begin(self, model: Mcsam) -> None:
        self.training.starts.begin(model.image_encoder, *self.encoders)
        if self.bank_step:
            with torch.no_grad():
                model.bank.slots.copy_(read_tensors(self.bank_step.folder / "slots.safetensors")["slots"])
        self.training.start_generator(model)

    def objective(self, model: Mcsam, device: torch.device) -> McsamObjective:
        recipe, seed = self.training.recipe, self.training.generator_seed
        splits = (self._split("train"), self._split("validate"))
        return McsamObjective(model, *splits, recipe.generator, recipe.search, seed, self.training.strata())

    def _split(self, name: str) -> Split:
        labels = torch.tensor([study.labels for study in self.training.studies(name)])
        reports = [writable(report) for report in self.training.reports(name)]
        return Split(self.training.films(name), labels, reports)


class McsamTraining(SystemTraining):
    """The steps of an MCSAM training: text encoder, entity model where asked for, alignment, memory, generator."""

    def train(self) -> tuple[list[Step], System]:
        training, recipe = self.training, self.training.recipe
        assert isinstance(recipe.model, McsamConfig)
        text = text_encoder(training)
        trained, entities = [text.step], None
        if recipe.entity_start:
            entity_step, entities = entity_model(training, text)
            trained.append(entity_step)
        last_step, bank_step = trained[-1], None
        features = torch.zeros(len(training.studies("train")), 0)  # without a memory nothing is near it
        start: Mapping[str, Any] | None = None
        if recipe.model.memory:
            alignment = AlignmentStep(training, text, last_step, entities, recipe.model.memory.slot_width)
            alignment_step = training.cache.step(alignment)
            trained.append(alignment_step)
            places = read_tensors(alignment_step.folder / "places.safetensors")
            images, texts = places["images"], places["texts"]
            bank_step = training.cache.step(
                BankStep(training, alignment_step, images, texts, recipe.model.memory.start)
            )
            features = functional.normalize(images + texts, dim=-1)
            start = read_json(bank_step.folder / "memory.json")
        knowledge = SlotKnowledge(reference_database(training, text, features), start)
        encoders = (text.film_encoder, entities.image_encoder if entities else None)
        last = McsamGeneratorStep(training, text, last_step, bank_step, encoders, recipe.model)
        generator_step, model = last.trained()
        system = System(recipe.system(), text.encoder, model, None, knowledge)
        if recipe.half_precision:
            system.half().float()
        return [*trained, generator_step], system
