"""Set the processor threads that torch computes with, and keep freed memory in the process."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

# Of malloc.h.
TRIM_THRESHOLD = -1
MMAP_MAX = -4


def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 faster than float32."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@contextmanager
def threads(count: int | Literal["auto"] | None) -> Iterator[None]:
    """Compute with ``count`` processor threads within the block; None changes nothing.

    "auto" is for small networks: one thread where bfloat16 makes operations too short to divide among threads, else
    all.
    """
    before = torch.get_num_threads()
    if count == "auto":
        count = 1 if multiplies_bfloat16() else before
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the rest of the process; without glibc nothing changes.

    By default it maps and unmaps memory for every large tensor, so that its pages are fetched again with each batch.
    Where that is slow, as on virtual machines, it took 45 % of the time of drafting and 15 % of training.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library: macOS, musl, Windows
        return
    mallopt(MMAP_MAX, 0)
    mallopt(TRIM_THRESHOLD, -1)
