"""Counts, for each split, how often each condition is stated and how many entity triplets there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radscribe.core.records import SPLITS
from radscribe.labels.conditions import BLANK, CONDITIONS, STATES


def label_counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    """Split -> condition -> state (blank excluded) -> number of studies; ``rows`` as in studies.parquet."""
    counts = {
        split: {name: {state: 0 for index, state in enumerate(STATES) if index != BLANK} for name in CONDITIONS}
        for split in SPLITS
    }
    for row in rows:
        for name, state in zip(CONDITIONS, row["labels"], strict=True):
            if state != BLANK:
                counts[row["split"]][name][STATES[state]] += 1
    return counts


def add_counts(total: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add the numbers of ``more`` to those of ``total``, which has the same keys at every depth."""
    for key, value in more.items():
        if isinstance(value, Mapping):
            add_counts(total[key], value)
        else:
            total[key] += value


def triplet_counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Split -> number of triplets, of those with a present entity, and of studies with any triplet."""
    counts = {split: {"triplets": 0, "present": 0, "studies": 0} for split in SPLITS}
    for row in rows:
        own = counts[row["split"]]
        own["triplets"] += len(row["triplets"])
        own["present"] += sum(triplet["present"] for triplet in row["triplets"])
        own["studies"] += bool(row["triplets"])
    return counts
