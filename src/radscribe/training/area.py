"""The area under the ROC curve, by which steps that tell conditions or entities choose their epoch."""

from __future__ import annotations

from torch import Tensor

from radscribe.metrics.areas import roc_area


def mean_area(scores: Tensor, truth: Tensor) -> float:
    """Mean ROC area over columns with at least 5 of each kind (by the rank sum); 0.5 where there is none.

    ``scores``, ``truth``: N x columns.
    """
    columns = zip(scores.double().cpu().numpy().T, truth.bool().cpu().numpy().T, strict=True)
    areas = [roc_area(score, hits) for score, hits in columns if min(hits.sum(), (~hits).sum()) >= 5]
    return sum(areas) / len(areas) if areas else 0.5
