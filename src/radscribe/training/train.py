"""`radscribe train`: the cached steps of a system in order; then the checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radscribe.core.config import to_mapping
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.checkpoint import save_checkpoint
from radscribe.drafting.system import System
from radscribe.models.decoding.phrases import Phrases
from radscribe.training.cache import Step
from radscribe.training.film_labels import labelled_start
from radscribe.training.generator import targets
from radscribe.training.mcsam import McsamTraining
from radscribe.training.model_card import write_training_report
from radscribe.training.recipe import Recipe
from radscribe.training.revtaf import RevtafTraining
from radscribe.training.steps import Options, SystemTraining, Training

__all__ = ["Options", "train"]


# How each row of ``models.systems.SYSTEMS`` is trained.
TRAININGS: Mapping[str, type[SystemTraining]] = {"revtaf": RevtafTraining, "mcsam": McsamTraining}


def train(recipe: Recipe, dataset: PreparedDataset, out: Path, options: Options) -> Path:
    """Trains ``recipe`` on ``dataset`` and writes the checkpoint folder ``out``.

    Raises ``RadscribeError`` for a dataset that does not fit the recipe, or where the disk refuses.
    """
    training = Training(recipe, dataset, options)
    training.check()
    out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be written is noticed before hours of work
    labelled = labelled_start(training)
    trained, system = TRAININGS[recipe.model.method](training.starting_from(labelled)).train()
    trained = [labelled.step, *trained] if labelled.step else trained
    if recipe.search.phrases:
        system.model.phrases = learned_phrases(training, system)
    return _save(recipe, dataset, out, options, trained, system)


def learned_phrases(training: Training, system: System) -> Phrases:
    """The words in a row of the training reports, as the generator learned them."""
    recipe, tokenizer = training.recipe, system.model.tokenizer
    reports = targets((study.report(recipe.section) for study in training.studies("train")), recipe.generator)
    words = (tokenizer.encode(report, recipe.generator.max_words) for report in reports)
    return Phrases.of(words, recipe.search.phrases, tokenizer)


def _save(
    recipe: Recipe, dataset: PreparedDataset, out: Path, options: Options, trained: list[Step], system: System
) -> Path:
    """The checkpoint with what was measured; ``trained`` are the steps that have curves, the generator's last."""
    about: dict[str, Any] = {
        "recipe": to_mapping(recipe),
        "dataset": {
            "fingerprint": dataset.fingerprint,
            "weakly_paired": bool(dataset.manifest.get("weakly_paired", False)),
            "studies": {name: counts["studies"] for name, counts in dataset.manifest["counts"].items()},
        },
        "labelled": [
            {"fingerprint": films.fingerprint, "films": len(films.split("train"))} for films in options.labelled
        ],
        "measured": {
            step.folder.name.rpartition("-")[0]: {k: v for k, v in step.summary.items() if k != "inputs"}
            for step in trained
        },
    }
    save_checkpoint(out, system, about, recipe.half_precision, recipe.store_reports)
    write_training_report(out, trained, about)
    board = trained[-1].folder / "tensorboard"
    if board.exists():
        shutil.copytree(board, out / "tensorboard", dirs_exist_ok=True)
    options.say(f"checkpoint: {out}")
    return out
