"""Starts the service as a user would, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryFile

COMMAND = (sys.executable, "-c", "from radscribe.cli.main import main; main()")


class Running:
    """``radscribe serve`` with these options on a free port; ``address`` is where it answers."""

    def __init__(self, *options: str, **environment: str) -> None:
        self._log = TemporaryFile()  # noqa: SIM115
        command = [*COMMAND, "serve", "--port", "0", *options]
        self.process = subprocess.Popen(
            command, stderr=self._log, stdout=self._log, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}
        )
        self.address = self._opened()

    def log(self) -> str:
        """What it has printed."""
        return os.pread(self._log.fileno(), 2**20, 0).decode()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as a user does; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def memory(self) -> float:
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def _opened(self) -> str:
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            if (line := self.log().partition("serving ")[2]) and "\n" in line:
                return line.split()[0]
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"the service did not start: {self.log()}")
