"""How far long work is: a bar on a terminal, and elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

# Seconds between two lines where there is no terminal.
PAUSE = 30.0


def progress(items: Collection[Item], what: str, unit: str = "it") -> Iterator[Item]:
    """Each of ``items``, while standard error tells of how many ``what`` is done; quick work says nothing there."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=what, unit=unit, leave=False)
        return
    began = said = time.monotonic()
    for count, item in enumerate(items):
        now = time.monotonic()
        if count and now - said >= PAUSE:
            left = (now - began) / count * (len(items) - count)
            print(f"{what}: {count:,} of {len(items):,}, about {left:.0f} s left", file=sys.stderr, flush=True)
            said = now
        yield item
