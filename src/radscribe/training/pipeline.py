"""`radscribe train`: text encoder, entity model, features, index, generator; then the checkpoint."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from radscribe.checkpoint import System, fingerprint_of, save_checkpoint, triplet_table
from radscribe.data.dataset import PreparedDataset
from radscribe.decoding.tokenizer import ReportTokenizer, read_tokenizer, train_word_pieces
from radscribe.encoders.descriptions import DESCRIPTIONS
from radscribe.encoders.entity import EntityModel
from radscribe.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.encoders.text import TextEncoder
from radscribe.encoders.weights import load_published_text_encoder
from radscribe.knowledge.database import ReportDatabase, build_database
from radscribe.knowledge.prompts import place_texts, sentence_table
from radscribe.models.classification import class_rates
from radscribe.models.revtaf import FilmEntities, Knowledge, Revtaf
from radscribe.recipe import to_mapping
from radscribe.storage import read_tensors, write_tensors
from radscribe.study import RadscribeError, Study, WrongUse
from radscribe.training.cache import Step, StepCache
from radscribe.training.entity_model import EntityObjective
from radscribe.training.features import entities_of
from radscribe.training.films import Films, FilmSource
from radscribe.training.frozen import read_frozen, write_frozen
from radscribe.training.generator import GeneratorObjective, Split, build_index, indexed_presence
from radscribe.training.loop import Run, best_precision, fit
from radscribe.training.plan import Recipe
from radscribe.training.report import write_training_report
from radscribe.training.schedule import TrainingConfig
from radscribe.training.starts import Starts
from radscribe.training.targets import writable
from radscribe.training.text_encoder import SentenceFilmModel, TextEncoderObjective


@dataclass(frozen=True)
class Options:
    """How a training runs, as against what is trained: none of it changes a result but ``max_steps``.

    ``generator_cache``: where the generator's step is kept, if not with the others in ``cache``.
    """

    cache: Path
    resume: bool = False
    max_steps: int | None = None
    accelerator: str = "auto"
    devices: int = 1
    weights: Path = Path("weights")
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)
    generator_cache: Path | None = None


def train(recipe: Recipe, dataset: PreparedDataset, out: Path, options: Options) -> Path:
    """Trains ``recipe`` on ``dataset`` and writes the checkpoint folder ``out``."""
    return Pipeline(recipe, dataset, options).run(out)


class Pipeline:
    """The five cached steps in order; each method is one step and returns what the next ones read."""

    def __init__(self, recipe: Recipe, dataset: PreparedDataset, options: Options) -> None:
        if options.max_steps is not None:  # a trial: the reports written for validation are bounded too
            bounded = min(recipe.generator.validation_studies, options.max_steps)
            recipe = replace(recipe, generator=replace(recipe.generator, validation_studies=bounded))
        self.recipe, self.dataset, self.options = recipe, dataset, options
        self.starts = Starts(options.weights, options.say)
        # With several devices each is a process of this one training, and none may wait for another here.
        self.cache = StepCache(options.cache, options.resume, options.say, locked=options.devices == 1)

    def run(self, out: Path) -> Path:
        self._check()
        out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be written is told before hours of work
        text_step, text_encoder, film_encoder = self.text_encoder()
        entity_step, entity_model = self.entity_model(text_step, text_encoder, film_encoder)
        features_step, features = self.features(entity_step, entity_model)
        knowledge = self.index(features_step, text_encoder, features)
        generator_step, system = self.generator(
            features_step, text_encoder, entity_model, film_encoder, knowledge, features
        )
        about = {
            "recipe": to_mapping(self.recipe),
            "dataset": {
                "fingerprint": self.dataset.fingerprint,
                "weakly_paired": bool(self.dataset.manifest.get("weakly_paired", False)),
                "studies": {name: counts["studies"] for name, counts in self.dataset.manifest["counts"].items()},
            },
            "measured": {
                step.folder.name.rpartition("-")[0]: step.summary for step in (text_step, entity_step, generator_step)
            },
        }
        for measured in about["measured"].values():
            measured.pop("inputs", None)
        save_checkpoint(out, system, about, self.recipe.half_precision, self.recipe.store_reports)
        write_training_report(out, [text_step, entity_step, generator_step], about)
        board = generator_step.folder / "tensorboard"
        if board.exists():
            shutil.copytree(board, out / "tensorboard", dirs_exist_ok=True)
        self.options.say(f"checkpoint: {out}")
        return out

    def _check(self) -> None:
        self.dataset.require_section(self.recipe.section)
        for name in ("train", "validate"):
            if not self.studies(name):
                raise RadscribeError(f"{self.dataset.folder}: no study in the {name} split; prepare more studies")

    def studies(self, split: str) -> list[Study]:
        return self.dataset.split(split)

    def reports(self, split: str) -> list[str]:
        return [study.report(self.recipe.section) for study in self.studies(split)]

    def films(self, split: str, seed: int | None = None) -> FilmSource:
        """The films of ``split``, augmented by ``seed`` (default: the recipe's)."""
        seed = self.recipe.seed if seed is None else seed
        rows = [study.frontal.image_index for study in self.studies(split)]
        films = Films(self.dataset.pixels, rows, self.recipe.film, seed)
        if not self.recipe.cache_frozen_blocks:
            return films
        config = self.recipe.model.image_encoder

        def build(folder: Path) -> dict[str, Any]:
            encoder = self.starts.begin(ImageEncoder(config), None).eval()
            write_frozen(encoder, films, folder, split, wide=split == "train")
            return {}

        inputs = {
            "dataset": self.dataset.fingerprint,
            "film": to_mapping(self.recipe.film),
            "image_encoder": to_mapping(config),
            "weights": self.starts.content(config),
        }
        return read_frozen(self.cache.step(f"frozen-{split}", inputs, build).folder, split, seed)

    def strata(self) -> NDArray[np.int64] | None:
        """The image source of each training study as a number, where the recipe balances them."""
        if not self.recipe.balance_sources or "image_source" not in self.dataset.table.column_names:
            return None
        sources = self.dataset.column("image_source")
        return np.unique([sources[study.study_id] for study in self.studies("train")], return_inverse=True)[1]

    def text_encoder(self) -> tuple[Step, TextEncoder, ImageEncoder | None]:
        """A published BERT where the recipe names one that can be had, else a small one trained here."""
        recipe, config = self.recipe, self.recipe.text_encoder
        inputs: dict[str, Any] = {
            "dataset": self.dataset.fingerprint,
            "section": recipe.section,
            "text_encoder": to_mapping(config),
            "template": recipe.triplet_template,
        }
        published = load_published_text_encoder(config, self.options.say) if config.source else None
        if published is not None:
            inputs["weights"] = fingerprint_of(dict(published.state_dict()), {})
        else:
            inputs |= self._training_inputs(recipe.text_training, recipe.entity_model.image_encoder)

        def build(folder: Path) -> dict[str, Any]:
            if published is not None:
                (folder / "tokenizer.json").write_text(published.tokenizer.to_str(), encoding="utf-8")
                write_tensors(folder / "text_encoder.safetensors", dict(published.state_dict()))
                return {"source": config.source}
            tokenizer = train_word_pieces(self.reports("train"), config.vocabulary_size)
            torch.manual_seed(recipe.seed)
            encoder = TextEncoder(config, tokenizer)
            film_encoder = self.starts.begin(ImageEncoder(recipe.entity_model.image_encoder), None)
            model = SentenceFilmModel(encoder, film_encoder)
            objective = TextEncoderObjective(
                model,
                self.reports("train"),
                self.films("train"),
                self.reports("validate"),
                self.films("validate"),
                recipe.triplet_template,
                recipe.seed,
            )
            summary = fit(objective, recipe.text_training, self._run(folder, recipe.text_training))
            encoder.cpu().standardise(sentence_table(self.reports("train"))[0])
            (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
            write_tensors(folder / "text_encoder.safetensors", dict(encoder.state_dict()))
            write_tensors(folder / "film_encoder.safetensors", dict(film_encoder.state_dict()))
            return summary

        step = self.cache.step("text-encoder", inputs, build)
        encoder = TextEncoder(config, read_tokenizer(step.folder / "tokenizer.json"))
        _load(encoder, step.folder / "text_encoder.safetensors")
        film_encoder = None
        if (step.folder / "film_encoder.safetensors").exists():
            film_encoder = ImageEncoder(recipe.entity_model.image_encoder)
            _load(film_encoder, step.folder / "film_encoder.safetensors")
        return step, encoder.eval().requires_grad_(False), film_encoder

    def entity_model(
        self, text_step: Step, text_encoder: TextEncoder, film_encoder: ImageEncoder | None
    ) -> tuple[Step, EntityModel]:
        recipe = self.recipe
        inputs = {
            "text": text_step.key,
            "entity_model": to_mapping(recipe.entity_model),
            **self._training_inputs(recipe.entity_training, recipe.entity_model.image_encoder),
        }

        def build(folder: Path) -> dict[str, Any]:
            torch.manual_seed(recipe.seed)
            model = EntityModel(recipe.entity_model, text_encoder.width)
            model.descriptions.copy_(text_encoder.encode(list(DESCRIPTIONS.values())))
            model.places.copy_(text_encoder.encode(place_texts()))
            self.starts.begin(model.image_encoder, film_encoder)
            triplets = {name: [study.triplets for study in self.studies(name)] for name in ("train", "validate")}
            objective = EntityObjective(
                model,
                self.films("train"),
                triplets["train"],
                self.films("validate"),
                triplets["validate"],
                self.strata(),
            )
            summary = fit(objective, recipe.entity_training, self._run(folder, recipe.entity_training))
            write_tensors(folder / "entity_model.safetensors", dict(model.state_dict()))
            return summary

        step = self.cache.step("entity-model", inputs, build)
        model = EntityModel(recipe.entity_model, text_encoder.width)
        _load(model, step.folder / "entity_model.safetensors")
        return step, model.eval().requires_grad_(False)

    def features(self, entity_step: Step, model: EntityModel) -> tuple[Step, dict[str, FilmEntities]]:
        """What the entity model says of every film of the training and validation splits."""
        splits = ("train", "validate")

        def build(folder: Path) -> dict[str, Any]:
            device = self._fabric(self.recipe.entity_training).device
            model.to(device)
            for split in splits:
                entities = entities_of(model, self.films(split), len(self.studies(split)), device)
                write_tensors(folder / f"{split}.safetensors", entities._asdict())
            model.cpu()
            return {}

        step = self.cache.step("features", {"entity_model": entity_step.key}, build)
        return step, {split: FilmEntities(**read_tensors(step.folder / f"{split}.safetensors")) for split in splits}

    def index(self, features_step: Step, text_encoder: TextEncoder, features: dict[str, FilmEntities]) -> Knowledge:
        """The reference database of the training split, and the table of all triplets as text vectors."""
        inputs = {"features": features_step.key, "template": self.recipe.triplet_template}
        sources: list[ReportDatabase] = []

        def database(vectors: torch.Tensor | None) -> ReportDatabase:
            studies = self.studies("train")
            own = self.dataset.table.column_names
            report_ids = self.dataset.column("report_id") if "report_id" in own else None
            return build_database(
                studies,
                self.recipe.section,
                features["train"].features,
                text_encoder,
                [report_ids[study.study_id] for study in studies] if report_ids else None,
                vectors,
            )

        def build(folder: Path) -> dict[str, Any]:
            sources.append(database(None))
            table = triplet_table(text_encoder, self.recipe.triplet_template).half().float()  # as it is stored
            write_tensors(folder / "vectors.safetensors", {"sentences": sources[0].sentence_vectors, "table": table})
            return {"sentences": len(sources[0].sentence_vectors)}

        step = self.cache.step("index", inputs, build)
        vectors = read_tensors(step.folder / "vectors.safetensors")
        found = sources[0] if sources else database(vectors["sentences"])
        return Knowledge(found, vectors["table"], found.report_vectors)

    def generator(
        self,
        features_step: Step,
        text_encoder: TextEncoder,
        entity_model: EntityModel,
        film_encoder: ImageEncoder | None,
        knowledge: Knowledge,
        features: dict[str, FilmEntities],
    ) -> tuple[Step, System]:
        recipe = self.recipe
        seed = recipe.seed if recipe.generator.seed is None else recipe.generator.seed
        # The text encoder's own vocabulary, with [DEC] and the state tokens behind it.
        tokenizer = ReportTokenizer(Tokenizer.from_str(text_encoder.tokenizer.to_str()))
        inputs = {
            "features": features_step.key,
            "model": to_mapping(recipe.model),
            "generator": to_mapping(recipe.generator),
            "search": to_mapping(recipe.search),
            "template": recipe.triplet_template,
            **self._training_inputs(recipe.training, recipe.model.image_encoder),
        }
        splits = {
            name: Split(
                self.films(name, seed),
                features[name],
                indexed_presence(recipe.model.retrieval, features[name], self.studies(name)),
                torch.tensor([study.labels for study in self.studies(name)]),
                [writable(report) for report in self.reports(name)],
            )
            for name in ("train", "validate")
        }

        def build(folder: Path) -> dict[str, Any]:
            torch.manual_seed(seed)
            model = Revtaf(recipe.model, text_encoder.width, tokenizer)
            self.starts.begin(model.image_encoder, film_encoder, entity_model.image_encoder)
            model.classification.positive_rates.copy_(class_rates(splits["train"].labels))
            run = self._run(folder, recipe.training, seed)
            on_device = replace(
                knowledge,
                database=knowledge.database.to(run.fabric.device),
                table=knowledge.table.to(run.fabric.device),
                report_vectors=knowledge.report_vectors.to(run.fabric.device),
            )
            objective = GeneratorObjective(
                model,
                on_device,
                splits["train"],
                splits["validate"],
                recipe.generator,
                recipe.search,
                seed,
                self.strata(),
            )
            summary = fit(objective, recipe.training, run)
            write_tensors(folder / "generator.safetensors", dict(model.state_dict()))
            return summary

        cache = replace(self.cache, folder=self.options.generator_cache or self.cache.folder)
        step = cache.step("generator", inputs, build)
        model = Revtaf(recipe.model, text_encoder.width, tokenizer)
        _load(model, step.folder / "generator.safetensors")
        system = System(recipe.system(), text_encoder, entity_model, model.eval().requires_grad_(False), knowledge)
        if recipe.half_precision:  # what is shipped is what is indexed
            system.half().float()
        system.knowledge = build_index(model, knowledge, splits["train"].indexed, "")
        return step, system

    def _training_inputs(self, config: TrainingConfig, encoder: ImageEncoderConfig) -> dict[str, Any]:
        return {
            "training": to_mapping(config),
            "film": to_mapping(self.recipe.film),
            "image_encoder": to_mapping(encoder),
            "seed": self.recipe.seed,
            "balance_sources": self.recipe.balance_sources,
            "weights": self.starts.content(encoder),
            "cache_frozen_blocks": self.recipe.cache_frozen_blocks,
            "max_steps": self.options.max_steps,
        }

    def _fabric(self, config: TrainingConfig) -> Fabric:
        precision: Any = best_precision(config.precision)
        options = self.options
        try:
            return Fabric(accelerator=options.accelerator, devices=options.devices, precision=precision)
        except (ValueError, RuntimeError) as error:  # MisconfigurationException is none of Fabric's public names
            raise WrongUse(f"--accelerator {options.accelerator} --devices {options.devices}: {error}") from None

    def _run(self, folder: Path, config: TrainingConfig, seed: int | None = None) -> Run:
        fabric = self._fabric(config)
        fabric.launch()
        options = self.options
        seed = self.recipe.seed if seed is None else seed
        return Run(folder, fabric, seed, options.max_steps, options.resume, options.say)


def _load(module: nn.Module, path: Path) -> None:
    module.load_state_dict(read_tensors(path))
