"""The references of a dataset split, and the scoring of reports that were written for its studies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.evaluation.scorecard.card import Scorecard, score
from radscribe.metrics.protocols import protocol_named

# Without METEOR, which takes longer than drafting.
QUICK_METRICS = ("bleu", "rouge_l", "cider")


@dataclass(frozen=True)
class SplitReferences:
    """The studies of one split in their order, and how the reports written for them are scored."""

    dataset: PreparedDataset
    split: str
    section: str
    studies: list[Study]
    protocol: str = "full"

    @classmethod
    def of(
        cls, dataset: PreparedDataset, split: str, section: str, limit: int | None = None, protocol: str = "full"
    ) -> SplitReferences:
        """The references of ``split``, or of its first ``limit`` studies, scored by ``protocol``.

        Raises ``RadscribeError`` where the dataset was prepared for another ``section`` of the report, and ``WrongUse``
        for an unknown protocol.
        """
        dataset.require_section(section)
        protocol_named(protocol)
        return cls(dataset, split, section, dataset.split(split)[:limit], protocol)

    @property
    def ids(self) -> list[str]:
        """The study ids in order."""
        return [study.study_id for study in self.studies]

    def score(
        self,
        written: Iterable[str],
        rows: Sequence[int] | None = None,
        metrics: Collection[str] = QUICK_METRICS,
    ) -> Scorecard:
        """The scorecard of reports ``written`` for all studies, or for those in ``rows``, in that order.

        Intervals resample patients. Of synthetic films the true labels count, else those read from the references.
        """
        studies = self.studies if rows is None else [self.studies[row] for row in rows]
        synthetic = self.dataset.manifest["settings"]["source"] == "phantom"
        return score(
            {study.study_id: report for study, report in zip(studies, written, strict=True)},
            {study.study_id: study.report(self.section) for study in studies},
            self.protocol,
            true_labels={study.study_id: study.labels for study in studies} if synthetic else None,
            patients={study.study_id: study.patient_id for study in studies},
            split=self.split,
            section=self.section,
            notice="weakly paired" if self.dataset.manifest.get("weakly_paired") else None,
            metrics=metrics,
        )


def states_of(studies: Sequence[Study]) -> NDArray[np.int64]:
    """The labels of ``N`` studies as states, ``N x 18``."""
    return np.array([study.labels for study in studies])
