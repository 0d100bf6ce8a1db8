"""How many processor threads torch computes with, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch


def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 faster than float32."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@contextmanager
def threads(count: int | Literal["auto"] | None) -> Iterator[None]:
    """Computes with ``count`` processor threads inside; None changes nothing.

    "auto" is for small networks: one thread where bfloat16 makes their operations too short to be shared out, else all.
    """
    before = torch.get_num_threads()
    if count == "auto":
        count = 1 if multiplies_bfloat16() else before
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
