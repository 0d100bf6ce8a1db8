"""Starts ``radscribe receive`` as a process of its own, and sends films as a modality does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from io import BytesIO
from tempfile import TemporaryFile

from pydicom import dcmread
from pynetdicom import AE

COMMAND = (sys.executable, "-c", "from radscribe.cli.main import main; main()")


class Receiving:
    """``radscribe receive`` with these options on a free port."""

    def __init__(self, *options: str) -> None:
        self._log = TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [*COMMAND, "receive", "--port", "0", *options],
            stderr=self._log,
            stdout=self._log,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            if opened := re.search(r"receiving as .* on .*:(\d+)\n", self.log()):
                self.port = int(opened[1])
                return
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"it did not start: {self.log()}")

    def log(self) -> str:
        """What it has printed."""
        return os.pread(self._log.fileno(), 2**20, 0).decode()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def send(port: int, films: Sequence[bytes], called: str = "RADSCRIBE", calling: str = "MODALITY1") -> list[int | None]:
    """The statuses that these films got; -1 for each where the association was rejected, None where it ended."""
    entity = AE(calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    datasets = [dcmread(BytesIO(each)) for each in films]
    for kind in {(each.SOPClassUID, each.file_meta.TransferSyntaxUID) for each in datasets}:
        entity.add_requested_context(*kind)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return [-1] * len(films)
    found: list[int | None] = []
    for each in datasets:
        try:
            found.append(association.send_c_store(each).get("Status"))
        except (ValueError, RuntimeError):
            found.append(None)
    if association.is_established:
        association.release()
    return found
