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
from radscribe.encoders.entity import EntityModel
from radscribe.encoders.image import ImageEncoder
from radscribe.encoders.text import TextEncoder
from radscribe.knowledge.slots import initial_slots
from radscribe.labels.conditions import CHEXBERT_COUNT, POSITIVE
from radscribe.models.mcsam import Mcsam, McsamConfig, SlotKnowledge
from radscribe.recipe import to_mapping
from radscribe.storage import read_json, read_tensors, write_json, write_tensors
from radscribe.system import System
from radscribe.training.alignment import AlignmentHeads, AlignmentObjective, PairFeatures, report_features
from radscribe.training.cache import Step
from radscribe.training.generator import Split
from radscribe.training.loop import fit
from radscribe.training.mcsam_generator import McsamObjective
from radscribe.training.steps import Steps, load
from radscribe.training.targets import writable
from radscribe.training.text_encoder import film_features

BATCH = 64
UNUSED_WIDTH = 128  # of the space that shows where studies lie, where no memory starts in it


class McsamSteps(Steps):
    def train(self) -> tuple[list[Step], System]:
        """All steps in order: those that were trained, and the trained system."""
        text_step, text_encoder, film_encoder = self.text_encoder()
        trained, entity_model = [text_step], None
        if self.recipe.entity_start:
            entity_step, entity_model = self.entity_model(text_step, text_encoder, film_encoder)
            trained.append(entity_step)
        alignment_step, images, texts = self.alignment(trained[-1], text_encoder, film_encoder, entity_model)
        database = self.database(text_step, text_encoder, functional.normalize(images + texts, dim=-1))
        knowledge, bank_step = SlotKnowledge(database), None
        if self.model_config.memory:
            bank_step, knowledge = self.bank(alignment_step, images, texts, knowledge)
        starts = [film_encoder, entity_model.image_encoder if entity_model else None]
        generator_step, system = self.generator(trained[-1], bank_step, text_encoder, starts, knowledge)
        return [*trained, alignment_step, generator_step], system

    @property
    def model_config(self) -> McsamConfig:
        assert isinstance(self.recipe.model, McsamConfig)
        return self.recipe.model

    def alignment(
        self,
        last_step: Step,
        text_encoder: TextEncoder,
        film_encoder: ImageEncoder | None,
        entity_model: EntityModel | None,
    ) -> tuple[Step, Tensor, Tensor]:
        """v and t (N x D_M each, unit rows): the training films and reports in one space.

        What the frozen encoders say of films (the entity model where there is one) and of reports is brought together
        by two heads; v is made of the mean over a study's views.
        """
        recipe, splits = self.recipe, ("train", "validate")
        width = self.model_config.memory.slot_width if self.model_config.memory else UNUSED_WIDTH

        def build(folder: Path) -> dict[str, Any]:
            torch.manual_seed(recipe.seed)
            found = {
                split: PairFeatures(
                    self.film_features(split, film_encoder, entity_model),
                    *report_features(text_encoder, self.reports(split)),
                )
                for split in splits
            }
            heads = AlignmentHeads(found["train"], width)
            objective = AlignmentObjective(heads, found["train"], found["validate"])
            run = self.run_of(folder, recipe.alignment_training)
            summary = fit(objective, recipe.alignment_training, run)
            heads.cpu()
            with torch.no_grad():
                places = {
                    "images": heads.films(found["train"].films),
                    "texts": heads.texts(found["train"].texts),
                }
            write_tensors(folder / "places.safetensors", places)
            return summary

        inputs = {
            "before": last_step.key,
            "views": recipe.views,
            "width": width,
            **self.training_inputs(recipe.alignment_training, recipe.entity_model.image_encoder),
        }
        step = self.cache.step("alignment", inputs, build)
        places = read_tensors(step.folder / "places.safetensors")
        return step, places["images"], places["texts"]

    @torch.no_grad()
    def film_features(self, split: str, film_encoder: ImageEncoder | None, entity_model: EntityModel | None) -> Tensor:
        """What the frozen film encoder says of each study of a split, the mean over its views: N x d_v, on the CPU."""
        device = self.fabric(self.recipe.alignment_training).device
        if entity_model is None and film_encoder is None:
            film_encoder = self.starts.begin(ImageEncoder(self.recipe.entity_model.image_encoder), None)

        def of(films: Tensor) -> Tensor:
            if entity_model is None:
                assert film_encoder is not None
                return film_features(film_encoder.to(device).eval(), films)
            output = entity_model.to(device)(films)
            present = output.presence_logits[..., 1] - output.presence_logits[..., 0]
            return torch.cat((present.float(), output.pooled.float()), -1)

        count, parts = len(self.studies(split)), []
        views = [self.view(split, number) for number in range(self.recipe.views)]
        for first in range(0, count, BATCH):
            rows = range(first, min(first + BATCH, count))
            parts.append(torch.stack([of(view.plain(rows).to(device)) for view in views]).mean(0).cpu())
        for network in (entity_model, film_encoder):
            if network is not None:
                network.cpu()
        return torch.cat(parts)

    def bank(
        self, alignment_step: Step, images: Tensor, texts: Tensor, knowledge: SlotKnowledge
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
                "encoders": alignment_step.key,
                "training_ids": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
            }
            write_tensors(folder / "slots.safetensors", {"slots": slots.vectors})
            write_json(folder / "memory.json", start)
            return told

        inputs = {"alignment": alignment_step.key, "start": to_mapping(memory.start), "seed": self.recipe.seed}
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
        starts: list[ImageEncoder | None],
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
