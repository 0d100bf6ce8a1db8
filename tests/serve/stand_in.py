"""A reporter that writes the same two sentences on every film, waits when it is bidden and fails on bright films."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from radscribe.core.records import Draft, DraftSentence, Finding
from radscribe.drafting.reporter import Reporter

BRIGHT = 200  # mean grey level


class StandIn:
    """Has the films and fingerprint of ``other``; ``go`` holds it back until it is set, ``batches`` are what it got."""

    def __init__(self, other: Reporter, abstain: bool = False) -> None:
        self.system, self.fingerprint, self.threads = other.system, other.fingerprint, 1
        self.gate = self.calibration = None
        self.abstain, self.go = abstain, threading.Event()
        self.batches: list[int] = []
        self.go.set()

    def drafts(self, views: Sequence[Any], names: Sequence[str], evidence: str) -> list[Draft]:
        self.batches.append(len(names))
        self.go.wait(60)
        if any(view.mean() > BRIGHT for view in views):
            raise RuntimeError("Secret^Patient")
        return [self._draft(name) for name in names]

    def _draft(self, name: str) -> Draft:
        model = {"name": "stand-in", "fingerprint": self.fingerprint}
        if self.abstain:
            return Draft(name, "", (), (), None, model, abstain=True, reasons=("It is turned.",))
        said = (("There is a left pleural effusion.", "positive"), ("No pneumothorax.", "negative"))
        conditions = ("pleural effusion", "pneumothorax")
        sentences = tuple(
            DraftSentence(text, {condition: state}, 0.5, ((1.0,),), None)
            for (text, state), condition in zip(said, conditions, strict=True)
        )
        findings = tuple(Finding(name, state, 0.9) for name, (_, state) in zip(conditions, said, strict=True))
        return Draft(name, " ".join(text for text, _ in said), sentences, findings, None, model)
