"""Where maps peak: a model that always looks at one corner looks at nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.evaluation.controls.drafted_maps import DraftedMaps


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


def drafted_peaks(maps: DraftedMaps, rows: Sequence[int]) -> Peaks | None:
    """The peaks of all maps that the drafts of the studies in ``rows`` show; None where they show none."""
    found = [shown for row in rows for _, shown in maps.of(row, row) if shown is not None]
    return peaks(np.stack(found)) if found else None
