"""What the frozen entity model says of films, computed once."""

from __future__ import annotations

import torch
from tqdm import tqdm

from radscribe.drafting.films import FilmSource
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.revtaf import FilmEntities

BATCH = 64


@torch.no_grad()
def entities_of(model: EntityModel, films: FilmSource, count: int, device: torch.device) -> FilmEntities:
    """The entity model's word on the first ``count`` films, unaugmented, on the CPU."""
    parts = [
        FilmEntities.of(model(films.plain(range(first, min(first + BATCH, count))).to(device)))
        for first in tqdm(range(0, count, BATCH), unit="batch", desc="looking at films", disable=None, leave=False)
    ]
    return FilmEntities(*(torch.cat(columns).cpu() for columns in zip(*parts, strict=True)))
