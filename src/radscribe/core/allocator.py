"""Freed memory stays with the process, for the next batch."""

from __future__ import annotations

import ctypes

# Of malloc.h.
TRIM_THRESHOLD = -1
MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Tells glibc to keep what is freed, for the rest of the process; where there is no glibc, nothing changes.

    Left to itself it maps every large tensor anew and gives it back, and its pages are fetched again with each batch:
    where that is slow, as on virtual machines, it was seen to take 45 % of the time of drafting and 15 % of training.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library: macOS, musl, Windows
        return
    mallopt(MMAP_MAX, 0)
    mallopt(TRIM_THRESHOLD, -1)
