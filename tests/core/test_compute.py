"""What is freed stays."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

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
