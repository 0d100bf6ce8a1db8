"""What the service does with a study: keeps its films, has them decoded and drafted, and keeps the draft."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from radscribe.drafting.batch import draft_line
from radscribe.drafting.reporter import Reporter
from radscribe.imaging.one_patient import OTHER, stranger
from radscribe.imaging.refusal import RefusedFilm
from radscribe.serve.database import Database, DraftRow
from radscribe.serve.decoding import DecodedFilm, DecodingPool, FilmPicture
from radscribe.serve.documents import document_request, draft_of, final_draft, view_of
from radscribe.serve.drafter import Drafter
from radscribe.serve.drift import Drift
from radscribe.serve.films import FilmStore, StoredStudy
from radscribe.serve.messages import DraftChange, Edits
from radscribe.serve.metrics import Metrics
from radscribe.serve.reading import frontal_first, with_warnings
from radscribe.serve.settings import ServeConfig, reader_name
from radscribe.serve.store import DraftStore, NewDraft

SWEEP_SECONDS = 3600.0
Film = TypeVar("Film", DecodedFilm, FilmPicture, bytes)
Given = TypeVar("Given")


class RefusedStudy(RefusedFilm):
    """A film of a study was refused; ``place`` is its number in the request, from 1."""

    def __init__(self, place: int, refusal: RefusedFilm) -> None:
        super().__init__(f"film {place}", refusal.reason)
        self.place, self.cause = place, refusal


class DraftService:
    """The service without HTTP; ``start`` it in a running event loop, which its coroutines then share."""

    def __init__(self, reporter: Reporter, config: ServeConfig, database: Database) -> None:
        system = reporter.system.config
        self.config, self._fingerprint, self._views = config, reporter.fingerprint, system.views
        self.model = (system.name, reporter.fingerprint, system.film)
        self._view = view_of(system.film)  # kept with each draft, whatever model runs later
        self.films = FilmStore(config.data / "films", config.film_bytes)
        self._database, self.store = database, DraftStore(database)
        self.drafter = Drafter(reporter, config.queue, config.batch, config.evidence)
        self.decoding = DecodingPool(system.film, config.decoding)
        self.drift = Drift(reporter.gate, reporter.calibration)
        self.metrics = Metrics(lambda: self.drafter.held, self.drift)
        self._decoders = ThreadPoolExecutor(config.decoding.workers, "decoder")
        self._running: dict[str, asyncio.Task[tuple[DraftRow, bool]]] = {}
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start drafting, and delete what a killed service left behind and, from now on, what is too old."""
        self.drafter.start()
        await asyncio.to_thread(lambda: self.films.tidy(self.store.ids()))
        if self.config.retain is not None:
            self._sweeper = asyncio.create_task(self._sweep(self.config.retain))

    async def stop(self) -> None:
        """Finish the studies that wait, end all threads and processes, and close the database."""
        if self._sweeper:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await asyncio.to_thread(self.drafter.stop)
        self._decoders.shutdown(wait=True, cancel_futures=True)
        self.decoding.close()
        self._database.close()

    async def create(self, uploads: Sequence[BinaryIO], who: str) -> tuple[DraftRow, bool]:
        """The draft of a study, and whether it is new; the same files, also at the same time, give one draft.

        Raises:
            EmptyFilm, LargeFilm, RefusedStudy: an upload that is no film, or is one of another patient or study.
            QueueFull: too many studies wait.
        """
        study = await asyncio.to_thread(self.films.add, uploads)
        running = self._running.get(study.study_hash)
        first = running is None
        if running is None:
            running = self._running[study.study_hash] = asyncio.create_task(self._find_or_draft(study, who))
            running.add_done_callback(lambda task: self._ended(study.study_hash, task))
        else:
            await asyncio.to_thread(self.films.remove, study.id)
        # A client that goes away takes no draft from the others that wait for it.
        row, new = await asyncio.shield(running)
        return row, new and first

    async def change(self, name: str, change: DraftChange, who: str) -> DraftRow:
        """A draft after ``change``; raises as ``DraftStore.change``."""
        row, decided = await asyncio.to_thread(self.store.change, name, change, who)
        self.metrics.decided(decided)
        return row

    async def picture(self, name: str, place: int) -> FilmPicture:
        """A film for people to look at; raises ``RefusedFilm`` where it cannot be decoded any more."""
        return await self._decoded(self.decoding.picture, self.films.file(name, place))

    async def document(self, row: DraftRow, name: str) -> bytes:
        """A document of ``DOCUMENTS`` on a draft, with a reader's words once it is final; raises ``RefusedFilm``."""
        draft, reader = draft_of(row.draft), None
        if row.status == "final":
            draft = final_draft(draft, Edits.model_validate(row.edits))
            reader = reader_name(await asyncio.to_thread(self.store.finisher, row.id))
        paths = [self.films.file(row.id, place) for place in row.draft["read_films"]]
        request = document_request(name, draft, row.changed, paths, row.draft["view"], reader)
        return await self._decoded(self.decoding.document, request)

    def _ended(self, study_hash: str, task: asyncio.Task[Any]) -> None:
        self._running.pop(study_hash, None)
        if not task.cancelled():
            task.exception()  # whoever waits gets it; nobody waiting is no fault

    async def _find_or_draft(self, study: StoredStudy, who: str) -> tuple[DraftRow, bool]:
        kept = False
        try:
            found = await asyncio.to_thread(self.store.find, study.study_hash, self._fingerprint)
            if found:
                return found, False
            self.drafter.reserve()
            try:
                films = await self._films(study.files)
                read = frontal_first(films)[: self._views]
                views = np.stack([films[place].pixels for place in read])
                draft = await asyncio.wrap_future(self.drafter.submit(views, study.id))
            finally:
                self.drafter.release()
            line = {**draft_line(with_warnings(draft, films, len(read))), "read_films": read, "view": self._view}
            sizes = [(film.width, film.height, film.bits) for film in films]
            new = NewDraft(study.id, study.study_hash, self._fingerprint, line, sizes)
            row, kept = await asyncio.to_thread(self.store.add, new, who)
            if kept:
                await asyncio.to_thread(self.films.keep, study.id)
                self.metrics.drafted(line)
                self.drift.add(views[0], draft)
            return row, kept
        finally:
            if not kept:
                await asyncio.to_thread(self.films.remove, study.id)

    async def _films(self, files: Sequence[Path]) -> list[DecodedFilm]:
        decoded = await asyncio.gather(
            *(self._decoded(self.decoding.decode, file) for file in files), return_exceptions=True
        )
        films: list[DecodedFilm] = []
        for place, film in enumerate(decoded, start=1):
            if isinstance(film, RefusedFilm):
                raise RefusedStudy(place, film)
            if isinstance(film, BaseException):
                raise film
            films.append(film)
        if found := stranger([film.owner for film in films]):
            place, kind = found
            raise RefusedStudy(place + 1, RefusedFilm("film", OTHER.format(kind)))
        return films

    async def _decoded(self, work: Callable[[Given], Film], given: Given) -> Film:
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work, given)

    async def _sweep(self, days: float) -> None:
        while True:
            await asyncio.to_thread(self._remove_older, days)
            await asyncio.sleep(SWEEP_SECONDS)

    def _remove_older(self, days: float) -> None:
        names = self.store.older(days)
        for name in names:
            self.films.mark(name)
        self.store.remove(names, days)
        for name in names:
            self.films.remove(name)
