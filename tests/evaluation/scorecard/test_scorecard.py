"""The scorecard's keys, its sanity flags and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.evaluation.scorecard.breakdown import by_frequency, by_severity
from radscribe.evaluation.scorecard.card import Scorecard, majority_report, score
from radscribe.evaluation.scorecard.tables import markdown
from radscribe.labels.conditions import CHEXBERT_CONDITIONS

FINDINGS = ("There is a large pneumothorax.", "There is cardiomegaly.", "There is a small pleural effusion.")
REFERENCES = {f"s{row:02}": FINDINGS[row % 3] for row in range(24)}
OTHERS = dict(zip(REFERENCES, [*[*REFERENCES.values()][1:], FINDINGS[0]], strict=True))


@pytest.fixture(scope="module")
def card() -> Scorecard:
    return score(REFERENCES, REFERENCES, resamples=40, split="test", section="findings")


def test_perfect_reports_score_one(card: Scorecard) -> None:
    assert card.clinical.micro.f1.value == 1
    assert card.nlg["bleu_4"].value == pytest.approx(1, abs=1e-6)
    assert card.studies == 24
    assert card.distinct_reports == pytest.approx(3 / 24)
    assert card.commonest_report == pytest.approx(8 / 24)
    assert card.flags == ()


def test_json_has_the_keys_that_programs_rely_on(card: Scorecard, tmp_path: Path) -> None:
    path = card.with_control("majority_report", card).save(tmp_path / "out")
    read = json.loads(path.read_text(encoding="utf-8"))
    assert path == tmp_path / "out" / "scorecard.json"
    assert read["format"] == "radscribe-scorecard/1"
    assert {"radscribe_version", "missing", "distinct_reports", "studies", "signature", "flags"} <= read.keys()
    assert set(read["nlg"]) == {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider"}
    assert read["nlg"]["meteor"]["value"] == pytest.approx(1)
    clinical = read["clinical"]
    for name in ("micro", "macro", "example", "micro_5", "macro_5", "micro_13"):
        assert set(clinical[name]) == {"precision", "recall", "f1"}
        assert set(clinical[name]["f1"]) == {"value", "low", "high"}
    assert tuple(clinical["per_condition"]) == CHEXBERT_CONDITIONS
    assert read["controls"]["majority_report"]["clinical"].keys() == clinical.keys()
    assert read["controls"]["majority_report"]["nlg"].keys() == read["nlg"].keys()
    assert read["signature"]["hashes"]["hypotheses"] == read["signature"]["hashes"]["references"]
    assert "notice" not in read
    assert [child.name for child in sorted(path.parent.iterdir())] == ["scorecard.json", "scores.parquet"]


def test_rows_lie_beside_a_named_file(card: Scorecard, tmp_path: Path) -> None:
    assert card.save(tmp_path / "mine.json") == tmp_path / "mine.json"
    rows = pq.read_table(tmp_path / "mine.parquet").to_pydict()
    assert rows["study_id"] == sorted(REFERENCES)
    assert (
        dict(zip(rows["study_id"], rows["hypothesis"], strict=True))
        == REFERENCES
        == dict(zip(rows["study_id"], rows["reference"], strict=True))
    )
    assert rows["f1"] == [1.0] * 24
    assert rows["hypothesis_states"] == rows["reference_states"]


def test_cards_of_one_folder_keep_their_rows_and_the_json_holds_no_text(card: Scorecard, tmp_path: Path) -> None:
    card.save(tmp_path / "a.json")
    score({"x": "Clear."}, {"x": "Clear."}, resamples=5).save(tmp_path / "b.json")
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 24
    assert pq.read_table(tmp_path / "b.parquet").num_rows == 1
    assert FINDINGS[0] not in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_failed_save_leaves_the_earlier_card(card: Scorecard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = card.save(tmp_path).read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("radscribe.evaluation.scorecard.card.pq.write_table", full_disk)
    with pytest.raises(RadscribeError, match=r"scorecard\.json: could not be saved \(no space"):
        replace(card, studies=0).save(tmp_path)
    assert (tmp_path / "scorecard.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_order_of_studies_changes_nothing(card: Scorecard) -> None:
    backwards = dict(reversed(REFERENCES.items()))
    again = score(backwards, backwards, resamples=40, split="test", section="findings")
    assert again.to_json() == card.to_json()


def test_no_better_than_shuffled_is_flagged(card: Scorecard) -> None:
    other = score(OTHERS, REFERENCES, resamples=40)
    good = card.with_control("shuffled_images", other)
    assert good.flags == ()
    assert good.controls["shuffled_images"].micro_f1_drop.difference.value == pytest.approx(1)
    blind = other.with_control("shuffled_images", other)
    assert len(blind.flags) == 1
    assert "no better than" in blind.flags[0]


def test_predictions_without_reports_can_be_a_control(card: Scorecard) -> None:
    positive = card.per_study.reference_states[:, :14] == 1
    control = card.with_predictions("pixel_regression", positive).controls["pixel_regression"]
    assert control.clinical.micro.f1.value == 1
    assert set(control.nlg.values()) == {None}


def test_majority_report_is_the_commonest_and_ties_do_not_hang_on_order() -> None:
    assert majority_report(["b", "a  a", "a a", "c"], ["x", "y"]) == {"x": "a a", "y": "a a"}
    assert majority_report(["b", "a"], ["x"]) == majority_report(["a", "b"], ["x"])
    with pytest.raises(WrongUse):
        majority_report([], ["x"])


def test_true_labels_replace_those_read_from_references() -> None:
    silent = {study: [0] * 14 for study in (*REFERENCES, "of another split")}
    card = score(REFERENCES, REFERENCES, true_labels=silent, resamples=10)
    assert card.clinical.micro.f1.value == 0
    assert card.signature["reference_labels"] == "true labels"


def test_patients_are_drawn_whole() -> None:
    patients = {study: f"p{row // 2}" for row, study in enumerate(sorted(REFERENCES))}
    card = score(REFERENCES, REFERENCES, patients=patients, resamples=10, notice="weakly paired")
    assert card.signature["bootstrap"]["unit"] == "patient"
    assert card.per_study.table()["patient_id"].to_pylist() == [patients[study] for study in sorted(REFERENCES)]
    assert card.to_dict()["notice"] == "weakly paired"
    assert "weakly paired" in markdown(card)


def test_empty_hypotheses_are_scored_and_counted() -> None:
    card = score(REFERENCES | {"s00": " "}, REFERENCES, resamples=10)
    assert card.empty_hypotheses == 1
    assert card.flags == ("1 of 24 hypotheses are empty",)
    assert card.clinical.micro.recall.value == pytest.approx(23 / 24)


def test_ids_that_do_not_match_are_named() -> None:
    with pytest.raises(WrongUse, match=r"hypotheses without reference: extra"):
        score(REFERENCES | {"extra": "Clear."}, REFERENCES)
    with pytest.raises(WrongUse, match=r"references without hypothesis: s01, .* and 13 more"):
        score({"s00": "Clear."}, REFERENCES)
    with pytest.raises(WrongUse, match="studies without true labels: s"):
        score(REFERENCES, REFERENCES, true_labels={})
    with pytest.raises(WrongUse, match="not 14 or 18 states: s03"):
        score(REFERENCES, REFERENCES, true_labels=dict.fromkeys(REFERENCES, [0] * 14) | {"s03": [0]})
    with pytest.raises(WrongUse, match="studies without patient"):
        score(REFERENCES, REFERENCES, patients={})


def test_controls_of_other_studies_are_refused(card: Scorecard) -> None:
    with pytest.raises(WrongUse, match=r"scored once only: s00, .* and 15 more"):
        card.with_control("majority_report", score({"x": "Clear."}, {"x": "Clear."}, resamples=5))


def test_unknown_protocol_and_no_reports_are_refused() -> None:
    with pytest.raises(WrongUse, match="bleurt"):
        score(REFERENCES, REFERENCES, protocol="bleurt")
    with pytest.raises(WrongUse, match="no hypotheses"):
        score({}, {})


def test_markdown_shows_controls_breakdowns_and_flags(card: Scorecard) -> None:
    rows = card.per_study
    severities = {study: {"pneumothorax": 2} for study, text in REFERENCES.items() if text == FINDINGS[0]}
    full = replace(
        card.with_control("shuffled_images", score(OTHERS, REFERENCES, resamples=10)),
        severity=by_severity(rows.study_ids, rows.hypothesis_states, rows.reference_states, severities),
        frequency=by_frequency(rows.hypothesis_states, rows.reference_states, rows.reference_states),
        agreement={"all": None},
        flags=("look here",),
    )
    text = markdown(full)
    for words in ("shuffled images", "| severity", "| training frequency", "one class only", "flag: look here"):
        assert words in text
    tables = [[line for line in part.splitlines() if line.startswith("|")] for part in text.split("\n\n")]
    assert all(len({len(line) for line in table}) == 1 for table in tables if table)
    assert np.isfinite(full.severity["2"].f1.value)
    json.loads(full.to_json())
