"""Tables read from the reports, against a plain count of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from radscribe.core.files import sha256_of
from radscribe.data.dataset import PreparedDataset
from radscribe.labels.conditions import CONDITIONS, STATES
from radscribe.labels.entities import ENTITIES, PLACES

Run = Callable[..., tuple[int, str, str]]


def test_the_tables_hold_what_the_dataset_holds(run: Run, phantoms: PreparedDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, _, error = run("export", "derived", "--data", str(phantoms.folder), "--out", str(out))
    assert code == 0, error
    tables = {}
    for path in sorted(out.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            tables[path.name] = list(csv.DictReader(file))
    labels = {row["study_id"]: row for row in tables["labels.csv"]}
    assert list(labels[phantoms.studies[0].study_id]) == ["study_id", "split", *CONDITIONS]
    triplets: dict[str, list[tuple[str, ...]]] = {}
    for row in tables["triplets.csv"]:
        triplets.setdefault(row["study_id"], []).append((row["entity"], row["place"], row["exists"]))
    for study in phantoms.studies:
        row = labels[study.study_id]
        assert row["split"] == study.split
        assert tuple(STATES.index(row[name]) for name in CONDITIONS) == study.labels
        assert triplets.get(study.study_id, []) == [
            (ENTITIES[entity], PLACES[place], "present" if present else "absent")
            for entity, place, present in study.triplets
        ]
    training = phantoms.split("train")
    for index, row in enumerate(tables["class_rates.csv"]):
        count = sum(study.labels[index] == 1 for study in training)
        assert row["condition"] == CONDITIONS[index] and int(row["positive"]) == count
        assert float(row["rate"]) == pytest.approx(count / len(training), abs=1e-6)
    held = {row["sentence"]: int(row["reports"]) for row in tables["sentences.csv"]}
    assert list(held.values()) == sorted(held.values(), reverse=True)
    for sentence, count in list(held.items())[:10]:
        assert count == sum(sentence in study.findings for study in training)
    record = json.loads((out / "export.json").read_text())
    assert record["files"] == {
        name: {"sha256": sha256_of(out / name), "rows": len(rows)} for name, rows in tables.items()
    }


def test_sentences_of_validation_and_test_are_not_told(run: Run, phantoms: PreparedDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", "derived", "--data", str(phantoms.folder), "--out", str(out))
    text = (out / "sentences.csv").read_text("utf-8")
    training = " ".join(study.findings for study in phantoms.split("train"))
    only = [
        sentence
        for study in phantoms.split("test")
        for sentence in study.findings.split(". ")
        if sentence and sentence.rstrip(".") not in training
    ]
    assert only and not any(f"{sentence.rstrip('.')}." in text for sentence in only)
