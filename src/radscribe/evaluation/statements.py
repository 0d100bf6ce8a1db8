"""What a model's drafts state on the studies of a split, how likely each statement is, and whether it is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.core.records import Study
from radscribe.drafting.calibration import Calibration
from radscribe.drafting.doubt import JudgedSentence, judge
from radscribe.evaluation.drafted import DraftedReports
from radscribe.labels.conditions import BLANK, NEGATIVE, NO_FINDING, POSITIVE
from radscribe.labels.rules import label_report
from radscribe.metrics.statement_scores import Statements


@dataclass(frozen=True)
class DraftedSplit:
    """The reports that a model writes for N studies before any is doubted, with what they are judged by."""

    studies: Sequence[Study]
    sentences: list[list[str]]
    states: NDArray[np.int64]  # N x 18, what the reports state
    signs: NDArray[np.float64]  # N x 18 x 2
    shown: NDArray[np.bool_]  # N x 18, what the studies' own reports state present

    @property
    def patients(self) -> tuple[str, ...]:
        """The patient of each study."""
        return tuple(study.patient_id for study in self.studies)

    @property
    def true(self) -> NDArray[np.bool_]:
        """Which of the statements are true: N x 18, of no meaning where nothing is stated."""
        return np.asarray(np.where(self.states == NEGATIVE, ~self.shown, self.shown))

    def judged(self, calibration: Calibration) -> list[list[JudgedSentence]]:
        """The sentences of each report as its draft has them."""
        return [judge(calibration, texts, signs) for texts, signs in zip(self.sentences, self.signs, strict=True)]

    def statements(self, probabilities: NDArray[np.float64], present: bool) -> Statements:
        """The statements that a condition is there (or may be), or those that it is not, with their probabilities.

        "No finding" is none of them: it is what is left when there is none.
        """
        chosen = self.places(present)
        return Statements(np.nonzero(chosen)[0], probabilities[chosen], self.true[chosen])

    def places(self, present: bool) -> NDArray[np.bool_]:
        """Where the reports state a condition present (or possible), or absent: N x 18."""
        stated = self.states != BLANK
        chosen = stated & ((self.states != NEGATIVE) == present)
        chosen[:, NO_FINDING] = False
        return np.asarray(chosen)


def drafted_split(studies: Sequence[Study], drafted: DraftedReports) -> DraftedSplit:
    """The statements of what was ``drafted`` for ``studies``."""
    states = np.array([label_report(report) for report in drafted.reports])
    shown = np.array([study.labels for study in studies]) == POSITIVE
    return DraftedSplit(studies, drafted.sentences, states, drafted.signs, shown)
