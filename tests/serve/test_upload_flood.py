"""Hostile uploads in their hundreds against a running service: each is refused, nothing grows.

``RADSCRIBE_HOSTILE_UPLOADS=1000 pytest -s`` sends a thousand and prints the answers by kind and status.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from hostile import BODIES, END, FILMS, NAMES, TYPE, part
from radiographs import dicom
from running import Running

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("RADSCRIBE_HOSTILE_UPLOADS", 120))
SEED = 24
# What Python and its libraries take and do not give back, in MiB; a service that keeps uploads grows by more.
GROWTH = 64
PART_TYPES = ("application/dicom", "image/png", "text/html", "application/x-sh", "\u00e4")
Upload = tuple[str, str, bytes]  # its kind, content type and body


def uploads(count: int, seed: int) -> Iterator[Upload]:
    """``count`` hostile uploads, each kind as often as any other, no two alike: cut, renamed, beside a sound film."""
    draws = random.Random(seed)
    kinds: list[Callable[[], Upload]] = [lambda name=name: _film(name, draws) for name in FILMS]  # type: ignore[misc]
    kinds += [lambda name=name: (name, BODIES[name][0], BODIES[name][1]()) for name in BODIES]  # type: ignore[misc]
    for number in range(count):
        if number % len(kinds) == 0:
            draws.shuffle(kinds)
        yield kinds[number % len(kinds)]()


def _film(name: str, draws: random.Random) -> Upload:
    content = FILMS[name]()
    if draws.random() < 0.5:
        content = content[: draws.randrange(len(content) + 1)]
    folder = "../" * draws.randrange(4) + draws.choice(NAMES).replace('"', "") + str(draws.randrange(10**6))
    disposition = f'form-data; name="files"; filename="{folder}"'
    kind = f"Content-Type: {draws.choice(PART_TYPES)}\r\n".encode()
    films = [part(content, disposition, kind)]
    if draws.random() < 0.3:
        films.insert(draws.randrange(2), part(dicom(WindowCenter=draws.randrange(500, 1500))))
    return name, TYPE, b"".join(films) + END


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service with the checkpoint of the package, as a process."""
    running = Running("--data", str(tmp_path_factory.mktemp("flooded")))
    yield running
    running.kill()


def memory(service: Running) -> float:
    """Resident memory of the service and of its processes, in MiB."""
    found, waiting = 0.0, [service.process.pid]
    while waiting:
        folder = Path(f"/proc/{waiting.pop()}")
        found += int((folder / "status").read_text().partition("VmRSS:")[2].split()[0]) / 1024
        waiting += [
            int(child) for task in (folder / "task").iterdir() for child in (task / "children").read_text().split()
        ]
    return found


def test_each_of_many_hostile_uploads_is_refused_and_nothing_grows(service: Running) -> None:
    answered: Counter[tuple[str, int]] = Counter()
    sizes: list[float] = []
    with httpx.Client(base_url=service.address, timeout=120) as client:
        for number, (name, kind, body) in enumerate(uploads(COUNT, SEED)):
            answer = client.post("/v1/drafts", content=body, headers={"content-type": kind} if kind else {})
            answered[name, answer.status_code] += 1
            reason = answer.json()["detail"]
            assert 400 <= answer.status_code < 500, (number, name, answer.status_code, reason)
            assert 10 < len(reason) < 400 and "\n" not in reason and "Traceback" not in reason, (name, reason)
            assert client.get("/healthz").status_code == 200, name
            if number % 20 == 0:
                sizes.append(memory(service))
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/drafts").json()["drafts"] == []
        last = dicom(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1")
        assert client.post("/v1/drafts", files=[("files", ("film", last))]).status_code == 201, "it still drafts"
    for (name, status), count in sorted(answered.items()):
        print(f"{status}  {count:4d}  {name}")
    print(f"{sum(answered.values())} uploads, MiB: {' '.join(f'{size:.0f}' for size in sizes)}")
    settled = sizes[len(sizes) // 3 :]
    assert settled[-1] - settled[0] < GROWTH, sizes
    assert "Traceback" not in service.log()
