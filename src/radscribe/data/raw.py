"""What a source hands to the preparation: studies whose films are not read yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from radscribe.imaging.film import Film, read_film
from radscribe.imaging.levels import Pixels
from radscribe.imaging.refusal import RefusedFilm


class FilmLoader(Protocol):
    """Gives a film to be fitted to ``size`` x ``size``, or raises ``RefusedFilm``; travels to the process that reads
    it."""

    def __call__(self, size: int) -> Film: ...


@dataclass(frozen=True)
class FilmFile:
    """A film in a file of its own; ``source`` names it without the folders of one machine."""

    path: Path
    source: str

    def __call__(self, size: int) -> Film:
        return read_film(self.path, self.source, size)


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
    """One film of a raw study; ``view`` is "frontal", "lateral", or None to take what the file's header says."""

    load: FilmLoader
    source: str
    view: str | None = None


@dataclass(frozen=True)
class RawStudy:
    """One study as a source gives it.

    ``split`` is None where the source does not say, ``labels`` (18 states) where they are to be read from the
    report, ``refused`` the reason why the source itself sets the study aside. ``extra`` holds the columns that
    the source adds to ``studies.parquet``.
    """

    study_id: str
    patient_id: str
    films: tuple[RawFilm, ...]
    split: str | None = None
    findings: str = ""
    impression: str = ""
    indication: str = ""
    labels: tuple[int, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    refused: str | None = None

    def resolve(self) -> RawStudy:
        """The study itself; a source whose studies cost something to make puts that work here."""
        return self


class StudyTask(Protocol):
    """Anything that becomes a raw study in the process that reads its films."""

    def resolve(self) -> RawStudy: ...
