"""The area under the ROC curve, by which steps that tell conditions or entities choose their epoch."""

from __future__ import annotations

from torch import Tensor


def mean_area(scores: Tensor, truth: Tensor) -> float:
    """Mean ROC area over columns with at least 5 of each kind (by the rank sum); 0.5 where there is none.

    ``scores``, ``truth``: N x columns.
    """
    areas = []
    for score, positive in zip(scores.double().T, truth.bool().T, strict=True):
        hits, misses = int(positive.sum()), int((~positive).sum())
        if min(hits, misses) >= 5:
            above = (score[positive][:, None] > score[~positive]).double().mean()
            level = (score[positive][:, None] == score[~positive]).double().mean()
            areas.append(float(above + level / 2))
    return sum(areas) / len(areas) if areas else 0.5
