"""Write labels, class rates, entity triplets and sentences of a dataset's reports as CSV tables."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from radscribe.core.records import SPLITS
from radscribe.data.dataset import PreparedDataset
from radscribe.exports.annotation import section_of
from radscribe.exports.folder import Contents
from radscribe.labels.conditions import CONDITIONS, POSITIVE, STATES
from radscribe.labels.entities import ENTITIES, PLACES
from radscribe.models.knowledge.prompts import report_sentences


def write_derived(folder: Path, dataset: PreparedDataset) -> Contents:
    """Write four CSV files to ``folder``, with splits and states by name.

    labels.csv: one row per study, 18 conditions; class_rates.csv: for each condition the number and share of training
    studies in which it is positive; triplets.csv: study, split, entity, place, present or absent; sentences.csv: each
    distinct sentence of the training reports with the number of them that contain it, most frequent first.
    """
    training = dataset.split("train")
    labels = [(study.study_id, study.split, *(STATES[state] for state in study.labels)) for study in dataset.studies]
    triplets = [
        (study.study_id, study.split, ENTITIES[entity], PLACES[place], ("absent", "present")[present])
        for study in dataset.studies
        for entity, place, present in study.triplets
    ]
    positive = [sum(study.labels[index] == POSITIVE for study in training) for index in range(len(CONDITIONS))]
    rates = [
        (name, count, round(count / max(1, len(training)), 6)) for name, count in zip(CONDITIONS, positive, strict=True)
    ]
    section = section_of(dataset)
    held = Counter(
        sentence for study in training for sentence in dict.fromkeys(report_sentences(study.report(section)))
    )
    rows = {
        "labels.csv": _write(folder / "labels.csv", ("study_id", "split", *CONDITIONS), labels),
        "class_rates.csv": _write(folder / "class_rates.csv", ("condition", "positive", "rate"), rates),
        "triplets.csv": _write(folder / "triplets.csv", ("study_id", "split", "entity", "place", "exists"), triplets),
        "sentences.csv": _write(folder / "sentences.csv", ("sentence", "reports"), held.most_common()),
    }
    return Contents({split: {"studies": len(dataset.split(split))} for split in SPLITS}, rows)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a CSV file; returns the number of rows below the header."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count
