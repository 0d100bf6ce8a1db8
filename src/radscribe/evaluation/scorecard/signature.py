"""The signature of a scorecard: every setting that its figures depend on, and hashes of what was scored."""

from __future__ import annotations

import platform
from collections.abc import Collection
from typing import Any

import numpy as np

from radscribe.core.version import __version__
from radscribe.evaluation.scorecard.per_study import PerStudy, content_hash
from radscribe.labels.labeler import Labeler
from radscribe.metrics.protocols import Protocol

TRUE_LABELS = "true labels"
AVERAGING = "micro of 14 and of 13 without no finding, macro, example-based; 0/0 = 0"


def signature_of(
    rows: PerStudy,
    protocol: Protocol,
    labeler: Labeler,
    *,
    true_labels: bool,
    vocabulary: Collection[str] | None,
    split: str | None,
    section: str | None,
) -> dict[str, Any]:
    """The signature of a scorecard with these ``rows``, which must hold both reports of each study.

    ``true_labels`` says whether the reference states are true labels, rather than read from the references.
    """
    assert rows.hypotheses is not None and rows.references is not None
    resampling = rows.resampling
    return {
        "protocol": protocol.name,
        "labeler": labeler.name,
        "labeler_version": labeler.version,
        "reference_labels": TRUE_LABELS if true_labels else "labeler",
        "uncertain": rows.uncertain,
        "averaging": AVERAGING,
        "cleaning": protocol.cleaning,
        "tokenization": protocol.tokenization,
        "casing": protocol.casing,
        "truncation": protocol.truncation,
        "vocabulary": None if vocabulary is None else content_hash({"words": sorted(vocabulary)}),
        "split": split,
        "section": section,
        "bootstrap": {
            "unit": "study" if resampling.clusters is None else "patient",
            "resamples": resampling.resamples,
            "seed": resampling.seed,
        },
        "software": {"python": platform.python_version(), "radscribe": __version__, "numpy": np.__version__},
        "hashes": {
            "hypotheses": content_hash(dict(zip(rows.study_ids, rows.hypotheses, strict=True))),
            "references": content_hash(dict(zip(rows.study_ids, rows.references, strict=True))),
            "reference_states": content_hash(dict(zip(rows.study_ids, rows.reference_states.tolist(), strict=True))),
        },
    }
