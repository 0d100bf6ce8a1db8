"""Training end to end, tiny: cached steps, resume after kill -9, the index from the training split alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pyarrow.parquet as pq
import pytest
import yaml

from makers import TINY
from radscribe.core.errors import RadscribeError
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.index_files import load_index
from radscribe.drafting.reporter import load_reporter
from radscribe.training.cache import StepCache
from radscribe.training.recipe import Recipe
from radscribe.training.train import Options, train

Run = Callable[..., tuple[int, str, str]]


def test_finished_steps_are_found_again_and_a_change_redoes_only_what_depends_on_it(
    phantoms: PreparedDataset, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    said: list[str] = []
    options = Options(tmp_path / "cache", max_steps=1, accelerator="cpu", say=said.append)
    train(tiny_recipe, phantoms, tmp_path / "first", options)
    said.clear()
    train(tiny_recipe, phantoms, tmp_path / "second", options)
    assert sum("cached" in line for line in said) == 6
    said.clear()
    losses = replace(tiny_recipe.model.losses, rank=1.0)
    train(replace(tiny_recipe, model=replace(tiny_recipe.model, losses=losses)), phantoms, tmp_path / "third", options)
    assert sum("cached" in line for line in said) == 5
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second", "third")]
    assert weights[0] == weights[1] != weights[2]


def test_another_seed_for_the_generator_redoes_the_generator_alone(
    phantoms: PreparedDataset, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    said: list[str] = []
    options = Options(tmp_path / "cache", max_steps=1, accelerator="cpu", say=said.append)
    weights = []
    for seed in (None, tiny_recipe.seed, 1):
        said.clear()
        recipe = replace(tiny_recipe, generator=replace(tiny_recipe.generator, seed=seed))
        folder = train(recipe, phantoms, tmp_path / str(seed), options)
        assert sum("cached" in line for line in said) == (0 if seed is None else 5)
        assert len(list((tmp_path / "cache").glob("generator-*/done.json"))) == len(weights) + 1
        weights.append((folder / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]
    with pytest.raises(ValueError, match="seed -1 must not be negative"):
        replace(tiny_recipe.generator, seed=-1)


def test_the_generator_can_be_kept_apart(phantoms: PreparedDataset, tiny_recipe: Recipe, tmp_path: Path) -> None:
    options = Options(
        tmp_path / "cache", max_steps=1, accelerator="cpu", say=lambda line: None, generator_cache=tmp_path / "apart"
    )
    train(tiny_recipe, phantoms, tmp_path / "out", options)
    assert len(list((tmp_path / "apart").glob("generator-*/done.json"))) == 1
    assert not list((tmp_path / "cache").glob("generator-*"))
    assert len(list((tmp_path / "cache").glob("*/done.json"))) == 5


def test_a_step_that_another_makes_is_waited_for_and_not_made_twice(tmp_path: Path) -> None:
    said: list[str] = []
    made: list[Path] = []
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        name: ClassVar[str] = "slow"
        inputs: ClassVar[dict[str, int]] = {"input": 1}

        def build(self, folder: Path) -> dict[str, int]:
            made.append(folder)
            begun.set()
            assert go_on.wait(60)
            return {"figure": 7}

    def say(line: str) -> None:
        said.append(line)
        if "waiting" in line:
            go_on.set()

    cache = StepCache(tmp_path, True, say)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(cache.step, Slow())
        assert begun.wait(60)
        second = threads.submit(cache.step, Slow())
        assert first.result() == second.result()
    assert len(made) == 1 and first.result().summary["figure"] == 7
    assert [line for line in said if "waiting" in line] and any("cached" in line for line in said)


def test_the_reference_database_is_the_training_split_and_nothing_else(
    phantoms: PreparedDataset, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    """Validation and test studies taken off the disk leave the index as it is."""
    options = Options(tmp_path / "cache", max_steps=1, accelerator="cpu", say=lambda line: None)
    folder = train(tiny_recipe, phantoms, tmp_path / "whole", options)
    database, _ = load_index(folder / "index")
    assert set(database.study_ids) == {study.study_id for study in phantoms.split("train")}
    reporter = load_reporter(folder)
    bare = Path(shutil.copytree(phantoms.folder, tmp_path / "bare"))
    table = pq.read_table(bare / "studies.parquet")
    keep = [split == "train" for split in table["split"].to_pylist()]
    trained = replace(phantoms, folder=bare, table=table.filter(keep))
    from radscribe.training.rebuild_index import rebuild_index

    rebuild_index(folder, trained, tmp_path / "rebuilt", texts=True)
    rebuilt = load_reporter(tmp_path / "rebuilt")
    assert rebuilt.fingerprint == reporter.fingerprint
    again, _ = load_index(tmp_path / "rebuilt" / "index")
    assert again.study_ids == database.study_ids and again.hashes == database.hashes
    assert float((again.ball - database.ball).abs().max()) < 1e-2
    assert again.sentences == database.sentences


def test_data_prepared_for_another_section_is_refused(
    phantoms: PreparedDataset, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    options = Options(tmp_path, max_steps=1, say=lambda line: None)
    with pytest.raises(RadscribeError, match="prepared for the section findings, but impression is needed"):
        train(replace(tiny_recipe, section="impression"), phantoms, tmp_path / "out", options)


def test_missing_weights_are_named(phantoms: PreparedDataset, tiny_recipe: Recipe, tmp_path: Path) -> None:
    encoder = replace(tiny_recipe.entity_model.image_encoder, weights="absent.npz", start="weights")
    recipe = replace(tiny_recipe, entity_model=replace(tiny_recipe.entity_model, image_encoder=encoder))
    with pytest.raises(RadscribeError, match=r"absent\.npz: no such weights file"):
        train(recipe, phantoms, tmp_path / "out", Options(tmp_path, max_steps=1, say=lambda line: None))


@pytest.mark.slow
@pytest.mark.parametrize("references", ["labels", "ball"])
def test_kill_9_and_resume_give_the_same_bits(phantoms: PreparedDataset, tmp_path: Path, references: str) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump({**TINY, "generator": {**TINY["generator"], "references": references}}))

    def command(out: str, *more: str) -> list[str]:
        program = "from radscribe.cli.main import main; main()"
        return [sys.executable, "-c", program, "train", str(recipe), "--data", str(phantoms.folder),
                "--out", str(tmp_path / out / "checkpoint"), "--accelerator", "cpu", *more]  # fmt: skip

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command("whole"), check=True, env=environment, capture_output=True)

    def states(folder: Path) -> set[str]:
        """The resumable states on the disk. os.walk, unlike rglob, bears folders that vanish while it looks."""
        return {place for place, _, files in os.walk(folder) if "optimizer.safetensors" in files}

    kills = 0
    # Kill it each time soon after a new state is on the disk, until it gets through.
    for attempt in range(12):
        more = ["--resume"] if attempt else []
        process = subprocess.Popen(
            command("cut", *more), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        before = states(tmp_path / "cut")
        while process.poll() is None:
            if states(tmp_path / "cut") - before:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.01)
        if process.wait() == 0:
            break
    else:
        subprocess.run(command("cut", "--resume"), check=True, env=environment, capture_output=True)
    assert kills >= 3
    for name in ("model.safetensors", "index/vectors.safetensors", "index/index.json"):
        whole, cut = (tmp_path / run / "checkpoint" / name for run in ("whole", "cut"))
        assert whole.read_bytes() == cut.read_bytes(), name


def test_the_command_line_trains_evaluates_and_inspects(phantoms: PreparedDataset, tmp_path: Path, run: Run) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(TINY))
    out = tmp_path / "checkpoint"
    options = ["--data", str(phantoms.folder), "--out", str(out), "--max-steps", "1", "--accelerator", "cpu"]
    assert run("train", str(recipe), *options)[0] == 0
    code, output, _ = run("index", "inspect", "--checkpoint", str(out))
    assert code == 0 and "attached" in output
    scores = tmp_path / "scores"
    code, output, error = run(
        "evaluate", "--checkpoint", str(out), "--data", str(phantoms.folder), "--out", str(scores)
    )
    assert code == 0, error
    assert {path.name for path in scores.iterdir()} == {
        "scorecard.json",
        "scorecard.md",
        "scores.parquet",
        "reports.jsonl",
        "majority_report",
        "commonest_sentences",
        "nearest_neighbour",
        "nearest_features",
        "reference_report",
    }
    assert "shuffled images" in output and "learned ball" in output
    code, _, error = run("train", str(recipe), "--data", str(tmp_path), "--out", str(out))
    assert code == 1 and error.count("\n") == 1 and "radscribe prepare" in error


def test_drafts_keep_to_phrases_of_the_training_reports(
    checkpoint: Path, phantoms: PreparedDataset, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    search = replace(tiny_recipe.search, beams=1, temperature=1.0, phrases=3)
    options = Options(checkpoint.parent / "cache", max_steps=2, accelerator="cpu", say=lambda line: None)
    folder = train(replace(tiny_recipe, search=search), phantoms, tmp_path / "checkpoint", options)
    reporter = load_reporter(folder)
    tokenizer = reporter.system.model.tokenizer
    limit = tiny_recipe.generator.max_words

    def rows(pieces: list[int]) -> set[tuple[tuple[str, ...], int]]:
        """Each piece behind the two words before it, the last one perhaps unfinished."""
        found, words = set(), []
        for piece in pieces:
            found.add((tuple(words[-2:]), piece))
            token = tokenizer.backend.id_to_token(piece)
            words[-1:] = [words[-1] + token] if token.startswith("##") and words else [*words[-1:], token]
        return found

    studies = phantoms.split("train")
    known = set().union(*(rows(tokenizer.encode(study.report(tiny_recipe.section), limit)) for study in studies))
    views = [reporter.view(phantoms.film(study)) for study in phantoms.split("test")]
    drawn = reporter.written(reporter.see(views)).tokens
    assert all(rows(row) <= known for row in drawn)
    assert max(map(len, drawn)) > 3

    reporter.save_pretrained(tmp_path / "again")
    again = load_reporter(tmp_path / "again")
    assert again.written(again.see(views)).tokens == drawn
    (folder / "phrases.safetensors").unlink()
    with pytest.raises(RadscribeError, match=r"phrases\.safetensors"):
        load_reporter(folder)
