"""Lock files, so that several processes can share one folder of work; a killed process leaves its locks free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows only one process can work in a folder
    fcntl = None  # type: ignore[assignment]


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Holds the lock on the file ``path`` within the block, or yields False where another process holds it.

    The file is never removed: else a third process could lock a new file while the second waits for the old one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError:
            held = False
        yield held  # closing the file releases the lock


@contextmanager
def lock(path: Path, busy: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Holds the lock on the file ``path`` within the block; where another holds it, calls ``busy`` and waits."""
    with try_lock(path) as held:
        if held:
            yield
            return
    busy()
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
