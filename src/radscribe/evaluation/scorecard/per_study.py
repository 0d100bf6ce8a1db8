"""The rows behind a scorecard, one a study: to the table of a parquet file and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from radscribe.metrics.clinical import Outcomes, Uncertain, outcomes, precision_recall_f1
from radscribe.metrics.significance import Additive, Floats, Resampling

States = NDArray[np.int64]

# Columns that are not language figures.
COUNTS = ("true_positives", "false_positives", "false_negatives")
STATES = ("hypothesis_states", "reference_states")
TEXTS = ("hypothesis", "reference")
OTHERS = frozenset({"study_id", "patient_id", "precision", "recall", "f1", *COUNTS, *STATES, *TEXTS})


@dataclass(frozen=True)
class PerStudy:
    """What the figures are computed from, for ``N`` studies in the order of ``study_ids``."""

    study_ids: tuple[str, ...]  # sorted
    hypothesis_states: States  # N x 14 or N x 18
    reference_states: States
    language: Mapping[str, Floats]  # by figure, N values each
    resampling: Resampling  # with the patients where they are known
    uncertain: Uncertain = "negative"
    hypotheses: tuple[str, ...] | None = None  # the reports as given; None where a file does not hold them
    references: tuple[str, ...] | None = None
    parts: tuple[Additive, ...] = ()  # what the language figures are sums of

    def outcomes(self) -> Outcomes:
        """True positives, false positives and false negatives: ``N x 14 x 3``."""
        return outcomes(self.hypothesis_states, self.reference_states, self.uncertain)

    def table(self) -> pa.Table:
        """The rows of the parquet file, both reports of each study included."""
        counts = self.outcomes().sum(axis=1)
        example = precision_recall_f1(counts)
        columns: dict[str, Any] = {"study_id": self.study_ids, **self.language}
        if self.resampling.clusters is not None:
            columns["patient_id"] = self.resampling.clusters
        columns |= {name: example[:, column] for column, name in enumerate(("precision", "recall", "f1"))}
        columns |= {name: counts[:, column] for column, name in enumerate(COUNTS)}
        columns |= {"hypothesis_states": list(self.hypothesis_states), "reference_states": list(self.reference_states)}
        if self.hypotheses is not None and self.references is not None:
            columns |= {"hypothesis": self.hypotheses, "reference": self.references}
        return pa.table(columns)

    @classmethod
    def of_table(cls, table: pa.Table, uncertain: Uncertain) -> PerStudy:
        """The rows that ``table`` wrote, without ``parts``; raises ``KeyError`` for a missing column."""
        names = set(table.column_names)
        hypothesis_states, reference_states = (np.array(table[name].to_pylist(), dtype=np.int64) for name in STATES)
        texts = TEXTS if names >= set(TEXTS) else ()
        hypotheses, references = (tuple(table[name].to_pylist()) for name in texts) if texts else (None, None)
        return cls(
            tuple(table["study_id"].to_pylist()),
            hypothesis_states,
            reference_states,
            {name: table[name].to_numpy() for name in table.column_names if name not in OTHERS},
            Resampling(tuple(table["patient_id"].to_pylist()) if "patient_id" in names else None),
            uncertain,
            hypotheses,
            references,
        )

    def of_studies(self, study_ids: tuple[str, ...]) -> PerStudy:
        """The rows of some of the studies, in that order, without ``parts``."""
        place = {study_id: row for row, study_id in enumerate(self.study_ids)}
        rows = np.array([place[study_id] for study_id in study_ids], dtype=np.int64)
        clusters = self.resampling.clusters
        return PerStudy(
            study_ids,
            self.hypothesis_states[rows],
            self.reference_states[rows],
            {name: values[rows] for name, values in self.language.items()},
            Resampling(_picked(clusters, rows), self.resampling.resamples, self.resampling.seed),
            self.uncertain,
            _picked(self.hypotheses, rows),
            _picked(self.references, rows),
        )


def rows_path(scorecard: Path) -> Path:
    """The path of the rows of a scorecard's JSON file: ``scores.parquet`` for ``scorecard.json``, else by its name."""
    return scorecard.with_name("scores.parquet" if scorecard.stem == "scorecard" else f"{scorecard.stem}.parquet")


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _picked(values: tuple[str, ...] | None, rows: NDArray[np.int64]) -> tuple[str, ...] | None:
    return None if values is None else tuple(values[row] for row in rows)
