"""Has films decoded by other processes, each within limits; one that dies costs the film it was reading."""

from __future__ import annotations

import json
import multiprocessing
import queue
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radscribe.imaging.crop import FilmConfig
from radscribe.imaging.levels import MAXIMUM_BYTES
from radscribe.imaging.one_patient import Owner
from radscribe.imaging.refusal import RefusedFilm
from radscribe.serve.settings import DecodingLimits

LARGEST_HEAD, LARGEST_PNG = 2**16, 2 * MAXIMUM_BYTES
# For loading libraries, by a process that starts or makes documents.
LIBRARY_SECONDS = 60.0


class FilmTooLarge(RefusedFilm):
    """A film that cannot be decoded within the limits of memory and time."""


@dataclass(frozen=True, eq=False)
class DecodedFilm:
    """A film as a model sees it, and what is known of it."""

    pixels: NDArray[np.uint8]  # crop x crop
    width: int
    height: int
    bits: int  # 8 or 16
    view: str | None  # "frontal" or "lateral" where the file's header says so
    warnings: tuple[str, ...]
    owner: Owner


@dataclass(frozen=True, eq=False)
class FilmPicture:
    """A film as a grey PNG file of 8 or 16 bits, and the levels to show as black and white at first."""

    png: bytes
    black: int
    white: int


class _Process:
    """One decoding process; it is started with its first film."""

    def __init__(self, config: FilmConfig, limits: DecodingLimits) -> None:
        self._config, self._limits = config, limits
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def ask(self, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The answer to one request of ``decoder.decode_films``; raises ``RefusedFilm``."""
        connection, starting = self._ready()
        seconds = self._limits.seconds + (LIBRARY_SECONDS if request["task"] == "document" else 0)
        try:
            connection.send_bytes(json.dumps({**request, "seconds": seconds}).encode())
            deadline = time.monotonic() + seconds + (LIBRARY_SECONDS if starting else 0)
            head = self._received(connection, deadline, LARGEST_HEAD)
            content = self._received(connection, deadline, LARGEST_PNG)
            answer = json.loads(head)
            if not isinstance(answer, dict):
                raise ValueError("no object")
        except TimeoutError:
            self.close()
            raise FilmTooLarge("film", f"it takes longer to decode than {self._limits.seconds:g} s") from None
        except (OSError, EOFError, ValueError):
            self.close()
            raise FilmTooLarge("film", "its decoder ended: it may need more memory than a film may take") from None
        if "refused" in answer:
            raise (FilmTooLarge if answer.get("size") else RefusedFilm)("film", str(answer["refused"]))
        return answer, content

    def close(self) -> None:
        """End the process; the next film starts another."""
        if self._connection:
            self._connection.close()
        if self._process:
            self._process.kill()
            self._process.join()
        self._process = self._connection = None

    @property
    def number(self) -> int | None:
        """The process id, None before the first film."""
        return self._process.pid if self._process else None

    def _ready(self) -> tuple[Connection, bool]:
        """The connection to a living process, and whether it is only starting."""
        if self._process and self._process.is_alive() and self._connection:
            return self._connection, False
        self.close()
        from radscribe.serve.decoder import decode_films

        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may lock up
        self._connection, theirs = context.Pipe()
        arguments = (theirs, self._config, self._limits.memory)
        self._process = context.Process(target=decode_films, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        return self._connection, True

    def _received(self, connection: Connection, deadline: float, most: int) -> bytes:
        if not connection.poll(max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        return connection.recv_bytes(most)


class DecodingPool:
    """Decodes films in up to ``limits.workers`` processes at the same time; its methods may be called by any thread."""

    def __init__(self, config: FilmConfig, limits: DecodingLimits) -> None:
        self._side = config.crop
        self._processes = [_Process(config, limits) for _ in range(limits.workers)]
        self._free: queue.LifoQueue[_Process] = queue.LifoQueue()
        for process in self._processes:
            self._free.put(process)

    def decode(self, path: Path) -> DecodedFilm:
        """What a model sees of the film in a file.

        Raises:
            FilmTooLarge: it takes more memory or time than the limits allow.
            RefusedFilm: it is no chest radiograph, or cannot be read.
        """
        known, content = self._ask({"task": "view", "path": str(path)})
        try:
            pixels = np.frombuffer(content, np.uint8).reshape(self._side, self._side)
            view, warnings = known["view"], tuple(str(warning) for warning in known["warnings"])
            size = int(known["width"]), int(known["height"]), int(known["bits"])
            owner = Owner(*map(str, known["owner"]))
            return DecodedFilm(pixels, *size, view if view in ("frontal", "lateral") else None, warnings, owner)
        except (KeyError, TypeError, ValueError):
            raise RefusedFilm("film", "its decoder gave no film") from None

    def picture(self, path: Path) -> FilmPicture:
        """The film in a file for people to look at; raises as ``decode``."""
        known, content = self._ask({"task": "png", "path": str(path)})
        try:
            return FilmPicture(content, int(known["black"]), int(known["white"]))
        except (KeyError, TypeError, ValueError):
            raise RefusedFilm("film", "its decoder gave no picture") from None

    def document(self, request: Mapping[str, Any]) -> bytes:
        """The document of a ``document_request``; raises as ``decode``."""
        return self._ask({**request, "task": "document"})[1]

    def processes(self) -> list[int]:
        """The ids of the processes that run."""
        return [process.number for process in self._processes if process.number is not None]

    def close(self) -> None:
        """End all processes; a film that is being read is refused."""
        for process in self._processes:
            process.close()

    def _ask(self, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        with self._process() as process:
            return process.ask(request)

    @contextmanager
    def _process(self) -> Iterator[_Process]:
        process = self._free.get()
        try:
            yield process
        finally:
            self._free.put(process)
