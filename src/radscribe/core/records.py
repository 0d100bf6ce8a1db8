"""The records that cross rooms: a study going in, a draft coming out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NOTICE = "Research use only. Not for diagnosis."

# The state of a condition that the model cannot tell.
NOT_ASSESSED = "not assessed"

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
        """The text of ``section``: "findings", "impression", "both" (findings first), or "none", which is empty."""
        if section == "both":
            parts = [part for part in (self.findings, self.impression) if part]
            # Where statements end with their lines, the last one of the findings does.
            return ("\n" if any("\n" in part for part in parts) else " ").join(parts)
        return {"findings": self.findings, "impression": self.impression, "none": ""}[section]

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
class EvidenceMap:
    """Where on the film the finding of a sentence is."""

    # "activation": what each place adds to the probability of the condition; "counterfactual": how much less likely the
    # sentence is without the place; "attention": where the sentence looked.
    kind: str
    values: tuple[tuple[float, ...], ...]  # over the model's view of the film, 0 at the least, 1 at the peak
    box: tuple[float, float, float, float] | None  # around the peak: left, top, right, bottom, shares of the view
    # The share of the sentence's probability that is lost without the film; None where it was not computed.
    support: float | None = None


@dataclass(frozen=True)
class DraftSentence:
    """One sentence of a draft with its evidence."""

    text: str
    conditions: dict[str, str]  # the state of each condition that the sentence states
    confidence: float  # geometric mean of its tokens' probabilities
    attention: tuple[tuple[float, ...], ...]  # a map over the model's view of the film (7 x 7), sums to 1
    reference: ReferenceSentence | None
    map: str | None = None  # file of the map's picture, where one was asked for
    slots: tuple[dict[str, Any], ...] = ()  # memory slots it used; none in a system without a memory
    # Where its finding is; None where it states none, or ``unmapped`` says why there is no map of it.
    evidence: EvidenceMap | None = None
    unmapped: str | None = None
    # How likely each of its statements on a condition is true; empty in a checkpoint that is not calibrated.
    probabilities: dict[str, float] = field(default_factory=dict)
    # Whether a statement of it is too doubtful to be made without the word "possible".
    hedged: bool = False


@dataclass(frozen=True)
class WithheldSentence:
    """A sentence that the model wrote and the draft leaves out, and why."""

    text: str
    reason: str


@dataclass(frozen=True)
class Finding:
    """The likeliest state of one condition."""

    condition: str
    state: str  # blank, positive, negative, uncertain, or "not assessed" where validation shows no knowledge of it
    probability: float | None  # None where it is not assessed


@dataclass(frozen=True)
class Reference:
    """The training study that the report was written with.

    ``report`` is None until texts are attached, ``distance`` (in the Poincaré ball) where it was not found in a ball.
    """

    study_id: str
    distance: float | None
    report: str | None


@dataclass(frozen=True)
class Draft:
    """A drafted report for one study, with the evidence for each sentence."""

    study_id: str
    report: str
    sentences: tuple[DraftSentence, ...]
    findings: tuple[Finding, ...]
    reference: Reference | None
    model: dict[str, str]
    notice: str = NOTICE
    # What in a film's file may have made the picture another than was meant; a sentence each.
    warnings: tuple[str, ...] = ()
    # Sentences that the calibrated checkpoint does not stand by.
    withheld: tuple[WithheldSentence, ...] = ()
    # Whether the film is none that the model can read, and why, a sentence each.
    abstain: bool = False
    reasons: tuple[str, ...] = ()
