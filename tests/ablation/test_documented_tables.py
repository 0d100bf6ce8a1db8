"""The tables in docs/results/ablations.md are those of the runs that lie beside it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from radscribe.ablation.files import markdown
from radscribe.ablation.run import FULL, RECORD, read_rows
from radscribe.ablation.table import Finished, compared
from radscribe.evaluation.scorecard.saved import read_scorecard
from radscribe.labels.conditions import CHEXBERT_CONDITIONS

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
SEEDS = 3
# Stated in under 5 % of the 4,181 training phantoms, as the notes below the tables say.
RARE = ("lung lesion", "pneumothorax", "pleural other", "fracture")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with tarfile.open(RESULTS / "ablations" / "runs.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def finished(folder: Path, name: str, seed: int) -> Finished:
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    card = read_scorecard(folder / "scorecard.json", name)
    return Finished(name, seed, record["parameters"] / 1e6, sum(record["seconds"].values()) / 60, card)


@pytest.mark.slow
@pytest.mark.parametrize("table", ["ablations-mcsam", "ablations-mcsam-starts", "ablations-revtaf"])
def test_the_documented_table_is_that_of_its_runs(runs: Path, table: str) -> None:
    system = table.split("-")[1]
    rows = {path.name for path in (runs / table).iterdir()}
    recipes = read_rows(ROOT / "recipes" / "ablations" / system).items()
    names = {row: recipe.name for row, recipe in recipes if row in rows}
    done = [
        finished(runs / table / row / str(seed), name, seed) for row, name in names.items() for seed in range(SEEDS)
    ]
    assert not any(run.card.has_texts for run in done)
    rare = np.array([CHEXBERT_CONDITIONS.index(name) for name in RARE])
    found = markdown(compared(done, list(names.values()), names[FULL], SEEDS, rare))
    documented = (RESULTS / "ablations.md").read_text(encoding="utf-8")
    parts = found.split("\n\n")[1:]  # behind the title: the table and its two notes
    assert len(parts) == 3 and all(part.strip() in documented for part in parts)
