"""No file makes the reader crash, hang or take the machine's memory; each is read, or refused with a reason."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom
import pytest
from malice import FILES, MALICE
from mutations import mutated, seeds

from radscribe.imaging.bounded import BoundedFile
from radscribe.imaging.film import read_film
from radscribe.imaging.refusal import RefusedFilm

SECONDS, MEGABYTES = 5, 512
READER = """
import json, resource, sys, time
from pathlib import Path
from radscribe.imaging.refusal import RefusedFilm
from radscribe.imaging.film import read_film
found = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    start = time.process_time()
    try:
        said = str(read_film(path).pixels.shape)
    except RefusedFilm as refusal:
        said = refusal.reason
    found[path.name] = said, time.process_time() - start
status = Path("/proc/self/status")
if status.exists():  # Linux counts in ru_maxrss what the process that started this one had taken
    kilobytes = int(status.read_text().partition("VmHWM:")[2].split()[0])
else:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # macOS counts bytes
print(json.dumps({"found": found, "megabytes": kilobytes / 2**10}))
"""


def read_all(folder: Path) -> dict[str, str]:
    """What a fresh process says of each file in ``folder``, when it keeps to the bounds of time and memory."""
    command = [sys.executable, "-c", READER, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    slowest = max(report["found"], key=lambda name: report["found"][name][1])
    assert report["found"][slowest][1] < SECONDS, (slowest, *report["found"][slowest])
    assert report["megabytes"] < MEGABYTES
    return {name: said for name, (said, _) in report["found"].items()}


def test_pydicom_is_new_enough() -> None:
    assert tuple(int(part) for part in pydicom.__version__.split(".")[:3]) >= (3, 0, 2)


def test_every_seed_is_valid() -> None:
    for seed in seeds():
        read_film(seed)


def test_five_hundred_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    for number, data in enumerate(mutated(500)):
        (tmp_path / f"{number:03}").write_bytes(data)
    found = read_all(tmp_path)
    assert len(found) == 500
    read = sum(said.startswith("(") for said in found.values())
    assert 100 < read < 450  # the damage is neither none nor total


CHEAP = (
    "PNG of 80 million pixels",
    "JPEG of scans",
    "deflated DICOM",
    "nested sequences",
    "nested tables",
    "JPEG 2000 of small blocks",
    "JPEG 2000 of small precincts",
    "JPEG 2000 of small tiles",
    "JPEG 2000 of samples",
    "JPEG XT",
    "JPEG of a hierarchy",
    "little data",
)


@pytest.mark.parametrize("name", CHEAP)
def test_a_small_file_built_to_overload_is_refused(name: str) -> None:
    make, reason = MALICE[name]
    with pytest.raises(RefusedFilm, match=re.escape(reason)):
        read_film(make())


@pytest.mark.parametrize(("most_bytes", "most_reads"), [(9, 5), (100, 2)])
def test_a_bounded_file_gives_so_much_and_no_more(most_bytes: int, most_reads: int) -> None:
    bounded = BoundedFile(BytesIO(bytes(100)), "a film", most_bytes, most_reads)
    assert bounded.read(4) + bounded.read(5) == bytes(9)
    with pytest.raises(RefusedFilm, match="a film: its header is larger"):
        bounded.read(1)


@pytest.mark.slow
def test_files_built_to_overload_are_read_or_refused(tmp_path: Path) -> None:
    with TemporaryDirectory(dir=tmp_path) as folder:  # too large to be kept for three runs, as pytest does
        for name, (make, _) in MALICE.items():
            (Path(folder) / name).write_bytes(make())
        for name, (write, _) in FILES.items():
            write(Path(folder) / name)
        found = read_all(Path(folder))
    expected = {name: start for name, (_, start) in (MALICE | FILES).items()}
    assert {name: said for name, said in found.items() if not said.startswith(expected[name])} == {}
