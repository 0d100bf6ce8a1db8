"""Reads studies into shards, each written completely or not at all, so that a preparation can resume."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from functools import partial
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from radscribe.core.errors import RadscribeError
from radscribe.core.files import written_whole
from radscribe.data.raw import StudyTask
from radscribe.data.reading import ReadStudy, Rejection, read_study
from radscribe.data.schema import shard_schema
from radscribe.imaging.levels import Pixels

STUDIES_A_SHARD = 256
TASKS_A_MESSAGE = 4
MESSAGES_A_WORKER = 8


@dataclass(frozen=True)
class Shard:
    """The files of one shard; the table is written last, so its presence marks a complete shard."""

    folder: Path
    number: int

    @property
    def table_path(self) -> Path:
        return self.folder / f"shard-{self.number:06d}.parquet"

    @property
    def pixels_path(self) -> Path:
        return self.table_path.with_suffix(".npy")

    @property
    def rejected_path(self) -> Path:
        return self.table_path.with_suffix(".json")

    def table(self) -> pa.Table:
        return pq.read_table(self.table_path)

    def count(self) -> int:
        """The number of studies."""
        return int(pq.read_metadata(self.table_path).num_rows)

    def images_of_studies(self) -> list[int]:
        """The number of images of each study."""
        return [len(row["views"]) for row in pq.read_table(self.table_path, columns=["views"]).to_pylist()]

    def pixels(self) -> Pixels:
        """uint8, images x size x size, in the order of the table's views."""
        pixels: Pixels = np.load(self.pixels_path, mmap_mode="r", allow_pickle=False)
        return pixels

    def rejections(self) -> list[Rejection]:
        return [Rejection(*entry) for entry in json.loads(self.rejected_path.read_text("utf-8"))]


def write_shards(
    tasks: Sequence[StudyTask],
    folder: Path,
    extra_fields: Mapping[str, pa.DataType],
    size: int,
    section: str,
    workers: int | None,
) -> list[Shard]:
    """Read every study into shards under ``folder``, skipping the shards that already exist.

    ``workers`` is the number of processes (default: one per core; 1 reads in this process). Shards keep the order
    of the tasks for any number of workers.

    Raises:
        RadscribeError: when a worker process is killed.
    """
    shards = [Shard(folder, number) for number in range(-(-len(tasks) // STUDIES_A_SHARD))]
    missing = [shard for shard in shards if not shard.table_path.exists()]
    left = sum(len(range(len(tasks))[_positions(shard)]) for shard in missing)
    read = partial(read_study, size=size, section=section)
    with ExitStack() as stack:
        bar = stack.enter_context(
            tqdm(total=len(tasks), initial=len(tasks) - left, unit="study", desc="reading films", disable=None)
        )
        # One stream through all shards: no process waits for the last film of a shard.
        wanted = chain.from_iterable(tasks[_positions(shard)] for shard in missing)
        studies = _read(read, wanted, workers or os.cpu_count() or 1, stack, left)
        for shard in missing:
            taken = []
            for study in islice(studies, len(range(len(tasks))[_positions(shard)])):
                taken.append(study)
                bar.update()
            _write(shard, taken, extra_fields, size)
    return shards


def _positions(shard: Shard) -> slice:
    return slice(shard.number * STUDIES_A_SHARD, (shard.number + 1) * STUDIES_A_SHARD)


def _read(
    read: Callable[[StudyTask], ReadStudy], tasks: Iterable[StudyTask], workers: int, stack: ExitStack, count: int
) -> Iterator[ReadStudy]:
    """The studies of ``count`` tasks in their order, read in this process or in a pool that ``stack`` closes."""
    if workers == 1 or not count:
        return map(read, tasks)
    # Spawned, not forked: the caller may hold threads and locks of libraries that do not survive a fork.
    pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn")))
    return _in_order(pool, read, tasks, MESSAGES_A_WORKER * workers)


def _in_order(
    pool: ProcessPoolExecutor, read: Callable[[StudyTask], ReadStudy], tasks: Iterable[StudyTask], most: int
) -> Iterator[ReadStudy]:
    """Like ``pool.map``, but with at most ``most`` messages in flight, so that memory does not grow with the tasks."""
    waiting: deque[Future[list[ReadStudy]]] = deque()
    remaining = iter(tasks)
    try:
        while chunk := list(islice(remaining, TASKS_A_MESSAGE)):
            waiting.append(pool.submit(_read_all, read, chunk))
            if len(waiting) >= most:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise RadscribeError(
            "a process that reads films was killed (out of memory?): run the same command again with fewer "
            "--workers; it resumes where it stopped"
        ) from error


def _read_all(read: Callable[[StudyTask], ReadStudy], tasks: Sequence[StudyTask]) -> list[ReadStudy]:
    return [read(task) for task in tasks]


def _write(shard: Shard, studies: Sequence[ReadStudy], extra_fields: Mapping[str, pa.DataType], size: int) -> None:
    rows = [study.row for study in studies if study.row is not None]
    rejections = [astuple(rejection) for study in studies for rejection in study.rejections]
    with written_whole(shard.pixels_path) as file:
        np.save(file, np.concatenate([study.pixels for study in studies]).reshape(-1, size, size), allow_pickle=False)
    with written_whole(shard.rejected_path) as file:
        file.write(json.dumps(rejections, ensure_ascii=False).encode())
    with written_whole(shard.table_path) as file:
        pq.write_table(pa.Table.from_pylist(rows, schema=shard_schema(extra_fields)), file)
