"""What the cached steps of a training share: its recipe, its data, what networks start from, and the cache."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from radscribe.core.config import to_mapping
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.records import Study
from radscribe.core.tensors import read_tensors
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.films import Films, FilmSource, Views
from radscribe.drafting.system import System
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.encoders.image import ImageEncoderConfig, Stage
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.report_model import Knowledge
from radscribe.training.cache import Step, StepCache
from radscribe.training.frozen import UNLABELLED, FrozenFilmsStep, LabelledStart, read_frozen
from radscribe.training.loop.fit import Run, best_precision
from radscribe.training.loop.schedule import TrainingConfig
from radscribe.training.recipe import Recipe
from radscribe.weights.folder import Imported
from radscribe.weights.from_import import start_generator
from radscribe.weights.starts import Starts


@dataclass(frozen=True)
class Options:
    """How a training runs, as against what is trained: none of it changes a result but ``max_steps`` and ``labelled``.

    ``generator_cache``: where the generator's step is kept, if not with the others in ``cache``. ``labelled``: datasets
    of films with labels and without reports, for a recipe with ``label_training``.
    """

    cache: Path
    resume: bool = False
    max_steps: int | None = None
    accelerator: str = "auto"
    devices: int = 1
    weights: Path = Path("weights")
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)
    generator_cache: Path | None = None
    labelled: tuple[PreparedDataset, ...] = ()


class Training:
    """One training: the recipe, the prepared dataset and the options that its steps read."""

    def __init__(
        self, recipe: Recipe, dataset: PreparedDataset, options: Options, labelled: LabelledStart = UNLABELLED
    ) -> None:
        if options.max_steps is not None:  # a trial: the reports written for validation are bounded too
            bounded = min(recipe.generator.validation_studies, options.max_steps)
            recipe = replace(recipe, generator=replace(recipe.generator, validation_studies=bounded))
        self.recipe, self.dataset, self.options, self.labelled = recipe, dataset, options, labelled
        self.starts = Starts(options.weights, options.say)
        # With several devices each is a process of this one training, and none may wait for another here.
        self.cache = StepCache(options.cache, options.resume, options.say, locked=options.devices == 1)

    def starting_from(self, labelled: LabelledStart) -> Training:
        """The same training, whose image encoders all start from the one that was trained on films' labels."""
        return Training(self.recipe, self.dataset, self.options, labelled)

    def check(self) -> None:
        """Raises ``RadscribeError`` for a dataset without the recipe's section, or with an empty split."""
        self.dataset.require_section(self.recipe.section)
        if self.options.labelled and self.recipe.label_training is None:
            raise WrongUse("--labelled: the recipe has no label_training, which reads such films; leave it out")
        for dataset in self.options.labelled:
            dataset.column("image_labels")
        for name in ("train", "validate"):
            if not self.studies(name):
                raise RadscribeError(f"{self.dataset.folder}: no study in the {name} split; prepare more studies")

    def studies(self, split: str) -> list[Study]:
        """The studies of a split, in the order that every step has them in."""
        return self.dataset.split(split)

    def reports(self, split: str) -> list[str]:
        """The recipe's section of each study's report."""
        return [study.report(self.recipe.section) for study in self.studies(split)]

    @property
    def generator_seed(self) -> int:
        """The generator's own seed where the recipe names one, else the recipe's."""
        return self.recipe.seed if self.recipe.generator.seed is None else self.recipe.generator.seed

    def films(self, split: str) -> FilmSource:
        """The generator's films of a split's studies: those of all views that it reads, one behind the other."""
        count = self.recipe.views
        sources = [self.view(split, number, self.generator_seed) for number in range(count)]
        return Views(sources) if count > 1 else sources[0]

    def view(self, split: str, number: int = 0, seed: int | None = None, stage: Stage = "last") -> FilmSource:
        """One film of each study, the frontal (0) or the one beside it (1), augmented by ``seed`` (or the recipe's).

        Behind the frozen blocks, where these are computed once, for an image encoder that is cut at ``stage``.
        """
        encoder = self.recipe.model.image_encoder
        if encoder.frozen_blocks <= encoder.middle_blocks:
            stage = "last"  # the same frozen blocks
        return self.view_of(self.dataset, split, number, encoder, seed, stage)

    def view_of(
        self,
        dataset: PreparedDataset,
        split: str,
        number: int,
        encoder: ImageEncoderConfig,
        seed: int | None = None,
        stage: Stage = "last",
    ) -> FilmSource:
        """As ``view``, of any dataset and behind the frozen blocks of any ``encoder``."""
        seed = self.recipe.seed if seed is None else seed
        rows = [study.read(number + 1)[number].image_index for study in dataset.split(split)]
        # Two views of one study are not augmented alike.
        films = Films(dataset.pixels, rows, self.recipe.film, seed + 1_000_003 * number)
        if not self.recipe.cache_frozen_blocks:
            return films
        copies = self.recipe.frozen_copies
        start = (self.starts, copies, stage, self.labelled)
        step = FrozenFilmsStep(split, number, films, dataset.fingerprint, encoder, *start)
        return read_frozen(self.cache.step(step).folder, split, films, copies)

    def strata(self) -> NDArray[np.int64] | None:
        """The image source of each training study as a number, where the recipe balances them."""
        if not self.recipe.balance_sources or "image_source" not in self.dataset.table.column_names:
            return None
        return self.sources("train")

    def sources(self, split: str) -> NDArray[np.int64]:
        """The image source of each study of a split as a number; raises ``RadscribeError`` where there is none."""
        sources = self.dataset.column("image_source")
        return np.unique([sources[study.study_id] for study in self.studies(split)], return_inverse=True)[1]

    def inputs(self, config: TrainingConfig, encoder: ImageEncoderConfig) -> dict[str, Any]:
        """What any step that trains an image encoder depends on."""
        return {
            "training": to_mapping(config),
            "film": to_mapping(self.recipe.film),
            "image_encoder": to_mapping(encoder),
            "seed": self.recipe.seed,
            "balance_sources": self.recipe.balance_sources,
            "weights": self.starts.content(encoder),
            "cache_frozen_blocks": self.recipe.cache_frozen_blocks,
            **({"frozen_copies": copies} if (copies := self.recipe.frozen_copies) else {}),
            **self.labelled.key,
            "max_steps": self.options.max_steps,
        }

    def fabric(self, config: TrainingConfig) -> Fabric:
        """Raises ``WrongUse`` for an accelerator or a number of devices that this machine does not have."""
        precision: Any = best_precision(config.precision)
        options = self.options
        try:
            return Fabric(accelerator=options.accelerator, devices=options.devices, precision=precision)
        except (ValueError, RuntimeError) as error:  # MisconfigurationException is none of Fabric's public names
            raise WrongUse(f"--accelerator {options.accelerator} --devices {options.devices}: {error}") from None

    def run(self, folder: Path, config: TrainingConfig, seed: int | None = None) -> Run:
        """Where and how far a step trains; ``seed`` is the recipe's by default."""
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


class SystemTraining(ABC):
    """The training of one kind of report system."""

    def __init__(self, training: Training) -> None:
        self.training = training

    @abstractmethod
    def train(self) -> tuple[list[Step], System]:
        """All steps in order: those that were trained (the generator's last), and the trained system."""

    @classmethod
    def knowledge_of(cls, system: System, dataset: PreparedDataset, fingerprint: str) -> Knowledge:
        """The knowledge of ``system`` with the training split of ``dataset`` as its reference database.

        Raises ``RadscribeError`` for a system whose weights hold for their own training studies alone.
        """
        raise RadscribeError(
            f"{system.config.name}: this kind of model is one with its training studies; train it anew on "
            f"{dataset.folder}"
        )


def load(module: nn.Module, path: Path) -> None:
    """Loads the tensors of a safetensors file, all of them and no others."""
    module.load_state_dict(read_tensors(path))
