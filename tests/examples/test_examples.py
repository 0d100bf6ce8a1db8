"""The scripts in examples/ run as a stranger runs them, and leave what they say they leave."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radscribe.core.records import NOTICE

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script of examples/, run in ``folder`` by this Python, with no display."""
    return subprocess.run(
        [sys.executable, str(EXAMPLES / script), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def done(folder: Path, script: str, *arguments: str) -> str:
    found = run(folder, script, *arguments)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_begins_with_what_it_shows_how_to_run_it_and_how_long_it_takes(script: Path) -> None:
    head = script.read_text(encoding="utf-8").split('"""')[1]
    for word in ("Shows:", f"Run:    python examples/{script.name}", "Time:", "on the command line:"):
        assert word in head
    assert script.name in (EXAMPLES / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_film_of_its_own_is_drafted_with_its_evidence_and_drawn(tmp_path: Path) -> None:
    told = done(tmp_path, "draft_a_film.py")
    out = tmp_path / "work" / "draft_a_film"
    assert {path.name for path in out.iterdir()} == {"synthetic-film.png", "synthetic-film-draft.png"}
    with Image.open(out / "synthetic-film-draft.png") as picture:
        assert picture.width > 1000 and np.asarray(picture.convert("L")).std() > 10
    lines = told.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("Report of synthetic-film by "))
    report, sentences = lines[head + 1], [line[3:] for line in lines if line[:3] in {f"{n}. " for n in range(1, 20)}]
    assert NOTICE in lines[head] and report == " ".join(sentences) and len(sentences) >= 2
    for words in ("confidence:", "conditions:", "nearest reference:", "on the film:"):
        assert told.count(words) == len(sentences)
    assert "Reference report that the draft was written beside:" in told


@pytest.mark.slow
def test_a_film_that_is_given_is_drafted_and_a_file_that_is_none_is_refused_in_one_line(
    tmp_path: Path, checkpoint: Path
) -> None:
    film = tmp_path / "mine.png"
    Image.fromarray(np.tile(np.linspace(0, 255, 90, dtype=np.uint8), (100, 1))).save(film)
    out = tmp_path / "drawn"
    told = done(tmp_path, "draft_a_film.py", str(film), "--checkpoint", str(checkpoint), "--out", str(out))
    assert "Report of mine by tiny" in told and (out / "mine-draft.png").exists() and not (tmp_path / "work").exists()
    (tmp_path / "letter.png").write_text("no film")
    refused = run(tmp_path, "draft_a_film.py", str(tmp_path / "letter.png"), "--checkpoint", str(checkpoint))
    assert refused.returncode == 1 and refused.stdout == ""
    assert refused.stderr.startswith("radscribe: ") and refused.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_table_becomes_a_dataset_a_checkpoint_and_a_draft(tmp_path: Path) -> None:
    told = done(tmp_path, "train_on_your_table.py", "--studies", "80", "--steps", "8")
    out = tmp_path / "work" / "train_on_your_table"
    with (out / "studies.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 80 and set(rows[0]) == {"image", "report", "patient_id"}
    counts = json.loads((out / "data" / "manifest.json").read_text())["counts"]
    assert sum(split["studies"] for split in counts.values()) == 80 and counts["train"]["studies"] > 40
    assert NOTICE in (out / "model" / "MODEL_CARD.md").read_text(encoding="utf-8")
    lines = {line.partition(":")[0]: line.partition(":")[2].strip() for line in told.splitlines() if ":" in line}
    assert lines["Written"] in {row["report"] for row in rows}
    assert lines["Film"] in {row["image"].removesuffix(".png") for row in rows}
    assert "Drafted" in lines and NOTICE in told
    # A second run finds every step done, and drafts the same.
    again = run(tmp_path, "train_on_your_table.py", "--studies", "80", "--steps", "8")
    assert again.returncode == 0 and "epoch" not in again.stderr and again.stdout == told


@pytest.mark.slow
def test_two_csv_files_become_figures_with_intervals_and_a_scorecard(tmp_path: Path) -> None:
    told = done(tmp_path, "score_a_csv.py")
    out = tmp_path / "work" / "score_a_csv"
    names = {"drafts.csv", "references.csv", "scorecard.json", "scorecard.md", "scores.parquet"}
    assert {path.name for path in out.iterdir()} == names
    card = json.loads((out / "scorecard.json").read_text(encoding="utf-8"))
    assert card["studies"] == 8
    for name, figure in (("micro-F1", card["clinical"]["micro"]["f1"]), ("BLEU-4", card["nlg"]["bleu_4"])):
        shown = f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
        assert any(line.startswith(f"{name}:") and shown in line for line in told.splitlines())
        assert figure["low"] < figure["value"] < figure["high"]
    assert "cardiomegaly: 2 of 2 found, 0 stated wrongly" in told
    assert "pneumothorax: 0 of 0 found, 1 stated wrongly" in told

    # Files of one's own: a perfect copy, and one that lacks a study.
    files = [str(out / "references.csv")] * 2
    told = done(tmp_path, "score_a_csv.py", *files, "--protocol", "r2gen-iu", "--out", str(tmp_path / "same"))
    assert "micro-F1:  1.000" in told and "BLEU-4:    1.000" in told and (tmp_path / "same" / "scorecard.json").exists()
    short = tmp_path / "short.csv"
    short.write_text("study_id,report\nstudy-1,Clear lungs.\n")
    wrong = run(tmp_path, "score_a_csv.py", str(short), str(out / "references.csv"))
    assert wrong.returncode == 1 and "radscribe: references without hypothesis: study-2" in wrong.stderr
    assert wrong.stderr.count("\n") == 1
