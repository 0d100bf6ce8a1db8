"""Whom a DICOM file belongs to: what is read of its header, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from malice import nested, small_elements
from radiographs import dicom

from radscribe.imaging.identity import read_identity
from radscribe.imaging.refusal import RefusedFilm

KEY = b"the key of the tests"
FIELDS = {"PatientID": "4711", "StudyInstanceUID": "1.2.3"}


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_the_hashes_depend_on_the_key_the_study_and_the_patient(tmp_path: Path) -> None:
    one, other = dicom(**FIELDS), dicom(**FIELDS | {"StudyInstanceUID": "1.2.4"})
    first = read_identity(written(tmp_path / "1", one), "film", KEY)
    assert read_identity(written(tmp_path / "2", one), "film", KEY) == first
    second = read_identity(written(tmp_path / "3", other), "film", KEY)
    assert second.patient_id == first.patient_id and second.study_id != first.study_id
    assert read_identity(tmp_path / "1", "film", b"another key").patient_id != first.patient_id


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (nested(30, b"\x08\x00\x40\x11")[:600], "its DICOM header is damaged or missing (OSError)"),
        (nested(100_000, b"\x08\x00\x40\x11"), "its DICOM header is damaged or missing (RecursionError)"),
        (small_elements(250_000), "its header is larger than that of any radiograph"),
        (b"no DICOM", "its DICOM header is damaged or missing (InvalidDicomError)"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(RefusedFilm) as refusal:
        read_identity(written(tmp_path / "film", data), "film", KEY)
    assert refusal.value.reason == reason


def test_a_missing_file_is_refused_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(RefusedFilm) as refusal:
        read_identity(tmp_path / "4711.dcm", "film", KEY)
    assert str(refusal.value) == "film: it cannot be opened: No such file or directory"
