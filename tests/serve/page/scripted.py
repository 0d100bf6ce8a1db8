"""A reporter whose drafts are known beforehand, for a real service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from radscribe.core.records import (
    Draft,
    DraftSentence,
    EvidenceMap,
    Finding,
    ReferenceSentence,
    WithheldSentence,
)
from radscribe.drafting.reporter import Reporter
from radscribe.labels.conditions import CONDITIONS

GRID = 28
STATED = {
    "pleural effusion": ("positive", 0.83),
    "cardiomegaly": ("negative", 0.97),
    "lung opacity": ("uncertain", 0.6),
}


def peak(across: float, down: float) -> EvidenceMap:
    """A round map about a place (shares of the view), with a box about it."""
    rows, columns = np.mgrid[0:GRID, 0:GRID]
    away = ((columns + 0.5) / GRID - across) ** 2 + ((rows + 0.5) / GRID - down) ** 2
    values = np.exp(-away / 0.02).round(3)
    kept = tuple(tuple(float(value) for value in row) for row in values)
    return EvidenceMap("activation", kept, (across - 0.1, down - 0.1, across + 0.1, down + 0.1))


def sentence(text: str, states: dict[str, str], **more: Any) -> DraftSentence:
    likely = {name: STATED[name][1] for name in states}
    return DraftSentence(text, states, 0.9, ((1.0,),), probabilities=likely, **{"reference": None, **more})


SENTENCES = (
    sentence(
        "There is a small right pleural effusion.",
        {"pleural effusion": "positive"},
        evidence=peak(0.25, 0.75),
        reference=ReferenceSentence("phantom-1", "A small effusion is seen on the right.", 0.91),
    ),
    sentence("The heart is not enlarged.", {"cardiomegaly": "negative"}),
    sentence(
        "There is a possible opacity in the left lower lobe.",
        {"lung opacity": "uncertain"},
        evidence=peak(0.75, 0.5),
        hedged=True,
        reference=ReferenceSentence("phantom-2", None, 0.8),
    ),
)


def finding(condition: str, **others: tuple[str, float | None]) -> Finding:
    known = {
        **STATED,
        "fracture": ("not assessed", None),
        **{name.replace("_", " "): each for name, each in others.items()},
    }
    return Finding(condition, *known.get(condition, ("blank", 0.98)))


def findings(**others: tuple[str, float | None]) -> tuple[Finding, ...]:
    """All 18 conditions; ``others`` replace some of them."""
    return tuple(finding(condition, **others) for condition in CONDITIONS)


class Scripted:
    """Drafts ``sentences`` and ``findings`` for any film, as a calibrated model would."""

    def __init__(self, other: Reporter, **changes: Any) -> None:
        self.system, self.fingerprint, self.threads = other.system, other.fingerprint, 1
        self.gate = self.calibration = None
        self._changes = changes

    def drafts(self, views: Any, names: Sequence[str], evidence: str) -> list[Draft]:
        return [self._draft(name) for name in names]

    def _draft(self, name: str) -> Draft:
        known: dict[str, Any] = {
            "sentences": SENTENCES,
            "findings": findings(),
            "reference": None,
            "withheld": (
                WithheldSentence("There is a 9 mm nodule.", "It gives a size, which the model cannot measure."),
            ),
        }
        known |= self._changes
        report = " ".join(each.text for each in known["sentences"])
        model = {"name": "scripted", "fingerprint": self.fingerprint}
        return Draft(study_id=name, report=report, model=model, **known)


NOTHING: dict[str, Any] = {
    "sentences": (),
    "findings": (),
    "withheld": (),
    "abstain": True,
    "reasons": ("The film is turned upside down.",),
}
