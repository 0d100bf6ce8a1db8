"""A real Orthanc in the loop: studies in, documents back, each once, also where the process is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from cases import BORN, IDENTIFIER, run_checker
from orthanc import TITLE, Orthanc
from pydicom import Dataset, dcmread
from receiving import COMMAND, Receiving, send

from radscribe.data.dataset import PreparedDataset

Film = Callable[..., bytes]
Run = Callable[..., tuple[int, str, str]]
STUDIES, DOCUMENTS = 20, 4
SECRETS = ("Sécret", "Patient^", BORN, IDENTIFIER, "1.2.826")


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    archive = Orthanc(tmp_path / "orthanc")
    yield archive
    archive.stop()


def documents(files: list[bytes]) -> list[Dataset]:
    """What is not a film."""
    return [each for each in (dcmread(BytesIO(content)) for content in files) if each.Modality not in ("CR", "DX")]


def complete(orthanc: Orthanc, films: int = 1) -> bool:
    """Whether each study has its films and one document of each kind."""
    return all(
        len(files) == films + DOCUMENTS and len({each.SOPClassUID for each in documents(files)}) == DOCUMENTS
        for files in orthanc.studies().values()
    )


def test_twenty_studies_are_drafted_into_orthanc_once(
    orthanc: Orthanc, film: Film, phantoms: PreparedDataset, checkpoint: Path, tmp_path: Path, run: Run
) -> None:
    for study in range(1, STUDIES + 1):
        orthanc.put(film(study, pixels=np.array(phantoms.pixels[study]), Modality="CR" if study % 2 else "DX"))
    orthanc.put(film(study=99, BodyPartExamined="HAND"))
    state = tmp_path / "list.db"
    arguments = ("worklist", "--dicomweb", orthanc.dicomweb, "--checkpoint", str(checkpoint), "--state", str(state),
                 "--since", "2025-02-03", "--once", "--evidence", "activation")  # fmt: skip
    code, out, err = run(*arguments)
    assert code == 0 and not out and "refused: it shows HAND, not a chest" in err
    assert not any(secret in err for secret in SECRETS)
    assert f"studies: {STUDIES} stored, 1 refused" in err
    studies = orthanc.studies()
    assert len(studies.pop("1.2.826.99")) == 1 and len(studies) == STUDIES
    for files in studies.values():
        made = documents(files)
        assert sorted(each.Modality for each in made) == ["DOC", "OT", "SR", "SR"]
        (source,) = (dcmread(BytesIO(each)) for each in files if dcmread(BytesIO(each)).Modality in ("CR", "DX"))
        for each in made:
            assert (each.StudyInstanceUID, each.PatientID) == (source.StudyInstanceUID, IDENTIFIER)
            assert each.Manufacturer == "radscribe" and len(each.DeviceSerialNumber) == 64
    if shutil.which("dciodvfy"):
        for place, each in enumerate(documents(studies["1.2.826.1"])):
            each.save_as(tmp_path / f"{place}.dcm")
            found = run_checker("dciodvfy", tmp_path / f"{place}.dcm").splitlines()
            assert not [line for line in found if line.startswith("Error")]
    before = orthanc.count()
    assert run(*arguments)[0] == 0 and orthanc.count() == before == STUDIES * (1 + DOCUMENTS) + 1
    # Without its list the program asks the archive, and still stores nothing twice.
    for path in tmp_path.glob("list.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    code, _, err = run(*arguments)
    assert code == 0 and f"studies: {STUDIES} stored before, 1 refused" in err and orthanc.count() == before


@pytest.mark.slow
def test_killed_in_the_midst_it_stores_nothing_twice_and_misses_nothing(
    orthanc: Orthanc, film: Film, checkpoint: Path, tmp_path: Path, run: Run
) -> None:
    for study in range(1, 9):
        orthanc.put(film(study=study))
    arguments = ("worklist", "--dicomweb", orthanc.dicomweb, "--checkpoint", str(checkpoint), "--since", "all",
                 "--state", str(tmp_path / "list.db"), "--evidence", "none", "--settle", "0")  # fmt: skip
    for more in (1, 7):  # documents beyond those before: in the midst of studies
        before, end = orthanc.count(), time.monotonic() + 120
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [*COMMAND, *arguments], stderr=log, stdout=log, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
        while orthanc.count() < before + more and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert before + more <= orthanc.count() < 8 * (1 + DOCUMENTS), (tmp_path / "log").read_text()
    code, _, err = run(*arguments, "--once")
    assert code == 0 and complete(orthanc), err
    assert not list(tmp_path.glob("list.db.films/*"))


@pytest.mark.slow
def test_a_film_that_was_answered_outlives_a_kill_and_comes_back_as_documents(
    orthanc: Orthanc, film: Film, checkpoint: Path, tmp_path: Path
) -> None:
    orthanc.put(film())
    peer = f"{TITLE}@127.0.0.1:{orthanc.dimse}"
    options = (
        "--checkpoint",
        str(checkpoint),
        "--evidence",
        "none",
        "--send-to",
        peer,
        "--data",
        str(tmp_path / "data"),
    )
    service = Receiving(*options)  # which waits for more films of the study
    assert send(service.port, [film()]) == [0]
    service.kill()
    assert orthanc.count() == 1
    service = Receiving(*options, "--settle", "0")
    try:
        end = time.monotonic() + 60
        while "studies: 1 " not in service.log() and time.monotonic() < end:
            time.sleep(0.1)
        assert complete(orthanc), service.log()
        assert not list((tmp_path / "data" / "films").iterdir())
    finally:
        service.kill()
    assert not any(secret in service.log() for secret in SECRETS)
