"""What is freed stays, and what is slow here is not chosen."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from radscribe.core import compute
from radscribe.core.compute import multiplies_bfloat16, seconds_of_product, threads

PROGRAM = """
import sys
import numpy as np
from radscribe.core.compute import keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

if sys.argv[1] == "keep":
    keep_freed_memory()
before = resident()
array = np.ones(2**23)  # 64 MiB
held = resident()
del array
print(held - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be made to keep freed memory")
@pytest.mark.parametrize("keep", [True, False])
def test_freed_memory_is_kept_where_asked_for(keep: bool) -> None:
    command = [sys.executable, "-c", PROGRAM, "keep" if keep else "leave"]
    held, left = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert held > 60
    assert left > 60 if keep else left < 10


@pytest.mark.parametrize(("supported", "half", "wanted"), [(True, 0.5, True), (True, 2.0, False), (False, 0.5, False)])
def test_bfloat16_is_fast_where_it_is_measured_to_be(
    monkeypatch: pytest.MonkeyPatch, supported: bool, half: float, wanted: bool
) -> None:
    """Some processors have the instructions for it and are slower with them."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    seconds = {torch.bfloat16: half, torch.float32: 1.0}
    monkeypatch.setattr(compute, "seconds_of_product", seconds.__getitem__)
    assert multiplies_bfloat16.__wrapped__() == wanted


def test_a_product_is_timed_with_one_thread_and_gives_the_others_back() -> None:
    before = torch.get_num_threads()
    with threads(2):
        assert 0 < seconds_of_product(torch.float32) < 10
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before
