"""Scores in a model card: in place of earlier ones, and only in a checkpoint's own card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from radscribe.cli.main import app
from radscribe.core.errors import WrongUse
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.scores import companions_hash, load_scores


def test_the_card_has_the_scores_of_the_last_evaluation(
    checkpoint: Path, phantoms: PreparedDataset, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(checkpoint, model)
    before = (model / "MODEL_CARD.md").read_text()
    command = ["evaluate", "--data", str(phantoms.folder), "--checkpoint", str(model), "--limit", "6", "--card"]
    for protocol in ("full", "promptmrg"):
        done = CliRunner().invoke(app, [*command, "--protocol", protocol, "--out", str(tmp_path / protocol)])
        assert done.exit_code == 0, done.output
    card = (model / "MODEL_CARD.md").read_text()
    table = (tmp_path / "promptmrg" / "scorecard.md").read_text()
    assert card.startswith(before.rstrip()) and card.endswith(table) and card.count("## Scores") == 1
    assert "Split test of dataset" in card and "protocol promptmrg" in card
    scores, scorecard = load_scores(model), json.loads((tmp_path / "promptmrg" / "scorecard.json").read_text())
    assert scores and scores.fingerprint == scorecard["signature"]["fingerprint"] and scores.studies == 6
    assert scores.protocol == "promptmrg" and scores.companions == companions_hash(model)
    assert scores.figures["micro_f1_13"] == scorecard["clinical"]["micro_13"]["f1"]


@pytest.mark.parametrize("given", [[], ["--checkpoint", "someone/elses"]])
def test_a_card_that_is_no_file_here_is_refused_before_the_work(
    given: list[str], phantoms: PreparedDataset, tmp_path: Path
) -> None:
    command = ["evaluate", "--data", str(phantoms.folder), "--out", str(tmp_path / "out"), "--card"]
    done = CliRunner().invoke(app, [*command, *given])
    assert isinstance(done.exception, WrongUse) and not (tmp_path / "out").exists()
