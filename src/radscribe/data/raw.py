"""Defines raw studies as sources give them: their films are not read yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from radscribe.imaging.film import Film, read_film
from radscribe.imaging.levels import Pixels
from radscribe.imaging.refusal import RefusedFilm


class FilmLoader(Protocol):
    """Loads a film that will be fitted to ``size`` x ``size``, or raises ``RefusedFilm``; must be picklable."""

    def __call__(self, size: int) -> Film: ...


@dataclass(frozen=True)
class FilmFile:
    """A film in its own file; ``source`` names it without the folders of one machine."""

    path: Path
    source: str

    def __call__(self, size: int) -> Film:
        return read_film(self.path, self.source, size)


@dataclass(frozen=True)
class Unsquashed:
    """A film that was scaled to a square, given back the shape that its detector gave it: ``rows`` x ``columns``.

    Its longer side stays as long as the square's; a film that is no square keeps the shape it has.
    """

    load: FilmLoader
    rows: int
    columns: int

    def __call__(self, size: int) -> Film:
        film = self.load(size)
        height, width = film.pixels.shape
        if height != width or self.rows == self.columns:
            return film
        scale = height / max(self.rows, self.columns)
        shape = max(1, round(self.columns * scale)), max(1, round(self.rows * scale))
        picture = Image.fromarray(film.pixels).resize(shape, Image.Resampling.BILINEAR)
        return replace(film, pixels=np.asarray(picture))


@dataclass(frozen=True, eq=False)
class FilmPixels:
    """A film that is already in memory: uint8, height x width, bright = dense."""

    pixels: Pixels
    source: str

    def __call__(self, size: int) -> Film:
        return Film(self.pixels, self.source)


@dataclass(frozen=True)
class FilmRefused:
    """A film that the source could not find or read, with the reason."""

    source: str
    reason: str

    def __call__(self, size: int) -> Film:
        raise RefusedFilm(self.source, self.reason)


@dataclass(frozen=True)
class RawFilm:
    """One film of a raw study."""

    load: FilmLoader
    source: str
    view: str | None = None  # "frontal", "lateral" or "unknown"; None: as the file's header says


@dataclass(frozen=True)
class RawStudy:
    """One study as a source gives it."""

    study_id: str
    patient_id: str
    films: tuple[RawFilm, ...]
    split: str | None = None  # None: by hash of the patient
    findings: str = ""
    impression: str = ""
    indication: str = ""
    labels: tuple[int, ...] | None = None  # 18 states; None: read from the report
    extra: Mapping[str, Any] = field(default_factory=dict)  # columns that the source adds to studies.parquet
    refused: str | None = None  # the reason, if the source itself rejects the study

    def resolve(self) -> RawStudy:
        """The study itself; sources whose studies are expensive to make give tasks that do that work here."""
        return self


class StudyTask(Protocol):
    """A picklable task that becomes a raw study in the process that reads its films."""

    def resolve(self) -> RawStudy: ...
