"""Watches an archive that speaks DICOMweb, and drafts its new studies."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal
from urllib.parse import urlsplit

from radscribe.core.errors import WrongUse
from radscribe.pacs.dicomweb import DicomwebArchive
from radscribe.pacs.errors import ArchiveError
from radscribe.pacs.work import BackOff, Round, StudyWork

RECENT = timedelta(days=1)


@dataclass(frozen=True)
class WorklistConfig:
    """What is watched, and how; raises ``WrongUse`` for settings that cannot work."""

    # Address of the DICOMweb service, to which /studies is added.
    url: str
    # Day of the oldest studies; "recent" is yesterday, whatever the day.
    since: date | Literal["recent", "all"] = "recent"
    # Whether to end after one pass.
    once: bool = False
    # Seconds between two searches.
    interval: float = 30.0
    # Seconds that a new study rests, for its last films; none with ``once``.
    settle: float = 60.0
    # Studies drafted in one pass at most.
    limit: int | None = None
    back_off: BackOff = field(default_factory=BackOff)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise WrongUse("--dicomweb: it is no address; give one as http://127.0.0.1:8042/dicom-web")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise WrongUse("--dicomweb: an address alone, please; a name goes into --user, a password into a file")
        if self.interval <= 0 or self.settle < 0:
            raise WrongUse("--interval must be above 0 and --settle not below it; give seconds")
        if self.limit is not None and self.limit < 1:
            raise WrongUse(f"--limit {self.limit}: give 1 or more, or leave it out")

    def first_day(self) -> date | None:
        """The day from which studies are drafted, None for all."""
        if self.since == "recent":
            return date.today() - RECENT
        return None if self.since == "all" else self.since


class Watch:
    """Watches ``archive`` as ``config`` says; ``say`` gets a line for each pass that did anything."""

    def __init__(
        self, config: WorklistConfig, work: StudyWork, archive: DicomwebArchive, say: Callable[[str], None]
    ) -> None:
        self._config, self._work, self._archive, self._say = config, work, archive, say
        self._counts: dict[str, str] = {}  # of the instances of each study, when it was last looked at

    def run(self) -> Round:
        """Draft new studies until interrupted, or once; returns what the last pass did.

        With ``once``, raises ``ArchiveError`` where the archive does not answer; else that is said in a line, and it
        is asked again after a while.
        """
        failures = 0
        while True:
            try:
                done = self.one_pass()
            except ArchiveError as error:
                if self._config.once:
                    raise
                failures += 1
                wait = self._config.back_off.seconds(failures)
                self._say(f"{error}; it is asked again in {wait:.0f} s")
                time.sleep(wait)
                continue
            failures = 0
            if done.outcomes:
                self._say(f"studies: {done}")
            if self._config.once:
                return done
            time.sleep(self._config.interval)

    def one_pass(self) -> Round:
        """Search once, and work on what is due; raises ``ArchiveError`` where the archive does not answer."""
        once, now = self._config.once, time.time()
        due = now if once else now + self._config.settle
        for study, count in self._archive.studies(self._config.first_day()).items():
            self._work.state.add(study, self._work.model, due)
            if self._counts.get(study) != count or not count:
                self._work.reopen(study, due)
                self._counts[study] = count
        return self._work.run(self._config.limit, math.inf if once else None)


def read_day(text: str) -> date | Literal["recent", "all"]:
    """The value of ``--since``; raises ``WrongUse``."""
    if text in ("recent", "all"):
        return text  # type: ignore[return-value]
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongUse(f"--since {text}: give a day as 2026-01-31, all, or recent (yesterday and today)") from None
