"""A reporter for as long as a block drafts, with the threads and the memory settings that drafting is fastest with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radscribe.core.compute import keep_freed_memory, threads
from radscribe.drafting.reporter import Reporter, load_reporter


@contextmanager
def drafting(checkpoint: str | Path | None = None, device: str = "cpu") -> Iterator[Reporter]:
    """The reporter of a checkpoint folder or hub id (by default the packaged one), on ``device``.

    Within the block torch computes with ``reporter.threads`` processor threads; freed memory stays with the process,
    also afterwards. Raises ``CheckpointError`` and ``WrongUse`` as ``load_reporter`` does.
    """
    keep_freed_memory()
    reporter = load_reporter(checkpoint, device)
    with threads(reporter.threads):
        yield reporter
