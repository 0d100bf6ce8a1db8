"""The tables in docs/results/ablations.md are those of the runs that lie beside it."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from radscribe.ablation.files import markdown
from radscribe.ablation.run import FULL, RECORD, read_rows
from radscribe.ablation.table import Finished, compared
from radscribe.core.config import to_mapping
from radscribe.evaluation.scorecard.saved import SavedScorecard, read_scorecard
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


def line(name: str, cards: list[SavedScorecard]) -> str:
    """A system's line of the table of real pairs: means over seeds, of micro-F1 of 13 the least and the greatest, or
    with one seed its interval."""

    def mean(figure: str) -> float:
        return float(np.mean([found[figure] for found in figures]))

    figures = [{**card.more, **{name: figure.value for name, figure in card.figures.items()}} for card in cards]
    thirteen = [card.figures["micro_13_f1"] for card in cards]
    low, high = min(figure.value for figure in thirteen), max(figure.value for figure in thirteen)
    if len(cards) == 1:
        low, high = thirteen[0].low, thirteen[0].high
    shown = ("bleu_1", "bleu_4", "meteor", "rouge_l", "cider")
    cells = [
        name,
        f"{mean('micro_13_f1'):.3f} ({low:.3f} to {high:.3f})",
        f"{mean('shuffled_micro_13_f1'):.3f}",
        f"{mean('micro_f1'):.3f}",
        *(f"{mean(figure):.2f}" for figure in ("mean_area", "normal_called_normal", "abnormal_called_normal")),
        *(f"{mean(figure):.3f}" for figure in shown),
        f"{mean('distinct_reports'):.0f}",
        f"{100 * mean('commonest_report'):.0f} %",
    ]
    return f"| {' | '.join(cells)} |"


def test_the_table_of_real_pairs_is_that_of_its_runs(tmp_path: Path) -> None:
    with tarfile.open(RESULTS / "iu" / "runs.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    documented = (RESULTS / "iu-xray.md").read_text(encoding="utf-8")
    rows = read_rows(ROOT / "recipes" / "iu", "revtaf")
    names = {"revtaf": "REVTAF", "mcsam": "MCSAM", "promptmrg": "PromptMRG", "base-transformer": "base transformer"}
    names["r2gencmn"] = "R2GenCMN"
    found = sorted((tmp_path / "iu-systems").iterdir())
    assert {folder.name for folder in found} <= set(names)
    for folder in found:
        runs = [(int(run.name), run) for run in sorted(folder.iterdir())]
        assert line(names[folder.name], [read_scorecard(run / "scorecard.json", "") for _, run in runs]) in documented
        for seed, run in runs:
            record = json.loads((run / RECORD).read_text(encoding="utf-8"))
            recipe = rows[folder.name]
            assert record["recipe"] == to_mapping(replace(recipe, generator=replace(recipe.generator, seed=seed)))
            assert not read_scorecard(run / "scorecard.json", "").has_texts
