"""Area under the ROC curve of each condition's probability, with its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from radscribe.labels.conditions import CHEXBERT_CONDITIONS, NO_FINDING
from radscribe.metrics.significance import Figure, Resampling, interval

# The area of a condition with fewer positives tells little.
LEAST_POSITIVES = 10
MEAN = "mean"


def roc_area(scores: NDArray[np.floating], hits: NDArray[np.bool_]) -> float:
    """The area under the ROC curve of N ``scores`` against ``hits`` (N), of which there must be some of each kind."""
    pairs = int(hits.sum()) * int((~hits).sum())
    return float(mannwhitneyu(scores[hits], scores[~hits]).statistic / pairs)


def areas(
    probabilities: NDArray[np.floating], positive: NDArray[np.bool_], resampling: Resampling
) -> dict[str, Figure]:
    """ROC areas of the ``probabilities`` of N studies (``N x 14``) against what is ``positive`` (``N x 14``).

    Of the 13 conditions beside "no finding" those with 10 positives and 10 negatives, then their "mean"; empty where
    there are none.
    """
    # How often each study was drawn: row 0 has each once.
    times = resampling.sums(np.eye(len(positive)))
    found, columns = dict[str, Figure](), []
    for column, name in enumerate(CHEXBERT_CONDITIONS):
        hits = positive[:, column]
        if column == NO_FINDING or min(int(hits.sum()), int((~hits).sum())) < LEAST_POSITIVES:
            continue
        above, level = (
            compared(probabilities[hits, column, None], probabilities[None, ~hits, column])
            for compared in (np.greater, np.equal)
        )
        ordered = ((times[:, hits] @ (above + level / 2)) * times[:, ~hits]).sum(1)
        pairs = times[:, hits].sum(1) * times[:, ~hits].sum(1)
        columns.append(np.divide(ordered, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
        found[name] = interval(columns[-1])
    return {**found, MEAN: interval(np.mean(columns, axis=0))} if columns else {}
