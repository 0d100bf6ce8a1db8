"""What is known of the films themselves, where they were labelled apart from the reports that they were paired with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.data.sources.labelled_images import is_ignored, positive_conditions
from radscribe.labels.conditions import BLANK, CONDITIONS, NO_FINDING, POSITIVE


class FilmStates(NamedTuple):
    """The states of N films, N x 18, and which of them are known, N x 18."""

    states: NDArray[np.int64]
    known: NDArray[np.bool_]


def film_states(dataset: PreparedDataset, studies: Sequence[Study]) -> FilmStates:
    """The states of the studies' films: their reports', where a report belongs to its film.

    Of films that were labelled without a report the labels decide: what they name is positive, what the paired report
    alone states is not, and what no label of that image source ever names is not known.
    """
    reported = np.array([study.labels for study in studies], dtype=np.int64).reshape(-1, len(CONDITIONS))
    if "image_labels" not in dataset.table.column_names:
        return FilmStates(reported, np.ones_like(reported, dtype=bool))
    labels, sources = dataset.column("image_labels"), dataset.column("image_source")
    named: dict[str, set[int]] = defaultdict(lambda: {NO_FINDING})
    for study_id, names in labels.items():
        named[sources[study_id]] |= positive_conditions(names)
    states, known = reported.copy(), np.zeros_like(reported, dtype=bool)
    for row, study in enumerate(studies):
        names = labels[study.study_id]
        healthy = set() if any(map(is_ignored, names)) else {NO_FINDING}
        positive = sorted(positive_conditions(names) or healthy)
        known[row, sorted(named[sources[study.study_id]])] = True
        states[row, known[row] & (states[row] == POSITIVE)] = BLANK
        states[row, positive] = POSITIVE
    return FilmStates(states, known)
