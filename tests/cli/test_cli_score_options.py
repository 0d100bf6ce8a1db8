"""`radscribe score` with sections, vocabularies of annotations and patients, as its users run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]

REPORTS = {
    "p10_s1": "FINDINGS: The heart is large. IMPRESSION: Cardiomegaly.",
    "p10_s2": "FINDINGS: No effusion. IMPRESSION: Azygos fissure.",
    "p11_s3": "FINDINGS: The lungs are clear. IMPRESSION: None",
}
TRAINING = ["The heart is large.", "The heart is large. Cardiomegaly.", "The heart is large.", "Azygos."]


@pytest.fixture
def scored(run: Run, tmp_path: Path) -> Callable[..., tuple[int, str, dict[str, Any]]]:
    """Scores the reports against themselves; returns exit code, all output, and the card."""
    reports, annotation = tmp_path / "r.json", tmp_path / "annotation.json"
    reports.write_text(json.dumps(REPORTS))
    annotation.write_text(json.dumps({"train": [{"id": str(n), "report": text} for n, text in enumerate(TRAINING)]}))

    def call(*options: str) -> tuple[int, str, dict[str, Any]]:
        out = tmp_path / "out" / "card.json"
        both = ("--hypotheses", str(reports), "--references", str(reports), "--out", str(out), "--metrics", "bleu")
        given = (option.format(folder=tmp_path) for option in options)
        code, output, errors = run("score", *both, "--resamples", "9", *given)
        return code, output + errors, json.loads(out.read_text()) if out.exists() else {}

    return call


Scored = Callable[..., tuple[int, str, dict[str, Any]]]


def test_a_section_is_scored_alone_and_what_lacks_it_is_stated(scored: Scored) -> None:
    code, output, card = scored("--section", "impression")
    assert code == 0 and card["studies"] == 2 and card["signature"]["section"] == "impression"
    assert "- warning: 1 of 3 studies are left out: their reference has no impression" in output
    whole = scored()[2]
    assert whole["studies"] == 3 and whole["signature"]["section"] is None
    assert whole["signature"]["hashes"]["references"] != card["signature"]["hashes"]["references"]


def test_the_vocabulary_of_an_annotation_is_that_of_a_list_of_its_words(scored: Scored, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("the heart is large .")
    by_hand = scored("--protocol", "r2gen-iu", "--unknown-words", "{folder}/words.txt")[2]
    code, output, card = scored("--protocol", "r2gen-iu", "--vocabulary-from", "{folder}/annotation.json")
    assert code == 0, output
    assert card["signature"]["vocabulary"] == by_hand["signature"]["vocabulary"] is not None
    assert card["nlg"] == by_hand["nlg"]
    lower = scored("--vocabulary-from", "{folder}/annotation.json", "--threshold", "1")[2]
    assert lower["signature"]["vocabulary"] != card["signature"]["vocabulary"]


def test_a_comparison_takes_the_same_annotation(scored: Scored, run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name, options in (("plain", ()), ("unknown", ("--vocabulary-from", "{folder}/annotation.json"))):
        scored("--protocol", "r2gen-iu", *options)
        for suffix in ("json", "parquet"):
            (tmp_path / "out" / f"card.{suffix}").rename(tmp_path / f"{name}.{suffix}")
    both = (str(tmp_path / "plain.json"), str(tmp_path / "unknown.json"), "--resamples", "9")
    code, output, errors = run("compare", *both)
    assert code == 0, errors
    assert "or annotation (--vocabulary-from)" not in output  # "plain" needs no vocabulary
    code, output, errors = run("compare", *both[1::-1], *both[2:])
    assert code == 0 and "or annotation (--vocabulary-from)" in output, errors
    code, output, errors = run(
        "compare", *both[1::-1], *both[2:], "--vocabulary-from", str(tmp_path / "annotation.json")
    )
    assert code == 0 and "--vocabulary-from" not in output, errors


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--vocabulary-from", "{folder}/annotation.json", "--unknown-words", "{folder}/r.json"), "give one of them"),
        (("--threshold", "3"), "--vocabulary-from, which is missing; give both"),
        (("--vocabulary-from", "{folder}/annotation.json"), "protocol full; give --threshold"),
        (("--vocabulary-from", "{folder}/none.json", "--threshold", "3"), "none.json"),
        (("--vocabulary-from", "{folder}/r.json", "--threshold", "3"), "no list of training reports"),
        (("--vocabulary-from", "{folder}/annotation.json", "--threshold", "99"), "give a lower --threshold"),
        (("--vocabulary-from", "{folder}/annotation.json", "--threshold", "0"), "threshold"),
        (("--section", "history"), "section"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(scored: Scored, options: tuple[str, ...], reason: str) -> None:
    code, output, card = scored(*options)
    assert code == 2 and reason in output and "Traceback" not in output and not card


@pytest.mark.parametrize("content", ['{"train": [{"id": "1"}]}', '{"train": ["a"]}', "[]", '{"train": []}'])
def test_what_is_no_annotation_is_refused(scored: Scored, tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    code, output, _ = scored("--vocabulary-from", "{folder}/other.json", "--threshold", "1")
    assert code == 2 and "other.json: " in output and "give the annotation.json of R2Gen" in output


def test_several_studies_of_a_patient_are_warned_of_until_patients_are_given(scored: Scored, tmp_path: Path) -> None:
    assert "(patients with several: 1)" in scored()[1]
    (tmp_path / "p.csv").write_text("study_id,patient_id\n" + "".join(f"{study},{study[:3]}\n" for study in REPORTS))
    code, output, card = scored("--patients", "{folder}/p.csv")
    assert code == 0 and card["signature"]["bootstrap"]["unit"] == "patient" and "--patients" not in output


def test_patients_in_the_table_of_reports_are_warned_of(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "r.csv"
    table.write_text("study_id,report,subject_id\na,Clear lungs.,7\nb,Small effusion.,7\nc,No effusion.,8\n")
    both = ("--hypotheses", str(table), "--references", str(table), "--out", str(tmp_path / "o.json"))
    code, output, _ = run("score", *both, "--metrics", "bleu", "--resamples", "9")
    assert code == 0 and output.count("r.csv has patients with several studies (subject_id)") == 1


def test_near_copies_in_chinese_have_a_figure_and_are_not_read(run: Run, tmp_path: Path, shared_cases: Path) -> None:
    case = shared_cases / "other-language"
    both = ("--hypotheses", str(case / "zh-hyp.json"), "--references", str(case / "zh-ref.json"))
    code, output, errors = run("score", *both, "--out", str(tmp_path / "o.json"), "--resamples", "9")
    card = json.loads((tmp_path / "o.json").read_text())
    assert code == 0, errors
    assert card["nlg"]["bleu_4"]["value"] > 0.5 and card["not_read"] == {"hypotheses": 3, "references": 3}
    assert card["clinical"]["per_condition"]["no finding"]["support"] == 0 and "were not read" in output
