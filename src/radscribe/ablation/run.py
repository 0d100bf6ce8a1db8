"""`radscribe ablate`: every recipe of a folder trained and scored with several seeds, and the table of them all.

A run is one recipe with one seed for its generator. What comes before the generator is made once for all runs that have
it in common. Several processes may work in one folder: each run is taken by one of them under a lock.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from radscribe.ablation.files import save
from radscribe.ablation.table import Finished, compared, rare_columns
from radscribe.core.compute import threads
from radscribe.core.config import to_mapping
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.files import read_json, write_json
from radscribe.core.locks import lock, try_lock
from radscribe.core.version import __version__
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter, load_reporter
from radscribe.evaluation.evaluate import see_and_write
from radscribe.evaluation.scorecard.breakdown import by_frequency
from radscribe.evaluation.scorecard.card import Scorecard, score
from radscribe.evaluation.scorecard.saved import read_scorecard
from radscribe.training.recipe import Recipe, read_recipe
from radscribe.training.train import Options, train

FULL = "full"  # the recipe that every other one is held against
SPLIT = "test"
RECORD = "run.json"
METRICS = ("bleu", "rouge_l", "cider")  # METEOR, which the table does not show, would take longer than drafting
KEPT = ("training.jsonl", "curves.png")


@dataclass(frozen=True)
class Run:
    """One recipe, its generator's seed set, and the folder of what comes of it; ``key`` names all that goes in."""

    row: str
    seed: int
    recipe: Recipe
    folder: Path
    key: str

    @property
    def name(self) -> str:
        return f"{self.recipe.name}, seed {self.seed}"

    def record(self) -> dict[str, Any] | None:
        """What is written last of a finished run; None where nothing has been finished."""
        if not (self.folder / RECORD).exists() or not (self.folder / "scorecard.json").exists():
            return None
        return read_json(self.folder / RECORD)

    def is_finished(self) -> bool:
        """Whether there is a result, and it is of this recipe and these data."""
        record = self.record()
        return record is not None and record.get("key") == self.key


@dataclass(frozen=True)
class Outcome:
    """What became of the asked runs; ``elsewhere`` are in the hands of another process. ``table`` is Markdown."""

    finished: int
    failed: tuple[str, ...]
    elsewhere: tuple[str, ...]
    table: str | None


def read_rows(folder: Path) -> dict[str, Recipe]:
    """The recipes of a folder by their files' names without ending, ``full`` first; raises ``WrongUse`` for none."""
    rows = {path.stem: read_recipe(path) for path in sorted(folder.glob("*.yaml"))}
    if not rows:
        beside = sorted(path.name for path in folder.parent.glob("*") if any(path.glob("*.yaml")))
        known = (
            f"beside it there are {', '.join(beside)}" if beside else "they come with the source, in recipes/ablations"
        )
        raise WrongUse(f"{folder}: no ablation recipes (*.yaml) there; {known}; --recipes names another folder")
    if FULL not in rows:
        raise WrongUse(f"{folder}: no {FULL}.yaml, which every other recipe is held against; add it")
    for first in rows:
        for second in rows:
            alike = replace(rows[first], name=rows[second].name) == rows[second]
            if first < second and (alike or rows[first].name == rows[second].name):
                what = "hold the same recipe" if alike else f"are both named {rows[first].name}"
                raise WrongUse(f"{folder}: {first}.yaml and {second}.yaml {what}; change one of them")
    return {FULL: rows.pop(FULL), **rows}


def ablate(
    rows: dict[str, Recipe],
    dataset: PreparedDataset,
    out: Path,
    seeds: int,
    options: Options,
    only: Collection[str] = (),
    device: str = "cpu",
) -> Outcome:
    """Trains and scores what is not finished of ``rows`` (of ``only`` these), each with the seeds 0 to ``seeds - 1``.

    ``options.say`` is told one line a run. The table is of all rows, and is written anew after each run.
    """
    known = {name: row for row, recipe in rows.items() for name in (row, recipe.name)}
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise WrongUse(f"--only {unknown[0]}: no such recipe; there are {', '.join(rows)}")
    if not dataset.split(SPLIT):
        raise RadscribeError(f"{dataset.folder}: no study in the {SPLIT} split; prepare more studies")
    work = _Work(rows, dataset, out, seeds, options, device)
    asked = [run for run in work.runs if not only or run.row in {known[name] for name in only}]
    failed, elsewhere = work.do(asked)
    return Outcome(sum(run.is_finished() for run in asked), failed, elsewhere, work.write_table())


class _Work:
    def __init__(
        self,
        rows: dict[str, Recipe],
        dataset: PreparedDataset,
        out: Path,
        seeds: int,
        options: Options,
        device: str,
    ) -> None:
        self.dataset, self.out, self.seeds, self.options, self.device = dataset, out, seeds, options, device
        # All rows with one seed before any has two: a table of whole columns comes early.
        self.runs = [self._run(row, recipe, seed) for seed in range(seeds) for row, recipe in rows.items()]
        self.names = {row: recipe.name for row, recipe in rows.items()}

    def _run(self, row: str, recipe: Recipe, seed: int) -> Run:
        recipe = replace(recipe, generator=replace(recipe.generator, seed=seed))
        content = {
            "recipe": {**to_mapping(recipe), "name": None},  # what a row is called changes no figure
            "dataset": self.dataset.origin,  # seeds that other machines have run count
            "split": SPLIT,
            "version": __version__,
            "max_steps": self.options.max_steps,
        }
        key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
        return Run(row, seed, recipe, self.out / row / str(seed), key)

    def do(self, asked: Sequence[Run]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Does what is left; returns the names of the runs that failed, and of those that another process has."""
        failed: list[str] = []
        left = [run for run in asked if not run.is_finished()]
        self.options.say(f"runs: {len(asked)}, finished before: {len(asked) - len(left)}")
        for run in asked:
            if run not in left:
                self._clear(run)
        while left:
            busy = []
            for run in left:
                with try_lock(run.folder / "lock") as held:
                    if not held:
                        busy.append(run)
                    elif not run.is_finished():  # another process may just have done it
                        try:
                            told = self._train_and_score(run)
                        except WrongUse:
                            raise
                        except RadscribeError as error:  # one row that diverges costs the others nothing
                            failed.append(run.name)
                            self.options.say(f"{run.name}: failed: {error}")
                            continue
                        done = sum(other.is_finished() for other in asked)
                        self.options.say(f"{run.name}: {told} ({done} of {len(asked)})")
                        self.write_table()
            if len(busy) == len(left):
                break
            left = busy  # whoever had them may have been stopped since
        return tuple(failed), tuple(run.name for run in left)

    def _clear(self, run: Run) -> None:
        """Takes away what a process that was killed at its very end has left of a finished run."""
        with try_lock(run.folder / "lock") as held:
            if held:
                shutil.rmtree(run.folder / "work", ignore_errors=True)

    def _train_and_score(self, run: Run) -> str:
        if run.record() is not None:
            self.options.say(f"{run.name}: its recipe or data have changed; run again")
        work = run.folder / "work"
        options = replace(self.options, resume=True, say=lambda line: None, generator_cache=work)
        checkpoint = train(run.recipe, self.dataset, work / "checkpoint", options)
        began = time.monotonic()
        reporter = load_reporter(checkpoint, self.device)
        with threads(reporter.threads):
            card = score_drafts(reporter, self.dataset)
        # The time of a training that was interrupted is that of all its parts, but not that of the shared steps.
        seconds = {
            "generator": reporter.about["measured"]["generator"]["seconds"],
            "drafting_and_scoring": time.monotonic() - began,
        }
        (run.folder / RECORD).unlink(missing_ok=True)  # what is no longer true of the scorecard
        card.save(run.folder)
        for name in KEPT:
            if (checkpoint / name).exists():
                shutil.copyfile(checkpoint / name, run.folder / name)
        record = {
            "key": run.key,
            "row": run.recipe.name,
            "seed": run.seed,
            "parameters": sum(parameter.numel() for parameter in reporter.system.model.parameters()),
            "seconds": seconds,
            "recipe": to_mapping(run.recipe),
        }
        write_json(run.folder / RECORD, record)
        shutil.rmtree(work)  # a generator that has been scored is not needed again
        return f"{sum(seconds.values()) / 60:.1f} min, micro-F1 {card.clinical.micro.f1.value:.3f}"

    def write_table(self) -> str | None:
        """Writes the table of all finished runs and returns it as Markdown; None where none is finished."""
        with lock(self.out / "table.lock"):
            finished = [self._finished(run) for run in self.runs if run.is_finished()]
            if not finished:
                return None
            training = np.array([study.labels for study in self.dataset.split("train")])
            names = list(self.names.values())
            table = compared(finished, names, self.names[FULL], self.seeds, rare_columns(training))
            return save(table, self.out)

    def _finished(self, run: Run) -> Finished:
        record = read_json(run.folder / RECORD)
        card = read_scorecard(run.folder / "scorecard.json", run.name)
        minutes = sum(record["seconds"].values()) / 60
        return Finished(run.recipe.name, run.seed, record["parameters"] / 1e6, minutes, card)


def score_drafts(reporter: Reporter, dataset: PreparedDataset) -> Scorecard:
    """The scorecard of the drafts of the whole test split, without controls; true labels where the dataset has them."""
    section = reporter.system.config.section
    studies = dataset.split(SPLIT)
    _, reports = see_and_write(reporter, dataset, studies)
    drafts = {study.study_id: report for study, report in zip(studies, reports, strict=True)}
    phantoms = dataset.manifest["settings"]["source"] == "phantom"  # their labels are true ones, not read from text
    card = score(
        drafts,
        {study.study_id: study.report(section) for study in studies},
        true_labels={study.study_id: study.labels for study in studies} if phantoms else None,
        patients={study.study_id: study.patient_id for study in studies},
        split=SPLIT,
        section=section,
        metrics=METRICS,
        notice="weakly paired" if dataset.manifest.get("weakly_paired") else None,
    )
    rows = card.per_study
    training = np.array([study.labels for study in dataset.split("train")])
    about = {"model": reporter.system.config.name, "fingerprint": reporter.fingerprint, "dataset": dataset.fingerprint}
    return replace(
        card,
        frequency=by_frequency(rows.hypothesis_states, rows.reference_states, training, rows.resampling),
        signature={**card.signature, **about},
    )
