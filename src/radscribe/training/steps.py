"""The cached steps that trainings of any system share: films, text encoder, entity model, sentence vectors."""

from __future__ import annotations

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
from torch import Tensor, nn

from radscribe.core.config import to_mapping
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.records import Study
from radscribe.core.tensors import fingerprint_of, read_tensors, write_tensors
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.films import Films, FilmSource, Views
from radscribe.models.decoding.tokenizer import ReportTokenizer, read_tokenizer, train_word_pieces
from radscribe.models.encoders.descriptions import DESCRIPTIONS
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.knowledge.database import ReportDatabase, build_database
from radscribe.models.knowledge.prompts import place_texts, sentence_table
from radscribe.training.cache import Step, StepCache
from radscribe.training.entity_model import EntityObjective
from radscribe.training.frozen import read_frozen, write_frozen
from radscribe.training.loop.fit import Run, best_precision, fit
from radscribe.training.loop.schedule import TrainingConfig
from radscribe.training.recipe import Recipe
from radscribe.training.text_encoder import SentenceFilmModel, TextEncoderObjective
from radscribe.weights.folder import Imported
from radscribe.weights.from_import import start_entity_model, start_generator
from radscribe.weights.starts import Starts


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


class Steps:
    """Each method is one cached step, and returns what later ones read."""

    def __init__(self, recipe: Recipe, dataset: PreparedDataset, options: Options) -> None:
        if options.max_steps is not None:  # a trial: the reports written for validation are bounded too
            bounded = min(recipe.generator.validation_studies, options.max_steps)
            recipe = replace(recipe, generator=replace(recipe.generator, validation_studies=bounded))
        self.recipe, self.dataset, self.options = recipe, dataset, options
        self.starts = Starts(options.weights, options.say)
        # With several devices each is a process of this one training, and none may wait for another here.
        self.cache = StepCache(options.cache, options.resume, options.say, locked=options.devices == 1)

    def check(self) -> None:
        self.dataset.require_section(self.recipe.section)
        for name in ("train", "validate"):
            if not self.studies(name):
                raise RadscribeError(f"{self.dataset.folder}: no study in the {name} split; prepare more studies")

    def studies(self, split: str) -> list[Study]:
        return self.dataset.split(split)

    def reports(self, split: str) -> list[str]:
        return [study.report(self.recipe.section) for study in self.studies(split)]

    @property
    def generator_seed(self) -> int:
        return self.recipe.seed if self.recipe.generator.seed is None else self.recipe.generator.seed

    def films(self, split: str) -> FilmSource:
        """The generator's films of a split's studies: those of all views that it reads, one behind the other."""
        count = self.recipe.views
        sources = [self.view(split, number, self.generator_seed) for number in range(count)]
        return Views(sources) if count > 1 else sources[0]

    def view(self, split: str, number: int = 0, seed: int | None = None) -> FilmSource:
        """One film of each study, the frontal (0) or the one beside it (1), augmented by ``seed`` (or the recipe's)."""
        seed = self.recipe.seed if seed is None else seed
        rows = [study.read(number + 1)[number].image_index for study in self.studies(split)]
        # Two views of one study are not augmented alike.
        films = Films(self.dataset.pixels, rows, self.recipe.film, seed + 1_000_003 * number)
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
        } | ({"view": number} if number else {})
        return read_frozen(self.cache.step(f"frozen-{split}", inputs, build).folder, split, films.seed)

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
        published = self.starts.text_encoder(config)
        if published is not None:
            inputs["weights"] = fingerprint_of(dict(published.state_dict()), {})
        else:
            inputs |= self.training_inputs(recipe.text_training, recipe.entity_model.image_encoder)

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
                self.view("train"),
                self.reports("validate"),
                self.view("validate"),
                recipe.triplet_template,
                recipe.seed,
            )
            summary = fit(objective, recipe.text_training, self.run_of(folder, recipe.text_training))
            encoder.cpu().standardise(sentence_table(self.reports("train"))[0])
            (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
            write_tensors(folder / "text_encoder.safetensors", dict(encoder.state_dict()))
            write_tensors(folder / "film_encoder.safetensors", dict(film_encoder.state_dict()))
            return summary

        step = self.cache.step("text-encoder", inputs, build)
        encoder = TextEncoder(config, read_tokenizer(step.folder / "tokenizer.json"))
        load(encoder, step.folder / "text_encoder.safetensors")
        film_encoder = None
        if (step.folder / "film_encoder.safetensors").exists():
            film_encoder = ImageEncoder(recipe.entity_model.image_encoder)
            load(film_encoder, step.folder / "film_encoder.safetensors")
        return step, encoder.eval().requires_grad_(False), film_encoder

    def entity_model(
        self, text_step: Step, text_encoder: TextEncoder, film_encoder: ImageEncoder | None
    ) -> tuple[Step, EntityModel]:
        """Trained on the training split's triplets, or taken whole from the recipe's ``entity_weights``."""
        recipe = self.recipe
        imported = self.starts.imported(recipe.entity_weights, "entity_weights") if recipe.entity_weights else None
        inputs = {"text": text_step.key, "entity_model": to_mapping(recipe.entity_model)}
        if imported:
            inputs |= {"imported": imported.content}
        else:
            inputs |= self.training_inputs(recipe.entity_training, recipe.entity_model.image_encoder)

        def build(folder: Path) -> dict[str, Any]:
            torch.manual_seed(recipe.seed)
            model = EntityModel(recipe.entity_model, text_encoder.width)
            if not (imported and start_entity_model(imported, model)):
                model.descriptions.copy_(text_encoder.encode(list(DESCRIPTIONS.values())))
                model.places.copy_(text_encoder.encode(place_texts()))
            if imported:
                write_tensors(folder / "entity_model.safetensors", dict(model.state_dict()))
                return {"source": recipe.entity_weights}
            self.starts.begin(model.image_encoder, film_encoder)
            triplets = {name: [study.triplets for study in self.studies(name)] for name in ("train", "validate")}
            objective = EntityObjective(
                model,
                self.view("train"),
                triplets["train"],
                self.view("validate"),
                triplets["validate"],
                self.strata(),
            )
            summary = fit(objective, recipe.entity_training, self.run_of(folder, recipe.entity_training))
            write_tensors(folder / "entity_model.safetensors", dict(model.state_dict()))
            return summary

        step = self.cache.step("entity-model", inputs, build)
        model = EntityModel(recipe.entity_model, text_encoder.width)
        load(model, step.folder / "entity_model.safetensors")
        return step, model.eval().requires_grad_(False)

    def database(self, text_step: Step, text_encoder: TextEncoder, features: Tensor) -> ReportDatabase:
        """The reference database of the training split, with what tells its films apart (``features``, N x w)."""
        studies, own = self.studies("train"), self.dataset.table.column_names
        named = self.dataset.column("report_id") if "report_id" in own else None
        ids = [named[study.study_id] for study in studies] if named else None
        built: list[ReportDatabase] = []

        def build(folder: Path) -> dict[str, Any]:
            built.append(build_database(studies, self.recipe.section, features, text_encoder, ids))
            write_tensors(folder / "vectors.safetensors", {"sentences": built[0].sentence_vectors})
            return {"sentences": len(built[0].sentence_vectors)}

        step = self.cache.step("sentences", {"text": text_step.key}, build)
        if built:
            return built[0]
        vectors = read_tensors(step.folder / "vectors.safetensors")["sentences"]
        return build_database(studies, self.recipe.section, features, text_encoder, ids, vectors)

    def training_inputs(self, config: TrainingConfig, encoder: ImageEncoderConfig) -> dict[str, Any]:
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

    def fabric(self, config: TrainingConfig) -> Fabric:
        precision: Any = best_precision(config.precision)
        options = self.options
        try:
            return Fabric(accelerator=options.accelerator, devices=options.devices, precision=precision)
        except (ValueError, RuntimeError) as error:  # MisconfigurationException is none of Fabric's public names
            raise WrongUse(f"--accelerator {options.accelerator} --devices {options.devices}: {error}") from None

    def run_of(self, folder: Path, config: TrainingConfig, seed: int | None = None) -> Run:
        fabric, options = self.fabric(config), self.options
        fabric.launch()
        seed = self.recipe.seed if seed is None else seed
        return Run(folder, fabric, seed, options.max_steps, options.resume, options.say)

    @property
    def generator_start(self) -> Imported | None:
        """The imported folder that the generator, or its decoder alone, starts from."""
        for option in ("decoder_weights", "generator_weights"):
            if name := getattr(self.recipe, option):
                return self.starts.imported(name, option)
        return None

    def report_tokenizer(self, text_encoder: TextEncoder) -> ReportTokenizer:
        """The words of the imported decoder where there is one, else the text encoder's own, with [DEC] and the state
        tokens behind them."""
        imported = self.generator_start
        words = imported.tokenizer() if imported and imported.part("decoder") else None
        return ReportTokenizer(words or Tokenizer.from_str(text_encoder.tokenizer.to_str()))

    def start_generator(self, model: nn.Module) -> None:
        """Gives a new generator what the recipe's imported folder holds for it."""
        if imported := self.generator_start:
            start_generator(imported, model, ("decoder",) if self.recipe.decoder_weights else None, self.options.say)

    def generator_step(self, inputs: dict[str, Any], build: Callable[[Path], dict[str, Any]]) -> Step:
        """The last step, cached where the options keep it."""
        recipe = self.recipe
        inputs |= {
            "model": to_mapping(recipe.model),
            "generator": to_mapping(recipe.generator),
            "search": to_mapping(replace(recipe.search, beams=recipe.generator.validation_beams)),
            **self.training_inputs(recipe.training, recipe.model.image_encoder),
        }
        if imported := self.generator_start:
            inputs |= {"imported": imported.content, "decoder_alone": bool(recipe.decoder_weights)}
        folder = self.options.generator_cache or self.cache.folder
        return replace(self.cache, folder=folder).step("generator", inputs, build)


def load(module: nn.Module, path: Path) -> None:
    module.load_state_dict(read_tensors(path))
