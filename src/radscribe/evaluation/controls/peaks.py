"""Where attention maps peak: a model that always looks at one corner looks at nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from radscribe.drafting.reporter import Reporter
from radscribe.evaluation.evaluate import Evaluation


@dataclass(frozen=True)
class Peaks:
    """Where the maps of sentences peak."""

    sentences: int
    at_edge: float  # share of the maps that peak in the outermost rows and columns
    edge: float  # share of a map's places that lie there
    commonest_place: float  # share of the maps that peak at the place where most do


def peaks(maps: NDArray[np.floating]) -> Peaks | None:
    """The peaks of ``N`` maps (``N x H x W``); None without any."""
    if not len(maps):
        return None
    height, width = maps.shape[1:]
    places = maps.reshape(len(maps), -1).argmax(1)
    rows, columns = np.divmod(np.arange(height * width), width)
    edge = np.isin(rows, (0, height - 1)) | np.isin(columns, (0, width - 1))
    commonest = np.bincount(places, minlength=height * width).max()
    return Peaks(len(maps), float(edge[places].mean()), float(edge.mean()), float(commonest / len(maps)))


def drafted_peaks(reporter: Reporter, evaluation: Evaluation, rows: Sequence[int]) -> Peaks | None:
    """The peaks of all sentences that were drafted for the studies in ``rows``; None where nothing was."""
    model, found = reporter.system.model, list[NDArray[np.floating]]()
    for row in rows:
        report = evaluation.reports[evaluation.studies[row].study_id]
        tokens = model.tokenizer.encode(report, reporter.system.config.search.max_new_tokens)[:-1]
        spans = model.tokenizer.sentences(tokens)
        if not spans:
            continue
        attention = model.explain(tokens, evaluation.evidence.rows(torch.tensor([row]))).attention
        side = round(attention.shape[1] ** 0.5)
        found += [attention[first:last].mean(0).view(side, side).cpu().numpy() for _, first, last in spans]
    return peaks(np.stack(found)) if found else None
