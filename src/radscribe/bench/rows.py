"""Write the rows of a speed table, as JSON for programs and as Markdown for readers."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

from radscribe.core.files import write_json
from radscribe.core.version import __version__
from radscribe.evaluation.scorecard.tables import table

FORMAT = "radscribe-speed/1"
Result = TypeVar("Result")


@dataclass(frozen=True)
class SpeedRow:
    """The speed of one part of radscribe beside a peer."""

    part: str
    peer: str | None  # None where there is none
    setting: str
    ours_s: float  # median seconds
    peer_s: float | None
    agreement: str  # of the results, in words
    asked: float | None = None  # what ``ratio`` should be at least
    floor_s: float | None = None  # seconds for merely splitting the texts into words

    @property
    def ratio(self) -> float | None:
        """The peer's time divided by ours."""
        return None if self.peer_s is None else self.peer_s / self.ours_s


def seconds(run: Callable[[], Result], repeats: int) -> tuple[float, Result]:
    """The median wall time of ``repeats`` runs and the result of the last one."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return median(times), result


def machine() -> str:
    """The machine that figures are measured on, in words."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def markdown(rows: Sequence[SpeedRow]) -> str:
    """The rows as a Markdown table."""
    head = ("part", "peer", "setting", "ours, s", "peer, s", "times faster", "asked", "agreement")
    cells = [
        (
            row.part,
            row.peer or "",
            row.setting,
            f"{row.ours_s:.2f}",
            "" if row.peer_s is None else f"{row.peer_s:.2f}",
            "" if row.ratio is None else f"{row.ratio:.1f}",
            "" if row.asked is None else f"{row.asked:g}",
            row.agreement,
        )
        for row in rows
    ]
    return table(head, cells)


def save(rows: Sequence[SpeedRow], path: Path) -> None:
    """Write the rows as JSON, whole or not at all; raises ``RadscribeError`` where the disk refuses."""
    content = {
        "format": FORMAT,
        "radscribe_version": __version__,
        "machine": machine(),
        "rows": [{**asdict(row), "ratio": row.ratio} for row in rows],
    }
    write_json(path, content, indent=2)
