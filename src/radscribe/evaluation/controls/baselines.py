"""Baselines without a model: the majority report, the nearest training film by pixels, regression on pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.evaluation.controls.pixels_baseline import (
    at_the_edge,
    nearest_by_pixels,
    pool,
    predict,
    standardised_logistic,
)
from radscribe.evaluation.scorecard.card import Scorecard, majority_report
from radscribe.evaluation.split import SplitReferences, states_of
from radscribe.labels.conditions import CHEXBERT_COUNT, POSITIVE

BATCH = 128  # studies whose films are read together


def with_baselines(card: Scorecard, references: SplitReferences) -> tuple[Scorecard, dict[str, Scorecard]]:
    """The scorecard with each baseline as a control, and the scorecards of those baselines that write reports.

    The training split of the same dataset is what they know. Raises ``WrongUse`` where it is empty.
    """
    dataset, training = references.dataset, references.dataset.split("train")
    known = [study.report(references.section) for study in training]
    majority = references.score(majority_report(known, references.ids).values())
    films, own = pooled_films(dataset, training), pooled_films(dataset, references.studies)
    nearest = references.score([known[row] for row in nearest_by_pixels(films, own)])
    baselines = {"majority_report": majority, "nearest_neighbour": nearest}
    for name, baseline in baselines.items():
        card = card.with_control(name, baseline)
    targets = states_of(training)[:, :CHEXBERT_COUNT] == POSITIVE
    rows = {study_id: row for row, study_id in enumerate(references.ids)}
    order = [rows[study_id] for study_id in card.per_study.study_ids]
    card = card.with_predictions("pixels_32x32_logistic_regression", predict(films, targets, own)[order])
    edge = standardised_logistic(at_the_edge(films), targets, at_the_edge(own)) > 0
    return card.with_predictions("film_edge_logistic_regression", edge[order]), baselines


def pooled_films(dataset: PreparedDataset, studies: Sequence[Study]) -> NDArray[np.float64]:
    """The films of ``N`` studies at 32 x 32, ``N x 1024``: a few at a time, since all may be larger than memory."""
    parts = [studies[first : first + BATCH] for first in range(0, len(studies), BATCH)]
    return np.concatenate([pool(np.stack([dataset.film(study) for study in part])) for part in parts])
