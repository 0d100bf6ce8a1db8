"""Train and score every recipe of a folder with several seeds, and keep the table of them all.

A run is one recipe with one seed for its generator. The steps before the generator are shared by all runs that have
them in common. Several processes may work in one folder: each run is done by one of them, under a lock.
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

from radscribe.ablation.files import save
from radscribe.ablation.table import Finished, compared, rare_columns
from radscribe.core.config import to_mapping
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.files import read_json, write_json
from radscribe.core.locks import lock, try_lock
from radscribe.core.version import __version__
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter
from radscribe.drafting.session import drafting
from radscribe.evaluation.controls.films import image_sources, other_films
from radscribe.evaluation.drafted import draft_reports
from radscribe.evaluation.evaluate import with_areas
from radscribe.evaluation.scorecard.breakdown import by_frequency
from radscribe.evaluation.scorecard.card import SHUFFLED_IMAGES, Scorecard
from radscribe.evaluation.scorecard.saved import read_scorecard
from radscribe.evaluation.split import QUICK_METRICS, SplitReferences, states_of
from radscribe.metrics.nlg import METRICS
from radscribe.metrics.protocols import protocol_named
from radscribe.training.recipe import Recipe, read_recipe
from radscribe.training.train import Options, train

FULL = "full"  # the recipe that every other one is compared with
SPLIT = "test"
RECORD = "run.json"
KEPT = ("training.jsonl", "curves.png")


@dataclass(frozen=True)
class Run:
    """One recipe with one seed for its generator."""

    row: str  # the name of the recipe's file
    seed: int
    recipe: Recipe  # with that seed
    folder: Path  # of the results
    key: str  # a hash of everything that the result depends on

    @property
    def name(self) -> str:
        """What messages call the run."""
        return f"{self.recipe.name}, seed {self.seed}"

    def record(self) -> dict[str, Any] | None:
        """The record of a finished run, which is written last; None where none has been finished."""
        if not (self.folder / RECORD).exists() or not (self.folder / "scorecard.json").exists():
            return None
        return read_json(self.folder / RECORD)

    def is_finished(self) -> bool:
        """Whether there is a result of this recipe and these data."""
        record = self.record()
        return record is not None and record.get("key") == self.key


@dataclass(frozen=True)
class Outcome:
    """What became of the requested runs."""

    finished: int
    failed: tuple[str, ...]  # names of runs
    elsewhere: tuple[str, ...]  # names of runs that another process is working on
    table: str | None  # Markdown of all rows, None where no run is finished


def read_rows(folder: Path, full: str = FULL) -> dict[str, Recipe]:
    """The recipes of a folder by file name without ending, ``full`` first.

    Raises ``WrongUse`` for a folder without recipes or without that one, and for two equal recipes or names.
    """
    rows = {path.stem: read_recipe(path) for path in sorted(folder.glob("*.yaml"))}
    if not rows:
        beside = sorted(path.name for path in folder.parent.glob("*") if any(path.glob("*.yaml")))
        known = (
            f"beside it there are {', '.join(beside)}" if beside else "they come with the source, in recipes/ablations"
        )
        raise WrongUse(f"{folder}: no ablation recipes (*.yaml) there; {known}; name their folder with --recipes")
    if full not in rows:
        raise WrongUse(f"{folder}: no {full}.yaml, which every other recipe is compared with; add it, or name another")
    for first in rows:
        for second in rows:
            alike = replace(rows[first], name=rows[second].name) == rows[second]
            if first < second and (alike or rows[first].name == rows[second].name):
                what = "hold the same recipe" if alike else f"are both named {rows[first].name}"
                raise WrongUse(f"{folder}: {first}.yaml and {second}.yaml {what}; change one of them")
    return {full: rows.pop(full), **rows}


def ablate(
    rows: dict[str, Recipe],
    dataset: PreparedDataset,
    out: Path,
    seeds: int,
    options: Options,
    only: Collection[str] = (),
    device: str = "cpu",
    protocol: str = "full",
) -> Outcome:
    """Train and score the unfinished runs of ``rows`` (or of ``only`` these), each with seeds 0 to ``seeds - 1``.

    Reports are scored by ``protocol``; every row is compared with the first. ``options.say`` gets one line a run. The
    table has all rows and is written again after each run.

    Raises:
        WrongUse: ``only`` names a recipe that does not exist, or the protocol is unknown.
        RadscribeError: the dataset has no test split. A run that fails is reported in the result instead.
    """
    known = {name: row for row, recipe in rows.items() for name in (row, recipe.name)}
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise WrongUse(f"--only {unknown[0]}: no such recipe; choose from {', '.join(rows)}")
    if not dataset.split(SPLIT):
        raise RadscribeError(f"{dataset.folder}: no study in the {SPLIT} split; prepare more studies")
    protocol_named(protocol)
    work = _Work(rows, dataset, out, seeds, options, device, protocol)
    asked = [run for run in work.runs if not only or run.row in {known[name] for name in only}]
    failed, elsewhere = work.do(asked)
    return Outcome(sum(run.is_finished() for run in asked), failed, elsewhere, work.write_table())


class _Work:
    """All runs of an ablation in the folder ``out``."""

    def __init__(
        self,
        rows: dict[str, Recipe],
        dataset: PreparedDataset,
        out: Path,
        seeds: int,
        options: Options,
        device: str,
        protocol: str,
    ) -> None:
        self.dataset, self.out, self.seeds, self.options = dataset, out, seeds, options
        self.device, self.protocol, self.full = device, protocol, next(iter(rows))
        # All rows with one seed before any row gets two, so that a table of all rows is there early.
        self.runs = [self._run(row, recipe, seed) for seed in range(seeds) for row, recipe in rows.items()]
        self.names = {row: recipe.name for row, recipe in rows.items()}

    def _run(self, row: str, recipe: Recipe, seed: int) -> Run:
        recipe = replace(recipe, generator=replace(recipe.generator, seed=seed))
        content = {
            "recipe": {**to_mapping(recipe), "name": None},  # the name of a row changes no figure
            "dataset": self.dataset.origin,  # so that seeds run on other machines count too
            "split": SPLIT,
            "version": __version__,
            "max_steps": self.options.max_steps,
            **({"protocol": self.protocol} if self.protocol != "full" else {}),
            **({"labelled": [films.fingerprint for films in labelled]} if (labelled := self.options.labelled) else {}),
        }
        key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
        return Run(row, seed, recipe, self.out / row / str(seed), key)

    def do(self, asked: Sequence[Run]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Do the unfinished runs; returns the names of those that failed, and of those that another process does."""
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
                    elif not run.is_finished():  # another process may just have finished it
                        result = self._result(run, failed)
                        if result is not None:
                            done = sum(other.is_finished() for other in asked)
                            self.options.say(f"{run.name}: {result} ({done} of {len(asked)})")
                            self.write_table()
            if len(busy) == len(left):
                break
            left = busy  # the processes that had them may have stopped since
        return tuple(failed), tuple(run.name for run in left)

    def _result(self, run: Run, failed: list[str]) -> str | None:
        """One line on the run after training and scoring it; None where it fails, which is added to ``failed``."""
        try:
            return self._train_and_score(run)
        except WrongUse:
            raise
        except RadscribeError as error:  # a row that diverges does not stop the others
            failed.append(run.name)
            self.options.say(f"{run.name}: failed: {error}")
            return None

    def _clear(self, run: Run) -> None:
        """Remove the work folder that a process killed at its very end has left beside a finished run."""
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
        with drafting(checkpoint, self.device) as reporter:
            card = score_drafts(reporter, self.dataset, self.protocol)
        # The time of an interrupted training is the sum of its parts, without the shared steps.
        seconds = {
            "generator": reporter.about["measured"]["generator"]["seconds"],
            "drafting_and_scoring": time.monotonic() - began,
        }
        (run.folder / RECORD).unlink(missing_ok=True)  # it would not belong to the new scorecard
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
        shutil.rmtree(work)  # a scored generator is not needed again
        return f"{sum(seconds.values()) / 60:.1f} min, micro-F1 {card.clinical.micro.f1.value:.3f}"

    def write_table(self) -> str | None:
        """Write the table of all finished runs and return it as Markdown; None where none is finished."""
        with lock(self.out / "table.lock"):
            finished = [self._finished(run) for run in self.runs if run.is_finished()]
            if not finished:
                return None
            training = states_of(self.dataset.split("train"))
            names = list(self.names.values())
            table = compared(finished, names, self.names[self.full], self.seeds, rare_columns(training))
            return save(table, self.out)

    def _finished(self, run: Run) -> Finished:
        record = read_json(run.folder / RECORD)
        card = read_scorecard(run.folder / "scorecard.json", run.name)
        minutes = sum(record["seconds"].values()) / 60
        return Finished(run.recipe.name, run.seed, record["parameters"] / 1e6, minutes, card)


def score_drafts(reporter: Reporter, dataset: PreparedDataset, protocol: str = "full") -> Scorecard:
    """The scorecard of the drafts of the whole test split; its one control are the drafts of other patients' films."""
    references = SplitReferences.of(dataset, SPLIT, reporter.system.config.section, protocol=protocol)
    studies = references.studies
    drafted = draft_reports(reporter, dataset, studies)
    reports = drafted.reports
    card = references.score(reports, metrics=QUICK_METRICS if protocol == "full" else METRICS)
    if len({study.patient_id for study in studies}) > 1:
        other = other_films(studies, image_sources(dataset, studies))
        card = card.with_control(SHUFFLED_IMAGES, references.score([reports[row] for row in other]))
    card = with_areas(card, reporter, references.ids, drafted.evidence)
    rows, training = card.per_study, states_of(dataset.split("train"))
    about = {"model": reporter.system.config.name, "fingerprint": reporter.fingerprint, "dataset": dataset.fingerprint}
    return replace(
        card,
        frequency=by_frequency(rows.hypothesis_states, rows.reference_states, training, rows.resampling),
        signature={**card.signature, **about},
    )
