"""The steps of a REVTAF training: what the entity model says of each film, the table of triplets, the generator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from radscribe.core.tensors import read_tensors, write_tensors
from radscribe.drafting.checkpoint import triplet_table
from radscribe.drafting.features import entities_of
from radscribe.drafting.system import System
from radscribe.models.classification import class_rates
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.encoders.image import ImageEncoder
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.revtaf import FilmEntities, Knowledge, Revtaf, RevtafConfig
from radscribe.training.cache import Step
from radscribe.training.loop.fit import fit
from radscribe.training.revtaf_generator import RevtafObjective, RevtafSplit, build_index, indexed_presence
from radscribe.training.steps import Steps, load
from radscribe.training.targets import writable


class RevtafSteps(Steps):
    def train(self) -> tuple[list[Step], System]:
        """All steps in order: those that were trained, and the trained system."""
        text_step, text_encoder, film_encoder = self.text_encoder()
        entity_step, entity_model = self.entity_model(text_step, text_encoder, film_encoder)
        features_step, features = self.features(entity_step, entity_model)
        database = self.database(text_step, text_encoder, features["train"].features)
        knowledge = Knowledge(database, self.triplets(text_step, text_encoder), database.report_vectors)
        generator_step, system = self.generator(
            features_step, text_encoder, entity_model, film_encoder, knowledge, features
        )
        return [text_step, entity_step, generator_step], system

    @property
    def model_config(self) -> RevtafConfig:
        assert isinstance(self.recipe.model, RevtafConfig)
        return self.recipe.model

    def features(self, entity_step: Step, model: EntityModel) -> tuple[Step, dict[str, FilmEntities]]:
        """What the entity model says of every film of the training and validation splits."""
        splits = ("train", "validate")

        def build(folder: Path) -> dict[str, Any]:
            device = self.fabric(self.recipe.entity_training).device
            model.to(device)
            for split in splits:
                entities = entities_of(model, self.films(split), len(self.studies(split)), device)
                write_tensors(folder / f"{split}.safetensors", entities._asdict())
            model.cpu()
            return {}

        step = self.cache.step("features", {"entity_model": entity_step.key}, build)
        return step, {split: FilmEntities(**read_tensors(step.folder / f"{split}.safetensors")) for split in splits}

    def triplets(self, text_step: Step, text_encoder: TextEncoder) -> torch.Tensor:
        """The table of all triplets as text vectors."""

        def build(folder: Path) -> dict[str, Any]:
            table = triplet_table(text_encoder, self.recipe.triplet_template)
            write_tensors(folder / "table.safetensors", {"table": table.half()})
            return {}

        inputs = {"text": text_step.key, "template": self.recipe.triplet_template}
        step = self.cache.step("triplets", inputs, build)
        return read_tensors(step.folder / "table.safetensors")["table"].float()

    def generator(
        self,
        features_step: Step,
        text_encoder: TextEncoder,
        entity_model: EntityModel,
        film_encoder: ImageEncoder | None,
        knowledge: Knowledge,
        features: dict[str, FilmEntities],
    ) -> tuple[Step, System]:
        recipe, config = self.recipe, self.model_config
        tokenizer = self.report_tokenizer(text_encoder)
        inputs = {"features": features_step.key, "template": recipe.triplet_template}
        splits = {
            name: RevtafSplit(
                films=self.films(name),
                labels=torch.tensor([study.labels for study in self.studies(name)]),
                reports=[writable(report) for report in self.reports(name)],
                entities=features[name],
                indexed=indexed_presence(config.retrieval, features[name], self.studies(name)),
            )
            for name in ("train", "validate")
        }

        def build(folder: Path) -> dict[str, Any]:
            torch.manual_seed(self.generator_seed)
            model = Revtaf(config, text_encoder.width, tokenizer)
            self.starts.begin(model.image_encoder, film_encoder, entity_model.image_encoder)
            self.start_generator(model)
            model.classification.positive_rates.copy_(class_rates(splits["train"].labels))
            run = self.run_of(folder, recipe.training, self.generator_seed)
            on_device = replace(
                knowledge,
                database=knowledge.database.to(run.fabric.device),
                table=knowledge.table.to(run.fabric.device),
                report_vectors=knowledge.report_vectors.to(run.fabric.device),
            )
            objective = RevtafObjective(
                model,
                on_device,
                splits["train"],
                splits["validate"],
                recipe.generator,
                recipe.search,
                self.generator_seed,
                self.strata(),
            )
            summary = fit(objective, recipe.training, run)
            write_tensors(folder / "generator.safetensors", dict(model.state_dict()))
            return summary

        step = self.generator_step(inputs, build)
        model = Revtaf(config, text_encoder.width, tokenizer)
        load(model, step.folder / "generator.safetensors")
        system = System(recipe.system(), text_encoder, model.eval().requires_grad_(False), entity_model, knowledge)
        if recipe.half_precision:  # what is shipped is what is indexed
            system.half().float()
        system.knowledge = build_index(model, knowledge, splits["train"].indexed, "")
        return step, system
