"""Set the processor threads that torch computes with, and keep freed memory in the process."""

from __future__ import annotations

import ctypes
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import torch

# Of malloc.h.
TRIM_THRESHOLD = -1
MMAP_MAX = -4


@cache
def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 faster than float32.

    Measured, in milliseconds: of two processors with AVX-512's instructions for it one takes half the time, and one
    twice the time, and a virtual machine may hide which it is.
    """
    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return False
    return seconds_of_product(torch.bfloat16) < seconds_of_product(torch.float32)


def seconds_of_product(kind: torch.dtype) -> float:
    """The least time of twenty that one thread takes for the product of two matrices of 512 x 512."""
    left, right = torch.ones(2, 512, 512, dtype=kind)
    with threads(1):
        return min(timeit.repeat(lambda: left @ right, number=1, repeat=20))


@contextmanager
def threads(count: int | Literal["auto"] | None) -> Iterator[None]:
    """Compute with ``count`` processor threads within the block; None changes nothing.

    "auto" is for small networks: one, as their operations are too short to divide among threads, which then wait for
    each other and for the thread that loads the next films.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if count == "auto" else count or before)
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
