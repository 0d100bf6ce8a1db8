"""One thread with the model: it drafts whatever studies wait, several at a time."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from radscribe.core.compute import threads
from radscribe.core.errors import RadscribeError
from radscribe.core.records import Draft
from radscribe.drafting.reporter import Reporter


class QueueFull(RadscribeError):
    """More studies wait than the service holds."""


@dataclass(frozen=True, eq=False)
class _Job:
    views: NDArray[np.uint8]  # views x crop x crop
    study_id: str
    draft: Future[Draft] = field(default_factory=Future)


class Drafter:
    """Drafts with ``reporter`` in a thread of its own, up to ``batch`` studies at a time; at most ``limit`` are held.

    A place is taken with ``reserve`` before a study is decoded, and given back with ``release``.
    """

    def __init__(self, reporter: Reporter, limit: int, batch: int, evidence: str) -> None:
        self._reporter, self._limit, self._batch, self._evidence = reporter, limit, batch, evidence
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="drafter", daemon=True)
        self._lock = threading.Lock()
        self._held = 0

    @property
    def held(self) -> int:
        """How many studies have a place: they are being decoded, wait, or are being drafted."""
        return self._held

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Draft what waits, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def reserve(self) -> None:
        """Take a place; raises ``QueueFull`` where there is none."""
        with self._lock:
            if self._held >= self._limit:
                raise QueueFull(f"{self._held} studies are waiting already; send this one again later")
            self._held += 1

    def release(self) -> None:
        """Give a place back."""
        with self._lock:
            self._held -= 1

    def submit(self, views: NDArray[np.uint8], study_id: str) -> Future[Draft]:
        """The draft to come for the ``views`` (views x crop x crop) of one study."""
        job = _Job(views, study_id)
        self._jobs.put(job)
        return job.draft

    def _work(self) -> None:
        with threads(self._reporter.threads):  # torch counts them for each thread
            while (first := self._jobs.get()) is not None:
                jobs, more = [first], True
                while more and len(jobs) < self._batch:
                    try:
                        job = self._jobs.get_nowait()
                    except queue.Empty:
                        break
                    if job is None:
                        self._jobs.put(None)
                        more = False
                    else:
                        jobs.append(job)
                # From here on nobody can take a job back.
                self._draft([job for job in jobs if job.draft.set_running_or_notify_cancel()])

    def _draft(self, jobs: Sequence[_Job]) -> None:
        if not jobs:
            return
        try:
            drafts = self._reporter.drafts([job.views for job in jobs], [job.study_id for job in jobs], self._evidence)
        except Exception as error:
            if len(jobs) > 1:  # one study must not cost the others theirs
                for job in jobs:
                    self._draft([job])
                return
            logging.getLogger("radscribe.serve").error("drafting failed: %s", type(error).__name__)
            jobs[0].draft.set_exception(error)
            return
        for job, draft in zip(jobs, drafts, strict=True):
            job.draft.set_result(draft)
