"""ReXrank's files, in and out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from makers import write_film
from radscribe.cli.main import app
from radscribe.core.errors import WrongUse
from radscribe.drafting.rexrank import read_studies
from radscribe.evaluation.report_files import read_reports

STUDIES = {
    "a": {
        "image_path": ["/x/1.png", "/x/2.png"],
        "key_image_path": "/x/2.png",
        "context": "Age:60-70. Indication: cough.",
        "section_findings": "Clear lungs.",
        "section_impression": float("nan"),
    },
    "b": {"image_path": ["x/gone.png"], "section_findings": "An opacity.", "section_impression": "Pneumonia."},
}


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    write_film(tmp_path / "images" / "x" / "2.png", 2)
    path = tmp_path / "asked.json"
    path.write_text(json.dumps(STUDIES))
    return path


def test_each_study_is_drafted_from_its_key_image_and_scored_from_one_file(
    asked: Path, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "predictions.json"
    command = ["rexrank", str(asked), str(out), "--images", str(tmp_path / "images"), "--checkpoint", str(checkpoint)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1 and "gone.png" in done.output and "refused: 1" in done.output
    written = json.loads(out.read_text())
    assert written["a"]["model_prediction"] and written["b"]["model_prediction"] == ""
    assert written["a"]["context"] == STUDIES["a"]["context"]
    card = tmp_path / "card.json"
    arguments = ["score", "--hypotheses", str(out), "--references", str(out), "--out", str(card), "--metrics", "bleu"]
    done = CliRunner().invoke(app, [*arguments, "--resamples", "10"])
    assert done.exit_code == 0 and json.loads(card.read_text())["studies"] == 2
    # A second run drafts nothing anew, and tries the refused film again.
    written["a"]["model_prediction"] = "kept"
    out.write_text(json.dumps(written))
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1 and "refused: 1" in done.output
    write_film(tmp_path / "images" / "x" / "gone.png", 3)
    assert CliRunner().invoke(app, command).exit_code == 0
    written = json.loads(out.read_text())
    assert written["a"]["model_prediction"] == "kept" and written["b"]["model_prediction"]


def test_both_sides_are_read_as_rexrank_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({name: {**study, "model_prediction": name} for name, study in STUDIES.items()}))
    assert read_reports(path) == {"a": "a", "b": "b"}
    assert read_reports(path, "references") == {
        "a": "Findings: Clear lungs. Impression: None",
        "b": "Findings: An opacity. Impression: Pneumonia.",
    }


@pytest.mark.parametrize(
    ("content", "side", "reason"),
    [
        ('{"a": {"section_findings": "x"}}', "hypotheses", "study a has no model_prediction"),
        ('{"a": {"model_prediction": "x"}}', "references", "study a has neither section_findings nor"),
        ('{"a": {"model_prediction": 3}}', "hypotheses", "study a has no report as text"),
        ('{"a": {"model_prediction": "x"}, "a": {"model_prediction": "y"}}', "hypotheses", "a appears twice"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: str, side: str, reason: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(WrongUse, match=reason):
        read_reports(tmp_path / "p.json", side)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "not a JSON object but a list; give a ReXrank file, one JSON object from study id to study"),
        ('{"a": {}}', "study a has neither key_image_path"),
        ("{", "damaged, it is not JSON"),
        ('{"a": 3}', "study a is not a JSON object"),
    ],
)
def test_studies_that_cannot_be_drafted_are_wrong_use(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(WrongUse, match=reason):
        read_studies(tmp_path / "p.json")
    with pytest.raises(WrongUse, match="no such file"):
        read_studies(tmp_path / "q.json")
