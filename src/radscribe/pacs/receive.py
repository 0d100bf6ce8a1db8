"""Drafts the studies that are received by DIMSE, and sends their documents on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radscribe.core.errors import WrongUse
from radscribe.pacs.errors import ArchiveUnreachable
from radscribe.pacs.film_queue import FilmQueue
from radscribe.pacs.senders import Sender
from radscribe.pacs.work import UNDRAFTED, BackOff, StudyWork, note

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class ReceiveConfig:
    """How received studies are worked on; raises ``WrongUse`` for a time below 0."""

    # Seconds without another film after which a study is drafted.
    settle: float = 60.0
    back_off: BackOff = field(default_factory=BackOff)

    def __post_init__(self) -> None:
        if not 0 <= self.settle < math.inf:
            raise WrongUse(f"--settle {self.settle:g}: give seconds, 0 or more")


class Hospital:
    """Films from ``queue``, documents to ``sender``: an archive, as ``StudyWork`` takes it, without DICOMweb."""

    def __init__(self, queue: FilmQueue, sender: Sender) -> None:
        self._queue, self._sender = queue, sender

    def listing(self, study: str) -> str:
        """The names of the study's films in the queue."""
        return " ".join(path.name for path in self._queue.films(study))

    def films(self, study: str, folder: Path) -> list[Path]:
        """The study's films, where they lie."""
        return self._queue.films(study)

    def holds_drafts(self, study: str, fingerprint: str) -> bool:
        """False: a peer cannot be asked."""
        return False

    def store(self, study: str, documents: Sequence[bytes]) -> None:
        """Send documents on; raises ``ArchiveError``."""
        self._sender.store(study, documents)

    def finished(self, study: str) -> None:
        """Delete the study's films."""
        self._queue.remove(study)


class Reception:
    """Works on the studies in ``queue``; ``say`` gets a line for each pass that did anything."""

    def __init__(self, config: ReceiveConfig, work: StudyWork, queue: FilmQueue, say: Callable[[str], None]) -> None:
        self._config, self._work, self._queue, self._say = config, work, queue, say
        self._failures, self._resting = 0, 0.0

    def run(self) -> None:
        """Draft until interrupted."""
        while True:
            self.one_pass()
            time.sleep(LOOK_SECONDS)

    def one_pass(self) -> None:
        """Put the studies on the list that get no more films, and work on what is due."""
        for study, seconds in self._queue.studies().items():
            if seconds >= self._config.settle:
                self._list(study)
        if time.monotonic() < self._resting:
            return
        try:
            done = self._work.run()
        except ArchiveUnreachable:  # said already of the study; the others would fare no better
            self._failures += 1
            self._resting = time.monotonic() + self._config.back_off.seconds(self._failures)
            return
        self._failures = 0
        if done.outcomes:
            self._say(f"studies: {done}")

    def _list(self, study: str) -> None:
        row = self._work.state.get(study, self._work.model)
        if row is None:
            self._work.state.add(study, self._work.model, 0.0)
        elif row.status in UNDRAFTED:  # whose films were deleted: these are others, or the same ones again
            self._work.reopen(study, 0.0)
            if self._work.state.get(study, self._work.model) == row:
                self._queue.remove(study)
        elif row.status == "stored":
            note(study, "it is drafted already; the films that came after that are not")
            self._queue.remove(study)
