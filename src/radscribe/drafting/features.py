"""Entity predictions of the frozen entity model for films, computed once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from radscribe.core.progress import progress
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.films import Films, FilmSource
from radscribe.drafting.system import System
from radscribe.models.encoders.entity import EntityModel, FilmEntities

BATCH = 64


@torch.no_grad()
def entities_of(model: EntityModel, films: FilmSource, count: int, device: torch.device) -> FilmEntities:
    """Entity predictions for the first ``count`` films, unaugmented, on the CPU."""
    parts = [
        FilmEntities.of(model(films.plain(range(first, min(first + BATCH, count))).to(device)))
        for first in progress(range(0, count, BATCH), "looking at films", "batch")
    ]
    return FilmEntities(*(torch.cat(columns).cpu() for columns in zip(*parts, strict=True)))


def entities_of_films(dataset: PreparedDataset, studies: Sequence[Study], system: System) -> FilmEntities:
    """Entity predictions for the frontal films of ``studies``, by the entity model of a REVTAF system."""
    assert system.entity_model is not None
    films = Films(dataset.pixels, [study.frontal.image_index for study in studies], system.config.film)
    return entities_of(system.entity_model, films, len(studies), next(system.parameters()).device)
