"""MCSAM's training: films and reports in one space, the memory's start, and a generator of films and reports alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radscribe.core.files import read_json
from radscribe.core.tensors import read_tensors
from radscribe.drafting.system import System
from radscribe.models.classification import start_states
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.encoders.image import ImageEncoder
from radscribe.models.evidence import FilmEvidence
from radscribe.models.knowledge.memory import MemoryConfig
from radscribe.models.mcsam import Mcsam, McsamBatch, McsamConfig, McsamEvidence, SlotKnowledge
from radscribe.training.alignment import AlignmentStep, BankStep
from radscribe.training.cache import Step
from radscribe.training.database import reference_database
from radscribe.training.entity_model import entity_model
from radscribe.training.generator import GeneratorStep, ReportObjective, Split, targets
from radscribe.training.recipe import GeneratorConfig
from radscribe.training.steps import SystemTraining
from radscribe.training.text_encoder import TrainedText, text_encoder
from radscribe.training.topics import TopicsStep

# A slot with less than this part of an even share of the use is called dead.
_DEAD_SHARE = 0.1


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
        epochs: int,
        strata: NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__(model, model, training, validation, config, search, seed, strata)
        self.model, self.training, self.validation, self.epochs = model, training, validation, epochs
        # A contrast needs a second study.
        self.smallest_batch = 2 if model.config.alignment else 1
        known = {text: number for number, text in enumerate(dict.fromkeys(training.reports))}
        self.same = torch.tensor([known[text] for text in training.reports])

    def begin_epoch(self, epoch: int) -> None:
        """Nothing is kept between epochs."""

    def load(self, indices: list[int], epoch: int) -> McsamBatch:
        films = self.training.films.augmented(indices, epoch)
        progress = torch.tensor(epoch / self.epochs)
        return McsamBatch(films, self.words(indices), self.same[indices], self.training.labels[indices], progress)

    def see(self, indices: list[int]) -> McsamEvidence:
        return self.model.see(self.validation.films.plain(indices).to(self.device))

    def validate(self) -> dict[str, Any]:
        """Figures of the drafts, and how evenly patches and words use the slots of the memory."""
        figures, seen = self.written()
        return {**figures, **self.slot_use(seen)} if self.model.config.memory else figures

    @torch.no_grad()
    def slot_use(self, seen: Sequence[FilmEvidence]) -> dict[str, Any]:
        """``slots_used``, the exponential of the entropy of the slots' use as a share of them, and ``dead_slots``.

        By what the patches of the films ``seen`` and the words of their reports retrieve, in equal parts.
        """
        model, start, uses = self.model, self.model.tokenizer.start, list[Tensor]()
        of_films = [evidence.slot_weights for evidence in seen if isinstance(evidence, McsamEvidence)]
        if patches := [weights.mean(1) for weights in of_films if weights is not None]:
            uses.append(torch.cat(patches).mean(0))
        if model.reads_text:
            reports = self.validation.reports[: sum(map(len, seen))]
            # As the decoder reads them: behind the start token, which holds no word, and without the end.
            rows = [[start, *model.tokenizer.encode(report, self.config.max_words)[:-1]] for report in reports]
            words = [model.decoder.embed(torch.tensor([row], device=self.device)) for row in rows]
            uses.append(torch.cat([model.bank(embedded).weights[0, 1:] for embedded in words]).mean(0))
        if not uses:
            return {}
        use = torch.stack(uses).mean(0).float()
        dead = (use < _DEAD_SHARE / len(use)).nonzero()[:, 0]
        return {"slots_used": float(torch.special.entr(use).sum().exp()) / len(use), "dead_slots": dead.tolist()}


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
        if (head := self.training.labelled.head) and self.config.losses.states:
            start_states(model.states, head)
        self.training.start_generator(model)

    def objective(self, model: Mcsam, device: torch.device) -> McsamObjective:
        recipe, seed = self.training.recipe, self.training.generator_seed
        splits = (self._split("train"), self._split("validate"))
        epochs, strata = recipe.training.epochs, self.training.strata()
        return McsamObjective(model, *splits, recipe.generator, recipe.search, seed, epochs, strata)

    def _split(self, name: str) -> Split:
        labels = torch.tensor([study.labels for study in self.training.studies(name)])
        reports = targets(self.training.reports(name), self.training.recipe.generator)
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
            steps, features = self._memory(recipe.model.memory, text, last_step, entities)
            trained += steps
            bank_step = steps[-1]
            start = read_json(bank_step.folder / "memory.json")
        encoders = (text.film_encoder, entities.image_encoder if entities else None)
        last = McsamGeneratorStep(training, text, last_step, bank_step, encoders, recipe.model)
        generator_step, model = last.trained()
        if start is not None and bank_step is not None:
            began = read_tensors(bank_step.folder / "slots.safetensors")["slots"]
            kept = functional.cosine_similarity(began, model.bank.slots, dim=1).tolist()
            start = {**start, "kept": [round(cosine, 4) for cosine in kept]}
        knowledge = SlotKnowledge(reference_database(training, text, features), start)
        system = System(recipe.system(), text.encoder, model, None, knowledge)
        if recipe.half_precision:
            system.half().float()
        return [*trained, generator_step], system

    def _memory(
        self, memory: MemoryConfig, text: TrainedText, last_step: Step, entities: EntityModel | None
    ) -> tuple[list[Step], Tensor]:
        """The steps that start the memory, the slots' last; and where the training studies lie among the slots."""
        training = self.training
        if memory.start.mode == "ot_topic":
            topics_step = training.cache.step(TopicsStep(training, text, memory))
            return [topics_step], read_tensors(topics_step.folder / "slots.safetensors")["places"]
        alignment_step = training.cache.step(AlignmentStep(training, text, last_step, entities, memory.slot_width))
        places = read_tensors(alignment_step.folder / "places.safetensors")
        images, texts = places["images"], places["texts"]
        bank_step = training.cache.step(BankStep(training, alignment_step, images, texts, memory.start))
        return [alignment_step, bank_step], functional.normalize(images + texts, dim=-1)
