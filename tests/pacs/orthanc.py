"""A real archive for tests: Orthanc as a process of its own, with its own folder and free ports."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

PLUGINS = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so", "/usr/lib/orthanc/libOrthancDicomWeb.so"
TITLE = "ARCHIVE"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


class Orthanc:
    """Orthanc with DICOMweb; ``dicomweb`` is the address of that, ``dimse`` its port of DIMSE."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        program, plugin = shutil.which("Orthanc"), next((each for each in PLUGINS if Path(each).exists()), None)
        if program is None or plugin is None:
            pytest.skip("Orthanc is not installed (Debian: orthanc and orthanc-dicomweb)")
        self._web, self.dimse = free_port(), free_port()
        known = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "Plugins": [plugin],
            "HttpPort": self._web,
            "DicomPort": self.dimse,
            "DicomAet": TITLE,
            "RemoteAccessAllowed": False,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "orthanc.json").write_text(json.dumps(known | settings))
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
        self.address = f"http://127.0.0.1:{self._web}"
        self.dicomweb = f"{self.address}/dicom-web"
        self._client = httpx.Client(base_url=self.address, timeout=60)
        self._wait(folder / "log")

    def put(self, content: bytes) -> None:
        """Store a DICOM file, as a modality does."""
        self._client.post("/instances", content=content).raise_for_status()

    def studies(self) -> dict[str, list[bytes]]:
        """The files of the instances of each study, by its UID."""
        found = {}
        for study in self._client.get("/studies").json():
            uid = self._client.get(f"/studies/{study}").json()["MainDicomTags"]["StudyInstanceUID"]
            instances = self._client.get(f"/studies/{study}/instances").json()
            found[uid] = [self._client.get(f"/instances/{each['ID']}/file").content for each in instances]
        return found

    def count(self) -> int:
        """How many instances there are."""
        return int(self._client.get("/statistics").json()["CountInstances"])

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)

    def _wait(self, log: Path) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self._client.get("/system").raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.05)
        self._process.kill()
        raise AssertionError(f"Orthanc did not start: {log.read_text()[-2000:]}")
