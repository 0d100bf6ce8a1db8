"""The steps of an MCSAM training: where studies lie among each other, the memory's start, the generator."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from radscribe.decoding.tokenizer import ReportTokenizer
from radscribe.encoders.image import ImageEncoder
from radscribe.encoders.text import TextEncoder
from radscribe.knowledge.prompts import split_sentences
from radscribe.knowledge.slots import initial_slots
from radscribe.labels.conditions import CHEXBERT_COUNT, POSITIVE
from radscribe.models.mcsam import Mcsam, McsamConfig, SlotKnowledge
from radscribe.recipe import to_mapping
from radscribe.storage import read_json, read_tensors, write_json, write_tensors
from radscribe.system import System
from radscribe.training.cache import Step
from radscribe.training.generator import Split
from radscribe.training.loop import fit
from radscribe.training.mcsam_generator import McsamObjective
from radscribe.training.steps import Steps, load
from radscribe.training.targets import writable
from radscribe.training.text_encoder import SentenceFilmModel

BATCH = 64


class McsamSteps(Steps):
    def train(self) -> tuple[list[Step], System]:
        """All steps in order: those that were trained, and the trained system."""
        text_step, text_encoder, film_encoder = self.text_encoder()
        trained, starts = [text_step], [film_encoder] if film_encoder else []
        if self.recipe.entity_start:
            entity_step, entity_model = self.entity_model(text_step, text_encoder, film_encoder)
            trained.append(entity_step)
            starts.append(entity_model.image_encoder)
        places_step, images, texts = self.places(text_step, text_encoder)
        database = self.database(text_step, text_encoder, functional.normalize(images + texts, dim=-1))
        knowledge = SlotKnowledge(database)
        bank_step = None
        if self.model_config.memory:
            bank_step, knowledge = self.bank(places_step, images, texts, knowledge)
        generator_step, system = self.generator(trained[-1], bank_step, text_encoder, starts, knowledge)
        return [*trained, generator_step], system

    @property
    def model_config(self) -> McsamConfig:
        assert isinstance(self.recipe.model, McsamConfig)
        return self.recipe.model

    def places(self, text_step: Step, text_encoder: TextEncoder) -> tuple[Step, Tensor, Tensor]:
        """v and t (N x D_M each, unit rows): the training films and reports under one frozen, aligned pair of encoders.

        v is the mean over a study's views, t that over its report's sentences.
        """

        def build(folder: Path) -> dict[str, Any]:
            pair = SentenceFilmModel(text_encoder, ImageEncoder(self.recipe.entity_model.image_encoder))
            load(pair, text_step.folder / "sentence_film.safetensors")
            device = self.fabric(self.recipe.training).device
            images, texts = place_studies(pair.eval().to(device), self)
            text_encoder.cpu()
            write_tensors(folder / "places.safetensors", {"images": images, "texts": texts})
            return {}

        step = self.cache.step("places", {"text": text_step.key, "views": self.recipe.views}, build)
        found = read_tensors(step.folder / "places.safetensors")
        return step, found["images"], found["texts"]

    def bank(
        self, places_step: Step, images: Tensor, texts: Tensor, knowledge: SlotKnowledge
    ) -> tuple[Step, SlotKnowledge]:
        """M as it starts, with its marginal errors and the use of its slots; a plan that is not met ends the run."""
        memory = self.model_config.memory
        assert memory is not None
        ids = [study.study_id for study in self.studies("train")]

        def build(folder: Path) -> dict[str, Any]:
            slots = initial_slots(images, texts, memory.start, self.recipe.seed, self.rarest_conditions())
            told = {name: value for name, value in slots._asdict().items() if not isinstance(value, Tensor)}
            usage = [round(share, 6) for share in slots.usage.tolist()]
            start = {
                "mode": memory.start.mode,
                **told,
                "usage": usage,
                "encoders": places_step.key,
                "training_ids": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
            }
            write_tensors(folder / "slots.safetensors", {"slots": slots.vectors})
            write_json(folder / "memory.json", start)
            return told

        inputs = {"places": places_step.key, "start": to_mapping(memory.start), "seed": self.recipe.seed}
        step = self.cache.step("bank", inputs, build)
        return step, replace(knowledge, start=read_json(step.folder / "memory.json"))

    def rarest_conditions(self) -> Tensor:
        """Of each training study the rarest positive condition (N), by which a subset of a large split is drawn."""
        positive = torch.tensor([study.labels for study in self.studies("train")])[:, :CHEXBERT_COUNT] == POSITIVE
        rarity = positive.float().mean(0).clamp(min=1e-9).reciprocal()
        return torch.where(positive.any(1), (positive * rarity).argmax(1), CHEXBERT_COUNT)

    def generator(
        self,
        last_step: Step,
        bank_step: Step | None,
        text_encoder: TextEncoder,
        starts: list[ImageEncoder],
        knowledge: SlotKnowledge,
    ) -> tuple[Step, System]:
        recipe, config = self.recipe, self.model_config
        tokenizer = ReportTokenizer(Tokenizer.from_str(text_encoder.tokenizer.to_str()))
        inputs = {
            "before": last_step.key,
            "bank": bank_step.key if bank_step else None,
        }

        def build(folder: Path) -> dict[str, Any]:
            torch.manual_seed(self.generator_seed)
            model = Mcsam(config, tokenizer)
            self.starts.begin(model.image_encoder, *starts)
            if bank_step:
                with torch.no_grad():
                    model.bank.slots.copy_(read_tensors(bank_step.folder / "slots.safetensors")["slots"])
            training, validation = (
                Split(
                    self.films(name),
                    torch.tensor([study.labels for study in self.studies(name)]),
                    [writable(report) for report in self.reports(name)],
                )
                for name in ("train", "validate")
            )
            run = self.run_of(folder, recipe.training, self.generator_seed)
            objective = McsamObjective(
                model, training, validation, recipe.generator, recipe.search, self.generator_seed, self.strata()
            )
            summary = fit(objective, recipe.training, run)
            write_tensors(folder / "generator.safetensors", dict(model.state_dict()))
            return summary

        step = self.generator_step(inputs, build)
        model = Mcsam(config, tokenizer)
        load(model, step.folder / "generator.safetensors")
        system = System(recipe.system(), text_encoder, model.eval().requires_grad_(False), None, knowledge)
        if recipe.half_precision:
            system.half().float()
        return step, system


@torch.no_grad()
def place_studies(pair: SentenceFilmModel, steps: Steps) -> tuple[Tensor, Tensor]:
    """Unit rows v and t of the training split, N x D_M each, on the CPU."""
    reports = [split_sentences(report) for report in steps.reports("train")]
    distinct = list(dict.fromkeys(sentence for report in reports for sentence in report))
    row = {sentence: position for position, sentence in enumerate(distinct)}
    parts = [pair.place_sentences(distinct[first : first + BATCH]) for first in range(0, len(distinct), BATCH)]
    sentences = torch.cat(parts).cpu()
    texts = torch.stack([sentences[[row[sentence] for sentence in report]].mean(0) for report in reports])
    views = [steps.view("train", number) for number in range(steps.recipe.views)]
    images = torch.cat(
        [
            torch.stack([pair.place_films(view.plain(rows).to(pair.word_bias.device)) for view in views]).mean(0).cpu()
            for first in range(0, len(reports), BATCH)
            for rows in [range(first, min(first + BATCH, len(reports)))]
        ]
    )
    return functional.normalize(images.float(), dim=-1), functional.normalize(texts, dim=-1)
