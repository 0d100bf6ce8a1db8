"""Works through a list of studies: fetch, draft, store, each step once, with what failed tried again later."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from radscribe.core.progress import progress
from radscribe.imaging.refusal import RefusedFilm
from radscribe.pacs.drafting import StudyDrafter
from radscribe.pacs.errors import ArchiveError, ArchiveUnreachable
from radscribe.pacs.film_queue import folder_name
from radscribe.pacs.state import End, StudyState, WorkState

UNDRAFTED = ("abstained", "refused")


class Archive(Protocol):
    """Where films come from and documents go to."""

    def listing(self, study: str) -> str:
        """What identifies the films that a study has now. Raises ``ArchiveError``."""

    def films(self, study: str, folder: Path) -> list[Path]:
        """The files of a study's films, in order; those that are fetched lie in ``folder``. Raises ``ArchiveError``."""

    def holds_drafts(self, study: str, fingerprint: str) -> bool:
        """Whether all documents of a draft by this model are there already. Raises ``ArchiveError``."""

    def store(self, study: str, documents: Sequence[bytes]) -> None:
        """Store DICOM documents of a study; returns only once all are there. Raises ``ArchiveError``."""

    def finished(self, study: str) -> None:
        """Nothing more will be done with the films of a study."""


@dataclass(frozen=True)
class BackOff:
    """How long to wait after failures: ``first`` seconds, doubled with each, up to ``most``.

    Raises ``ValueError`` for times and numbers that are not above 0.
    """

    first: float = 10.0
    most: float = 3600.0
    # Failures after which a study is given up.
    tries: int = 12

    def __post_init__(self) -> None:
        if min(self.first, self.most, self.tries) <= 0:
            raise ValueError("back-off: seconds and tries must be above 0")

    def seconds(self, failures: int) -> float:
        """How long to wait after so many failures in a row (1 or more)."""
        return float(min(self.most, self.first * 2.0 ** min(failures - 1, 30)))


@dataclass
class Round:
    """What one pass over the list did: how many studies of each outcome."""

    outcomes: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.items())


class StudyWork:
    """Drafts the studies that are due in ``state`` and stores the documents in ``archive``.

    Films that are fetched lie in ``folder``, each study in a folder of its own that is removed.
    """

    def __init__(
        self, state: WorkState, drafter: StudyDrafter, archive: Archive, back_off: BackOff, folder: Path
    ) -> None:
        self.state, self.archive, self._drafter, self._back_off, self._folder = (
            state,
            archive,
            drafter,
            back_off,
            folder,
        )

    @property
    def model(self) -> str:
        """The fingerprint of the model that drafts."""
        return self._drafter.fingerprint

    def run(self, limit: int | None = None, now: float | None = None) -> Round:
        """Work on up to ``limit`` studies that are due (at the time ``now``); each that fails costs only itself.

        Raises ``ArchiveUnreachable`` where nobody answers.
        """
        done = Round()
        studies = self.state.due(self.model, time.time() if now is None else now, limit)
        for row in progress(studies, "drafting", "study"):
            try:
                done.outcomes[self._handle(row)] += 1
            except ArchiveError as error:
                done.outcomes[self._failed(row, error)] += 1
                if isinstance(error, ArchiveUnreachable):
                    raise
        return done

    def reopen(self, study: str, due: float) -> None:
        """Work on a study again, if it has other films now than those of which none could be drafted.

        Raises ``ArchiveUnreachable`` where nobody answers.
        """
        row = self.state.get(study, self.model)
        if row and row.status in UNDRAFTED:
            try:
                changed = self.archive.listing(study) != row.films
            except ArchiveUnreachable:
                raise
            except ArchiveError:  # of this study alone, which can wait
                return
            if changed:
                self.state.reopen(row, due)

    def _handle(self, row: StudyState) -> str:
        """Draft and store one study; returns its outcome in a word. Raises ``ArchiveError``."""
        if row.status == "waiting":
            if not row.films and self.archive.holds_drafts(row.study, row.model):
                return self._finish(row, "stored", "", "") + " before"
            films = self.archive.listing(row.study)
            try:
                with TemporaryDirectory(dir=self._folder) as folder:
                    drafted = self._drafter.draft(self.archive.films(row.study, Path(folder)))
            except RefusedFilm as refusal:
                note(row.study, f"refused: {refusal.reason}")
                return self._finish(row, "refused", films, refusal.reason)
            # From here on these very documents are sent, however often: drafted anew they might differ.
            self.state.keep_documents(row, drafted.contents, films, drafted.note)
            row = replace(row, status="drafted", films=films, note=drafted.note)
        self.archive.store(row.study, self.state.documents(row))
        if row.note:
            note(row.study, f"the draft abstains: {row.note}")
        return self._finish(row, "abstained" if row.note else "stored", row.films, row.note)

    def _finish(self, row: StudyState, status: End, films: str, why: str) -> str:
        self.state.finish(row, status, films, why)
        self.archive.finished(row.study)
        return status

    def _failed(self, row: StudyState, error: ArchiveError) -> str:
        failures = row.tries + 1
        if failures >= self._back_off.tries and not isinstance(error, ArchiveUnreachable):
            note(row.study, f"given up after {failures} tries: {error}")
            self.state.finish(row, "given up", row.films, row.note)
            return "given up"
        wait = self._back_off.seconds(failures)
        note(row.study, f"{error}; it is tried again in {wait:.0f} s or later")
        self.state.postpone(row, time.time() + wait)
        return "failed"


def study_name(study: str) -> str:
    """What a study (its UID, or its folder in a queue) is called in messages, which shall not hold its identifiers."""
    return folder_name(study)[:12] if "." in study else study[:12]


def note(study: str, message: str) -> None:
    """One line on the error stream about a study."""
    print(f"radscribe: study {study_name(study)}: {' '.join(message.split())}", file=sys.stderr, flush=True)
