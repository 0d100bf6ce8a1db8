"""Rows of a speed table, as JSON for programs and as markdown for readers."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

from radscribe.core.version import __version__
from radscribe.evaluation.scorecard.tables import table

FORMAT = "radscribe-speed/1"
Result = TypeVar("Result")


@dataclass(frozen=True)
class SpeedRow:
    """One part beside one peer (``None``: there is none): median seconds of both, and how well results agree.

    ``asked`` is what the ratio should be at least; ``floor_s`` what merely splitting the texts into words takes.
    """

    part: str
    peer: str | None
    setting: str
    ours_s: float
    peer_s: float | None
    agreement: str
    asked: float | None = None
    floor_s: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as long the peer takes."""
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
    """What the figures were measured on, in words."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def markdown(rows: Sequence[SpeedRow]) -> str:
    """A table for readers."""
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
    """Write ``speed.json``; raises ``OSError`` as the disk does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "format": FORMAT,
        "radscribe_version": __version__,
        "machine": machine(),
        "rows": [{**asdict(row), "ratio": row.ratio} for row in rows],
    }
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)
