"""Locks: one holder at a time, and none left behind by a killed one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from radscribe.core.locks import lock, try_lock

HOLD = """
import sys, time
from pathlib import Path
from radscribe.core.locks import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_has_one_holder_and_is_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "new" / "it.lock"
    with try_lock(path) as first:
        with try_lock(path) as second:
            assert (first, second) == (True, False)
        with try_lock(path) as third:
            assert not third  # asking in vain gives nothing back
    with try_lock(path) as again:
        assert again


def test_a_killed_process_leaves_its_lock_free(tmp_path: Path) -> None:
    path = tmp_path / "it.lock"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    with try_lock(path) as held:
        assert not held
    seen: list[str] = []

    def kill() -> None:
        seen.append("busy")
        process.send_signal(signal.SIGKILL)

    with lock(path, kill):
        assert seen == ["busy"]
    process.wait()
    process.stdout.close()
