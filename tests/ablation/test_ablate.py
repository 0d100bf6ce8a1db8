"""An ablation from recipes to table: finished runs are kept, changed ones run again, processes share the work."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from makers import TINY
from radscribe.ablation import run as ablation
from radscribe.ablation.run import ablate, read_rows
from radscribe.ablation.table import FIGURES
from radscribe.core.config import RecipeError
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.locks import try_lock
from radscribe.data.dataset import PreparedDataset
from radscribe.training.train import Options

Command = Callable[..., tuple[int, str, str]]
ROWS = ("full", "baseline")


def write_recipes(folder: Path) -> Path:
    folder.mkdir()
    (folder / "full.yaml").write_text(yaml.safe_dump({**TINY, "name": "tiny-full"}))
    (folder / "baseline.yaml").write_text("base: full.yaml\nname: tiny-baseline\nmodel: {fusion: null}")
    return folder


@pytest.fixture(scope="module")
def done(phantoms: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recipes and two rows of two seeds, finished; copy it before you change it."""
    folder = tmp_path_factory.mktemp("ablation")
    recipes = write_recipes(folder / "recipes")
    said: list[str] = []
    outcome = ablate(read_rows(recipes), phantoms, folder / "out", 2, options(folder / "out", said))
    assert outcome.finished == 4 and not outcome.failed and not outcome.elsewhere
    (folder / "said.json").write_text(json.dumps(said))
    return folder


@pytest.fixture
def copied(done: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done, tmp_path / "copied"))


def options(out: Path, said: list[str]) -> Options:
    return Options(out / "cache", max_steps=1, accelerator="cpu", say=said.append)


def again(folder: Path, phantoms: PreparedDataset, **more: Any) -> tuple[ablation.Outcome, list[str]]:
    said: list[str] = []
    given = {"seeds": 2, "only": (), **more}
    out = folder / "out"
    rows = read_rows(folder / "recipes")
    return ablate(rows, phantoms, out, given["seeds"], options(out, said), given["only"]), said


def forbidden(*_: Any) -> Any:
    raise AssertionError("nothing is to be trained here")


def test_every_run_leaves_its_scorecard_and_nothing_large(done: Path) -> None:
    out = done / "out"
    for row in ROWS:
        for seed in ("0", "1"):
            kept = {path.name for path in (out / row / seed).iterdir()}
            assert kept == {"scorecard.json", "scores.parquet", "run.json", "training.jsonl", "curves.png", "lock"}
    assert {path.name for path in out.iterdir()} == {
        *ROWS, "cache", "table.lock", "ablations.md", "ablations-more.md", "ablations.csv", "ablations-tests.csv",
        "ablations.png",
    }  # fmt: skip
    steps = [path.name.rpartition("-")[0] for path in (out / "cache").iterdir() if path.is_dir()]
    assert sorted(steps) == ["entity-model", "features", "sentences", "text-encoder", "triplets"]  # once for all runs
    said = json.loads((done / "said.json").read_text())
    assert said[0] == "runs: 4, finished before: 0"
    runs = ["tiny-full, seed 0", "tiny-baseline, seed 0", "tiny-full, seed 1", "tiny-baseline, seed 1"]
    assert [line.split(":")[0] for line in said[1:]] == runs
    assert said[1].endswith("(1 of 4)") and said[4].endswith("(4 of 4)") and " min, micro-F1 0." in said[1]


def test_seeds_differ_and_the_table_tells_what_the_scorecards_hold(done: Path, phantoms: PreparedDataset) -> None:
    out = done / "out"
    with (out / "ablations.csv").open(encoding="utf-8") as file:
        found = {(line["row"], line["seed"], line["figure"]): float(line["value"]) for line in csv.DictReader(file)}
    hashes = set()
    for row in ROWS:
        for seed in ("0", "1"):
            card = json.loads((out / row / seed / "scorecard.json").read_text())
            record = json.loads((out / row / seed / "run.json").read_text())
            assert card["studies"] == len(phantoms.split("test"))
            assert card["signature"]["reference_labels"] == "true labels"
            assert card["signature"]["bootstrap"]["unit"] == "patient"
            hashes.add(card["signature"]["fingerprint"])
            expected = {
                "micro_f1": card["clinical"]["micro"]["f1"]["value"],
                "micro_13_f1": card["clinical"]["micro_13"]["f1"]["value"],
                "macro_f1": card["clinical"]["macro"]["f1"]["value"],
                "rare_macro_f1": card["frequency"]["rare (< 5%)"]["macro_f1"]["value"],
                "bleu_4": card["nlg"]["bleu_4"]["value"],
                "rouge_l": card["nlg"]["rouge_l"]["value"],
                "parameters_million": record["parameters"] / 1e6,
                "minutes": sum(record["seconds"].values()) / 60,
                **{name: card["nlg"][name]["value"] for name in ("bleu_1", "bleu_2", "bleu_3", "cider")},
                "shuffled_micro_13_f1": card["controls"]["shuffled_images"]["clinical"]["micro_13"]["f1"]["value"],
                "distinct_reports": card["distinct_reports"] * card["studies"],
                "commonest_report": card["commonest_report"],
            }
            for group, scores in card["normality"].items():
                expected[f"{group}_called_normal"] = scores["called_normal"]["value"]
                expected[f"{group}_bleu_4"] = scores["language"]["bleu_4"]["value"]
            assert set(FIGURES) < set(expected)
            for figure, value in expected.items():
                assert found.pop((f"tiny-{row}", seed, figure)) == pytest.approx(value), figure
    assert not found and len(hashes) == 4
    table = (out / "ablations.md").read_text()
    mean = sum(
        json.loads((out / "full" / seed / "scorecard.json").read_text())["nlg"]["rouge_l"]["value"] for seed in "01"
    )
    assert f"{mean / 2:.3f} (" in table and "seeds finished" not in table


def test_what_is_finished_is_not_trained_again(
    copied: Path, phantoms: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, more = ((copied / "out" / f"{name}.md").read_text() for name in ("ablations", "ablations-more"))
    (copied / "out" / "ablations.md").unlink()
    (copied / "out" / "full" / "0" / "work").mkdir()  # of a process killed between its record and its tidying up
    renamed = copied / "recipes" / "baseline.yaml"
    monkeypatch.setattr(ablation, "train", forbidden)
    outcome, said = again(copied, phantoms)
    assert said == ["runs: 4, finished before: 4"] and outcome.finished == 4
    assert (copied / "out" / "ablations.md").read_text() == before and outcome.table == f"{before}\n{more}"
    assert not (copied / "out" / "full" / "0" / "work").exists()
    renamed.write_text(renamed.read_text().replace("tiny-baseline", "another name"))
    assert "| another name" in str(again(copied, phantoms)[0].table)  # what a row is called changes no figure


def test_a_changed_recipe_runs_again_and_an_interrupted_run_too(copied: Path, phantoms: PreparedDataset) -> None:
    path = copied / "recipes" / "baseline.yaml"
    path.write_text(path.read_text() + "\ntraining: {weight_decay: 0.1}")
    (copied / "out" / "full" / "1" / "run.json").unlink()  # killed before its last line was written
    outcome, said = again(copied, phantoms, seeds=1)
    assert said == [
        "runs: 2, finished before: 1",
        "tiny-baseline, seed 0: its recipe or data have changed; run again",
        said[2],
    ]
    assert said[2].startswith("tiny-baseline, seed 0: 0.") and outcome.finished == 2
    # The other seed of the changed recipe is no part of the table until it is run again.
    table = again(copied, phantoms, only=("tiny-full",))[0].table
    assert table is not None and "- tiny-baseline: 1 of 2 seeds finished" in table
    assert (copied / "out" / "full" / "1" / "run.json").exists()


def test_a_run_that_another_process_has_is_left_to_it(
    copied: Path, phantoms: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "train", forbidden)
    folder = copied / "out" / "full" / "1"
    (folder / "run.json").unlink()
    with try_lock(folder / "lock") as held:
        assert held
        outcome, _ = again(copied, phantoms)
    assert outcome.elsewhere == ("tiny-full, seed 1",) and outcome.finished == 3
    assert "- tiny-full: 1 of 2 seeds finished" in str(outcome.table)


def test_a_row_that_fails_costs_the_others_nothing(
    copied: Path, phantoms: PreparedDataset, monkeypatch: pytest.MonkeyPatch, run: Command
) -> None:
    shutil.rmtree(copied / "out" / "baseline")

    def diverges(*_: Any) -> Any:
        raise RadscribeError("generator: the loss is nan at step 7")

    monkeypatch.setattr(ablation, "train", diverges)
    outcome, said = again(copied, phantoms)
    assert outcome.failed == ("tiny-baseline, seed 0", "tiny-baseline, seed 1") and outcome.finished == 2
    assert said[1] == "tiny-baseline, seed 0: failed: generator: the loss is nan at step 7"
    assert "- tiny-baseline: no seed finished" in str(outcome.table)
    data = ("--data", str(phantoms.folder), "--out", str(copied / "out"), "--recipes", str(copied / "recipes"))
    code, output, error = run("ablate", "tiny", *data, "--seeds", "2", "--max-steps", "1", "--accelerator", "cpu")
    assert code == 1 and error.splitlines()[-1] == "failed: 2 (tiny-baseline, seed 0; tiny-baseline, seed 1)"
    assert "tiny-full" in output


def test_the_command_line_runs_one_row_alone(
    copied: Path, phantoms: PreparedDataset, monkeypatch: pytest.MonkeyPatch, run: Command
) -> None:
    monkeypatch.setattr(ablation, "train", forbidden)
    data = ("--data", str(phantoms.folder), "--out", str(copied / "out"), "--recipes", str(copied / "recipes"))
    given = ("--seeds", "2", "--max-steps", "1", "--accelerator", "cpu")
    code, output, error = run("ablate", "tiny", *data, *given, "--only", "baseline")
    assert code == 0 and error == "runs: 2, finished before: 2\n" and "| tiny-full " in output
    code, _, error = run("ablate", "tiny", *data, *given, "--only", "absent")
    assert code == 2 and error == "radscribe: --only absent: no such recipe; choose from full, baseline\n"


def test_wrong_recipes_are_named_with_the_fix(tmp_path: Path, run: Command) -> None:
    recipes = write_recipes(tmp_path / "recipes")
    assert list(read_rows(recipes)) == ["full", "baseline"]
    with pytest.raises(
        WrongUse, match=r"absent: no ablation recipes .* beside it there are recipes; name their folder with --recipes"
    ):
        read_rows(tmp_path / "absent")
    code, _, error = run("ablate", "nothing", "--data", str(tmp_path), "--out", str(tmp_path))
    assert code == 2 and error.count("\n") == 1 and "recipes/ablations/nothing: no ablation recipes" in error
    same = recipes / "same.yaml"
    same.write_text("base: full.yaml\nname: other")
    with pytest.raises(WrongUse, match=r"full\.yaml and same\.yaml hold the same recipe"):
        read_rows(recipes)
    same.write_text("base: full.yaml\nseed: 5")
    with pytest.raises(WrongUse, match="are both named tiny-full"):
        read_rows(recipes)
    same.write_text("base: absent.yaml")
    with pytest.raises(RecipeError, match=r"same\.yaml: its base absent\.yaml is not a file"):
        read_rows(recipes)
    same.unlink()
    (recipes / "full.yaml").rename(recipes / "whole.yaml")
    (recipes / "baseline.yaml").unlink()
    with pytest.raises(WrongUse, match=r"no full\.yaml"):
        read_rows(recipes)
