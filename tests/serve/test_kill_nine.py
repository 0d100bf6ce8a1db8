"""A service that is killed in the middle of its work has lost nothing that it had answered for."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running

ROUNDS, CLIENTS = 5, 4
Films = Callable[[int], bytes]


def work(address: str, film: Films, numbers: Any, kept: dict[str, Any]) -> None:
    """Send films and changes until the service is gone; ``kept`` gets every answer of 2xx."""
    with httpx.Client(base_url=address, timeout=60) as client:
        try:
            while True:
                answer = client.post("/v1/drafts", files={"files": ("film", film(next(numbers)))})
                if answer.is_success:
                    kept[answer.json()["id"]] = answer.json()
                    change = {"version": 1, "added": [{"text": f"Seen by {threading.get_ident()}."}]}
                    answer = client.patch(f"/v1/drafts/{answer.json()['id']}", json=change)
                    if answer.is_success:
                        kept[answer.json()["id"]] = answer.json()
        except httpx.TransportError:
            return


@pytest.mark.slow
def test_every_answered_draft_outlives_kills(
    checkpoint: Path, film: Films, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    options = ("--checkpoint", str(checkpoint), "--data", str(tmp_path / "data"), "--evidence", "none")
    kept: dict[str, Any] = {}
    numbers = itertools.count()
    for _ in range(ROUNDS):
        service, before = Running(*options), len(kept)
        clients = [threading.Thread(target=work, args=(service.address, film, numbers, kept)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        end = time.monotonic() + 60
        while len(kept) < before + 2 * CLIENTS and time.monotonic() < end:
            time.sleep(0.01)
        service.kill()
        for client in clients:
            client.join()
        assert len(kept) > before
    service = Running(*options)
    try:
        with httpx.Client(base_url=service.address, timeout=60) as client:
            for name, answered in kept.items():
                found = client.get(f"/v1/drafts/{name}").json()
                # A change whose answer was lost with the service may have been kept, too.
                assert found["version"] >= answered["version"] and found["draft"] == answered["draft"]
                assert found["version"] > answered["version"] or found == answered
                assert client.get(found["films"][0]["url"]).status_code == 200
            assert client.get("/readyz").status_code == 200
        folders = {path.name for path in (tmp_path / "data" / "films").iterdir()}
        assert set(kept) <= folders
    finally:
        service.stop()
    assert run("audit", "verify", "--data", str(tmp_path / "data"))[0] == 0
    assert "Traceback" not in service.log()
