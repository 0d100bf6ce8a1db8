"""Draft the reports of many studies at once, for scoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter
from radscribe.imaging.crop import centre_crop
from radscribe.models.evidence import FilmEvidence

BATCH = 128  # studies drafted together
Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def evidence_and_reports(
    reporter: Reporter, dataset: PreparedDataset, studies: Sequence[Study]
) -> tuple[FilmEvidence, list[str]]:
    """The evidence that the model takes from the films of ``studies``, and the reports it writes, in their order."""
    seen: list[FilmEvidence] = []
    reports: list[str] = []
    for first in tqdm(range(0, len(studies), BATCH), desc="drafting", disable=None, leave=False):
        seen.append(evidence_of(reporter, dataset, studies[first : first + BATCH]))
        reports += reporter.write(seen[-1])
    return type(seen[0]).joined(seen), reports


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
    for first in tqdm(range(0, len(evidence), BATCH), desc=what, disable=None, leave=False):
        rows = torch.arange(first, min(first + BATCH, len(evidence)))
        reports += reporter.write(evidence.rows(rows))
    return reports
