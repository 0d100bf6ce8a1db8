"""Draft the reports of many studies at once, for scoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from radscribe.core.progress import progress
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter
from radscribe.imaging.crop import centre_crop
from radscribe.models.evidence import FilmEvidence

BATCH = 128  # studies drafted together
Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


class DraftedReports(NamedTuple):
    """What a model takes from the films of N studies and writes for them, before any of it is doubted."""

    evidence: FilmEvidence
    sentences: list[list[str]]
    signs: NDArray[np.float64]  # N x 18 x 2, what the statements are judged by

    @property
    def reports(self) -> list[str]:
        """The whole reports."""
        return [" ".join(texts) for texts in self.sentences]


def draft_reports(reporter: Reporter, dataset: PreparedDataset, studies: Sequence[Study]) -> DraftedReports:
    """The reports that the model writes for the films of ``studies``, in their order."""
    seen: list[FilmEvidence] = []
    sentences: list[list[str]] = []
    signs = []
    for first in progress(range(0, len(studies), BATCH), "drafting", "batch"):
        seen.append(evidence_of(reporter, dataset, studies[first : first + BATCH]))
        written = reporter.written(seen[-1])
        sentences += [[text for text, _, _ in reporter.system.model.tokenizer.sentences(row)] for row in written.tokens]
        signs.append(reporter.signs(seen[-1], written))
    return DraftedReports(type(seen[0]).joined(seen), sentences, np.concatenate(signs))


def evidence_of(
    reporter: Reporter, dataset: PreparedDataset, studies: Sequence[Study], change: Change | None = None
) -> FilmEvidence:
    """The evidence in the films of ``studies``, cropped and then, where asked for, changed (H x W grey levels)."""
    config, seen = reporter.system.config, []
    for first in range(0, len(studies), BATCH):
        films = [
            [centre_crop(film, config.film) for film in dataset.films(study, config.views)]
            for study in studies[first : first + BATCH]
        ]
        seen.append(reporter.see([np.stack([change(film) if change else film for film in views]) for views in films]))
    return type(seen[0]).joined(seen)


def write_reports(reporter: Reporter, evidence: FilmEvidence, what: str) -> list[str]:
    """The reports that the model writes from ``evidence``; ``what`` names the progress bar."""
    reports: list[str] = []
    for first in progress(range(0, len(evidence), BATCH), what, "batch"):
        rows = torch.arange(first, min(first + BATCH, len(evidence)))
        reports += reporter.write(evidence.rows(rows))
    return reports
