"""The nouns that cross rooms: a study going in, a draft coming out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NOTICE = "Research use only. Not for diagnosis."

SPLITS = ("train", "validate", "test")


@dataclass(frozen=True)
class View:
    """One image of a study: its row in ``pixels.npy``, its projection and the name of the file it came from."""

    image_index: int
    view: str  # "frontal", "lateral" or "unknown"
    source: str


@dataclass(frozen=True)
class Study:
    """One examination of one patient: images, report sections and the labels read from the report.

    ``labels`` holds 18 states (0 blank, 1 positive, 2 negative, 3 uncertain) in the order of
    ``labels.conditions.CONDITIONS``; ``triplets`` holds ``(entity, place, present)`` index triples into
    ``labels.entities.ENTITIES`` and ``PLACES``.
    """

    study_id: str
    patient_id: str
    split: str
    views: tuple[View, ...]
    findings: str = ""
    impression: str = ""
    indication: str = ""
    labels: tuple[int, ...] = ()
    triplets: tuple[tuple[int, int, int], ...] = ()

    def report(self, section: str) -> str:
        """The text of ``section``: "findings", "impression" or "both" (findings first)."""
        if section == "both":
            return " ".join(part for part in (self.findings, self.impression) if part)
        return {"findings": self.findings, "impression": self.impression}[section]

    @property
    def frontal(self) -> View:
        """The view a one-view model reads: the first frontal, else the first view there is."""
        return next((view for view in self.views if view.view == "frontal"), self.views[0])

    def read(self, count: int) -> tuple[View, ...]:
        """The ``count`` views that a model reads, the frontal first; where there are fewer, the last one again.

        A view given twice changes no attention among the patches: equal keys share the weight that one had.
        """
        others = [view for view in self.views if view != self.frontal]
        found = (self.frontal, *others)[:count]
        return (*found, *found[-1:] * (count - len(found)))


@dataclass(frozen=True)
class ReferenceSentence:
    """The sentence of the training reports nearest in meaning to a drafted one; text only where it is attached."""

    study_id: str
    sentence: str | None
    similarity: float


@dataclass(frozen=True)
class DraftSentence:
    """One sentence of a draft with its evidence.

    ``attention`` is a 7 x 7 map over the model's view of the film, ``map`` the file of its picture where one was asked
    for; ``slots`` are the memory slots it used, none in a system without a memory.
    """

    text: str
    conditions: dict[str, str]
    confidence: float
    attention: tuple[tuple[float, ...], ...]
    reference: ReferenceSentence | None
    map: str | None = None
    slots: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Finding:
    condition: str
    state: str
    probability: float


@dataclass(frozen=True)
class Reference:
    """The nearest training study; its report is ``None`` until texts are attached, ``distance`` without a ball."""

    study_id: str
    distance: float | None
    report: str | None


@dataclass(frozen=True)
class Draft:
    """What a model says about one study, with the evidence for each sentence."""

    study_id: str
    report: str
    sentences: tuple[DraftSentence, ...]
    findings: tuple[Finding, ...]
    reference: Reference | None
    model: dict[str, str]
    abstain: dict[str, Any] = field(default_factory=lambda: {"flag": False, "reasons": []})
    notice: str = NOTICE
