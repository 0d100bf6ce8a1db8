"""One draft with its film, as every document of it is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radscribe.clinic.geometry import Box, FilmGeometry
from radscribe.clinic.identity import draft_key
from radscribe.clinic.source import SourceFilm
from radscribe.core.files import sha256_of
from radscribe.core.records import Draft, DraftSentence, EvidenceMap
from radscribe.imaging.crop import FilmConfig


@dataclass(frozen=True, eq=False)
class Case:
    """A draft, the film it is of, and when its documents are made; raises ``ValueError`` for a time without a zone."""

    draft: Draft
    pixels: NDArray[np.uint8]  # the upright film, height x width
    view: NDArray[np.uint8]  # what the model saw of it, crop x crop
    geometry: FilmGeometry
    key: str  # what the identifiers of its documents are made of
    made: datetime
    source: SourceFilm | None = None  # the header; None for a PNG or JPEG
    others: tuple[SourceFilm, ...] = ()  # the study's other films that the model read
    reader: str | None = None  # who decided on every sentence; None where nobody did

    def __post_init__(self) -> None:
        if self.made.tzinfo is None:
            raise ValueError("the time that documents are made at needs its zone")

    @property
    def shown(self) -> list[tuple[DraftSentence, EvidenceMap, Box | None]]:
        """The sentences with evidence, that evidence, and its box in pixels of the upright film (None without one)."""
        return [
            (each, each.evidence, self.geometry.on_upright(each.evidence.box) if each.evidence.box else None)
            for each in self.draft.sentences
            if each.evidence
        ]


def case_of(
    draft: Draft,
    path: Path,
    pixels: NDArray[np.uint8],
    view: NDArray[np.uint8],
    config: FilmConfig,
    made: datetime,
    source: SourceFilm | None,
    others: tuple[SourceFilm, ...] = (),
    reader: str | None = None,
) -> Case:
    """The case of a draft of the film in ``path``.

    Args:
        draft: the draft.
        path: the film's file.
        pixels: the upright film (height x width, uint8).
        view: what the model saw of it (crop x crop, uint8).
        config: how the model cuts films.
        made: when, with its zone.
        source: the film's header, where it is DICOM.
        others: the headers of the study's other films that the model read; those of another study are left out.
        reader: who decided on every sentence of the draft, as documents name them; None where nobody did.
    """
    if source is None:
        geometry, film = FilmGeometry(pixels.shape[0], pixels.shape[1], config), sha256_of(path)
    else:
        geometry = FilmGeometry(source.rows, source.columns, config, source.orientation, source.view)
        study, film = source.header.StudyInstanceUID, source.uid
        others = tuple(each for each in others if each.header.StudyInstanceUID == study and each.uid != film)
    return Case(draft, pixels, view, geometry, draft_key(draft, film, reader), made, source, others, reader)
