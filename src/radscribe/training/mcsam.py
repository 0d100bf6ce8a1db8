"""The steps of an MCSAM training: where studies lie among each other, the memory's start, the generator."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from radscribe.core.config import to_mapping
from radscribe.core.files import read_json, write_json
from radscribe.core.tensors import fingerprint_of, read_tensors, write_tensors
from radscribe.drafting.system import System
from radscribe.labels.conditions import CHEXBERT_COUNT, POSITIVE
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.encoders.image import ImageEncoder
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.knowledge.slots import initial_slots
from radscribe.models.mcsam import Mcsam, McsamConfig, SlotKnowledge
from radscribe.training.alignment import AlignmentHeads, AlignmentObjective, PairFeatures, report_features
from radscribe.training.cache import Step
from radscribe.training.generator import Split
from radscribe.training.loop.fit import fit
from radscribe.training.mcsam_generator import McsamObjective
from radscribe.training.steps import Steps, load
from radscribe.training.targets import writable
from radscribe.training.text_encoder import film_features

BATCH = 64


class McsamSteps(Steps):
    def train(self) -> tuple[list[Step], System]:
        """All steps in order: those that were trained, and the trained system."""
        text_step, text_encoder, film_encoder = self.text_encoder()
        trained, entity_model = [text_step], None
        if self.recipe.entity_start:
            entity_step, entity_model = self.entity_model(text_step, text_encoder, film_encoder)
            trained.append(entity_step)
        bank_step, features = None, torch.zeros(len(self.studies("train")), 0)  # without a memory nothing is near it
        last_step = trained[-1]
        if self.model_config.memory:
            alignment_step, images, texts = self.alignment(last_step, text_encoder, film_encoder, entity_model)
            trained.append(alignment_step)
            bank_step = self.bank(alignment_step, images, texts)
            features = functional.normalize(images + texts, dim=-1)
        database = self.database(text_step, text_encoder, features)
        start = read_json(bank_step.folder / "memory.json") if bank_step else None
        starts = [film_encoder, entity_model.image_encoder if entity_model else None]
        knowledge = SlotKnowledge(database, start)
        generator_step, system = self.generator(last_step, bank_step, text_encoder, starts, knowledge)
        return [*trained, generator_step], system

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
        recipe, memory = self.recipe, self.model_config.memory
        assert memory is not None
        width = memory.slot_width

        def build(folder: Path) -> dict[str, Any]:
            torch.manual_seed(recipe.seed)
            tell = self.teller(film_encoder, entity_model)
            found = {
                split: PairFeatures(
                    self.features_of_films(split, tell), *report_features(text_encoder, self.reports(split))
                )
                for split in ("train", "validate")
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
            write_tensors(folder / "heads.safetensors", dict(heads.state_dict()))
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

    def teller(self, film_encoder: ImageEncoder | None, entity_model: EntityModel | None) -> Callable[[Tensor], Tensor]:
        """What tells films apart for the heads, B x 1 x H x W -> B x d_v: the entity model where there is one, else the
        film encoder that was trained beside the text encoder, else the image encoder as it starts."""
        device = self.fabric(self.recipe.alignment_training).device
        if entity_model is not None:
            seen = entity_model.to(device).eval()

            def entities(films: Tensor) -> Tensor:
                output = seen(films)
                present = output.presence_logits[..., 1] - output.presence_logits[..., 0]
                return torch.cat((present.float(), output.pooled.float()), -1)

            return entities
        if film_encoder is not None:
            return partial(film_features, film_encoder.to(device).eval())
        encoder = self.starts.begin(ImageEncoder(self.recipe.entity_model.image_encoder), None).to(device).eval()
        return lambda films: encoder(films).mean(1)

    @torch.no_grad()
    def features_of_films(self, split: str, tell: Callable[[Tensor], Tensor]) -> Tensor:
        """``tell`` of each study of a split, the mean over its views: N x d_v, on the CPU."""
        device = self.fabric(self.recipe.alignment_training).device
        count, parts = len(self.studies(split)), []
        views = [self.view(split, number) for number in range(self.recipe.views)]
        for first in range(0, count, BATCH):
            rows = range(first, min(first + BATCH, count))
            parts.append(torch.stack([tell(view.plain(rows).to(device)) for view in views]).mean(0).float().cpu())
        return torch.cat(parts)

    def bank(self, alignment_step: Step, images: Tensor, texts: Tensor) -> Step:
        """M as it starts, with its marginal errors and the use of its slots; a plan that is not met ends the run."""
        memory = self.model_config.memory
        assert memory is not None
        ids = [study.study_id for study in self.studies("train")]

        def build(folder: Path) -> dict[str, Any]:
            device = self.fabric(self.recipe.alignment_training).device
            on_device = (images.to(device), texts.to(device), memory.start, self.recipe.seed)
            slots = initial_slots(*on_device, self.rarest_conditions().to(device))
            told = {name: value for name, value in slots._asdict().items() if not isinstance(value, Tensor)}
            start = {
                "mode": memory.start.mode,
                **told,
                "usage": [round(share, 6) for share in slots.usage.tolist()],
                "encoders": fingerprint_of(read_tensors(alignment_step.folder / "heads.safetensors"), {}),
                "training_ids": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
            }
            write_tensors(folder / "slots.safetensors", {"slots": slots.vectors})
            write_json(folder / "memory.json", start)
            return told

        inputs = {"alignment": alignment_step.key, "start": to_mapping(memory.start), "seed": self.recipe.seed}
        return self.cache.step("bank", inputs, build)

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
        tokenizer = self.report_tokenizer(text_encoder)
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
            self.start_generator(model)
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
