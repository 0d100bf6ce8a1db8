"""Whether the model sees the disease or the collection: what its patches tell of films of a source left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter
from radscribe.evaluation.controls.baselines import pooled, pooled_patches
from radscribe.evaluation.controls.films import image_sources, stratified_rows
from radscribe.evaluation.controls.pixels_baseline import standardised_logistic
from radscribe.metrics.areas import roc_area

# Training films of each source that are read for it, and films of a kind without which nothing is computed.
FILMS, LEAST = 400, 5


def names_pneumonia(dataset: PreparedDataset, studies: Sequence[Study]) -> NDArray[np.bool_]:
    """Whether the labels of each study's film name pneumonia: ``N``."""
    labels = dataset.column("image_labels")
    return np.array(["pneumonia" in [label.lower() for label in labels[study.study_id]] for study in studies])


def transfer_between_sources(
    reporter: Reporter, dataset: PreparedDataset, studies: Sequence[Study], patches: Tensor
) -> dict[str, dict[str, float]]:
    """For each image source the ROC area for pneumonia among its ``studies`` of a logistic regression on the mean of
    their ``patches`` (N x P x width): fitted on training films of this source ("own"), and of the others ("others").

    Where the second is near 0.5 though the first is high, the network's features tell the source and not the disease.
    Empty where there are not two sources with enough films of both kinds.
    """
    training = dataset.split("train")
    origin = np.array(image_sources(dataset, training))
    chosen = [
        [study for study, source in zip(training, origin, strict=True) if source == name] for name in np.unique(origin)
    ]
    chosen = [[part[row] for row in stratified_rows(part, [""] * len(part), FILMS)] for part in chosen]
    known = [study for part in chosen for study in part]
    origin, sick = np.array(image_sources(dataset, known)), names_pneumonia(dataset, known)
    tested, tested_sick = np.array(image_sources(dataset, studies)), names_pneumonia(dataset, studies)
    names = [name for name in np.unique(tested) if _both(tested_sick[tested == name]) and _both(sick[origin == name])]
    if len(names) < 2:
        return {}
    features, own = pooled_patches(reporter, dataset, known), pooled(patches)
    found = {}
    for name in names:
        here, among = origin == name, np.isin(origin, [other for other in names if other != name])
        fits = {
            kind: standardised_logistic(features[rows], sick[rows, None], own[tested == name])[:, 0]
            for kind, rows in (("own", here), ("others", among))
        }
        found[str(name)] = {kind: roc_area(margins, tested_sick[tested == name]) for kind, margins in fits.items()}
    return found


def _both(sick: NDArray[np.bool_]) -> bool:
    return min(int(sick.sum()), int((~sick).sum())) >= LEAST
