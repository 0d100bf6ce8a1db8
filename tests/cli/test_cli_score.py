"""`radscribe score` as its users run it: files of others in, a scorecard with its signature out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from radscribe.cli.main import app
from radscribe.core.errors import WrongUse
from radscribe.evaluation.report_files import read_column, read_reports

REFERENCES = {
    "s1": "The heart is normal in size. There is a small left pleural effusion.",
    "s2": "1. Clear lungs. 2. No pneumothorax, effusion or consolidation.",
    "s3": "Possible pneumonia at the right base.",
}
HYPOTHESES = {"s2": "clear lungs . no effusion .", "s1": "small left pleural effusion .", "s3": "pneumonia ."}


def write_csv(path: Path, reports: dict[str, str], column: str = "report") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["study_id", column])
        writer.writerows(reports.items())
    return path


def run(folder: Path, *options: str) -> tuple[int, str, dict]:  # type: ignore[type-arg]
    said, true = write_csv(folder / "h.csv", HYPOTHESES), folder / "r.json"
    true.write_text(json.dumps(REFERENCES), encoding="utf-8")
    out = folder / "out" / "scorecard.json"
    arguments = ["score", "--hypotheses", str(said), "--references", str(true), "--out", str(out), "--resamples", "20"]
    done = CliRunner().invoke(app, [*arguments, *options])
    return done.exit_code, done.output, json.loads(out.read_text()) if out.exists() else {}


def test_a_scorecard_holds_figures_rows_and_its_signature(tmp_path: Path) -> None:
    code, output, card = run(tmp_path, "--protocol", "r2gen-iu", "--metrics", "bleu,rouge_l")
    assert code == 0, output
    assert card["nlg"]["bleu_1"]["value"] > 0 and card["nlg"]["cider"] is None
    assert card["clinical"]["micro"]["f1"]["value"] == pytest.approx(0.8)  # pneumonia is no more than possible
    signature = card["signature"]
    assert signature["protocol"] == "r2gen-iu"
    assert signature["truncation"] == "references to 59 tokens, hypotheses to 60 tokens"
    assert pq.read_table(tmp_path / "out" / "scores.parquet")["study_id"].to_pylist() == ["s1", "s2", "s3"]
    assert (tmp_path / "out" / "scorecard.md").exists()


def test_the_policy_for_uncertain_statements_is_explicit(tmp_path: Path) -> None:
    for policy, f1 in (("positive", 1.0), ("own", 4 / 6)):
        code, output, card = run(tmp_path, "--uncertain", policy, "--metrics", "bleu")
        assert code == 0, output
        assert card["signature"]["uncertain"] == policy
        assert card["clinical"]["micro"]["f1"]["value"] == pytest.approx(f1), policy


def test_patients_are_resampled_and_words_outside_a_vocabulary_are_unknown(tmp_path: Path) -> None:
    patients = write_csv(tmp_path / "p.csv", {"s1": "a", "s2": "a", "s3": "b"}, "patient_id")
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("clear\nlungs\nno\neffusion\n.\n")
    options = ("--patients", str(patients), "--unknown-words", str(vocabulary), "--metrics", "bleu")
    code, output, card = run(tmp_path, *options)
    assert code == 0, output
    assert card["signature"]["bootstrap"]["unit"] == "patient" and card["signature"]["vocabulary"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [(("--protocol", "r2gen"), "not one of full"), (("--metrics", "spice"), "spice is not one of bleu")],
)
def test_wrong_options_are_reported(tmp_path: Path, options: tuple[str, ...], reason: str) -> None:
    said = write_csv(tmp_path / "h.csv", HYPOTHESES)
    arguments = ["score", "--hypotheses", str(said), "--references", str(said), "--out", str(tmp_path / "o.json")]
    done = CliRunner().invoke(app, [*arguments, *options])
    assert isinstance(done.exception, WrongUse) and reason in str(done.exception)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "study_id,text\ns1,Clear.\n", "column report is missing; its columns are study_id, text"),
        ("a.csv", "study_id,report\ns1,Clear.\ns1,Clear.\n", "line 3: the study_id s1 appears twice"),
        ("a.csv", "study_id,report\ns1,Clear, normal.\n", "line 2 does not have 2 fields"),
        ("a.csv", "study_id,report\n ,Clear.\n", "a report has no study_id"),
        ("a.csv", "study_id,report\n", "it holds no report"),
        ("a.json", "{", r"it is not JSON \(.*line 1 column 2"),
        ("a.json", '["Clear."]', "one JSON object"),
        ("a.json", '{"s1": 3}', "study s1 has no report as text"),
        ("a.json", '{"s1": "a", "s1": "b"}', "s1 appears twice"),
    ],
)
def test_bad_report_files_are_reported_in_one_line(tmp_path: Path, name: str, text: str, reason: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WrongUse, match=reason) as refused:
        read_reports(path)
    assert name in str(refused.value) and "\n" not in str(refused.value)


def test_files_that_are_missing_or_of_another_encoding_are_reported(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no such file"):
        read_reports(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes("study_id,report\ns1,é\n".encode("latin-1"))
    with pytest.raises(WrongUse, match="UTF-8"):
        read_reports(tmp_path / "a.csv")


def test_long_reports_keep_their_lines_and_quotes(tmp_path: Path) -> None:
    report = 'Line one,\nline "two".'
    path = write_csv(tmp_path / "a.csv", {"s1": report})
    assert read_reports(path) == {"s1": report}
    assert read_column(write_csv(tmp_path / "p.csv", {"s1": "p9"}, "patient_id"), "patient_id") == {"s1": "p9"}


def test_a_report_of_ten_megabytes_is_read_whole(tmp_path: Path) -> None:
    report = "effusion is seen. " * 600_000 + "Clear."
    assert read_reports(write_csv(tmp_path / "hypotheses.csv", {"a": report}))["a"] == report
