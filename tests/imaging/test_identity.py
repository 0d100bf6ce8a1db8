"""Whom a DICOM file belongs to: what is read of its header, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from malice import nested, small_elements
from radiographs import dicom

from radscribe.imaging.identity import Identity, read_identity
from radscribe.imaging.refusal import RefusedFilm

KEY = b"the key of the tests"
FIELDS = {"PatientID": "4711", "StudyInstanceUID": "1.2.3"}


# 12345678 with a label or a check letter that touches it, or with marks in it.
GLUED = (
    *("MRN12345678", "ID12345678", "No12345678", "12345678F", "病历号12345678的", "mrn_1234_5678.dcm", "0012345678"),
    *("1234-5678", "123 456 78", "12.34.56.78", "1234 - 5678", "1 2 3 4 5 6 7 8", "1234\n5678"),
)


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


def identity_of(tmp_path: Path, **fields: Any) -> Identity:
    return read_identity(written(tmp_path / "film", dicom(**FIELDS | {"PatientName": None} | fields)), "film", KEY)


@pytest.mark.parametrize(
    ("name", "characters", "bytes_of_name", "text"),
    [
        ("Kuuso^Taroo=空想^太郎丸", ["", "ISO 2022 IR 87"], None, "空想太郎丸様"),
        ("Kuuso^Taroo=空想^太郎丸", "ISO_IR 192", None, "空想太郎丸様"),
        ("孔^虚无子", "GB18030", None, "患者孔虚无子，男"),
        ("Müster^Zoë", "ISO_IR 100", None, "Zoe\u0308 Mu\u0308ster"),
        # The character set is missing or wrong, as devices often leave it.
        ("孔^虚无子", None, "gb18030", "患者孔虚无子"),
        ("孔^虚无子", "ISO_IR 100", "gb18030", "患者孔虚无子"),
        ("空想^太郎丸", None, "shift_jis", "空想太郎丸様"),
        ("表^太郎丸", None, "shift_jis", "表 太郎丸様"),  # a byte of 表 is that of the backslash between two names
        ("가상^인물이", None, "euc_kr", "가상인물이의"),
        ("Müster^Zoë", None, "utf-8", "Zoë Müster"),
        ("Müster^Zoë", None, "latin-1", "Zoë Müster"),
    ],
)
def test_a_name_in_any_character_set_is_found(
    tmp_path: Path, name: str, characters: Any, bytes_of_name: str | None, text: str
) -> None:
    if bytes_of_name is None:
        data = dicom(**FIELDS, PatientName=name, SpecificCharacterSet=characters)
    else:
        raw = name.encode(bytes_of_name)
        placeholder = b"~" * (len(raw) + len(raw) % 2)
        data = dicom(**FIELDS, PatientName=placeholder.decode(), SpecificCharacterSet=characters)
        data = data.replace(placeholder, raw.ljust(len(placeholder)))
    identity = read_identity(written(tmp_path / "film", data), "film", KEY)
    assert identity.is_named_in(f"{text} Findings: The lungs are clear.")
    assert not identity.is_named_in("Findings: The lungs are clear.")


@pytest.mark.parametrize(
    ("keyword", "value", "text", "named"),
    [
        ("PatientID", "PID77777", "病历号PID77777的胸片", True),
        ("PatientID", "PID77777", "ＰＩＤ７７７７７", True),
        ("PatientID", "MRN-471122", "mrn 471122", True),
        ("PatientID", "MRN-471122", "The film of 471122", True),
        ("PatientID", "000471122", "ID 471122", True),
        ("PatientID", "471122", "ID 1471122 and 4711223, P4711", False),
        ("PatientID", "471122", "P471122", True),
        *(("PatientID", "12345678", text, True) for text in GLUED),
        ("PatientID", "12345678", "912345678, 123456789, 1234 is 5678", False),
        ("PatientID", "AB1234567", "MRNAB1234567", True),
        ("PatientID", "AB1234567", "AB-123-4567", True),
        ("PatientID", "ABC1234", "MRNABC1234", True),
        ("PatientID", "ABC1234", "ABC 12-34", True),
        ("PatientID", "4711", "MRN4711", True),
        ("PatientID", "4711", "PatientID4711", True),
        ("PatientID", "HOLLERX", "IDHOLLERX", True),
        ("PatientID", "CHESTX", "The chest x-ray", False),
        ("PatientID", "1", "No 1 cm nodule; avoid 1", False),
        ("StudyInstanceUID", "1.2.840.113619.2.55", "UID1.2.840.113619.2.55", True),
        ("PatientID", "0001", "There is 1 nodule of 0.1 cm.", False),
        ("PatientID", "A-001", "A 1 cm nodule", False),
        ("PatientID", "12", "12 nodules", False),
        ("PatientID", "12", "MRN: 12", True),
        ("PatientID", "CHEST", "The chest is clear.", False),
        ("PatientID", "CHEST", "Chest clear, PID CHEST.", False),
        ("AccessionNumber", "ACC90210", "Accession acc90210.", True),
        ("OtherPatientIDs", ["X1", "OLD-99887"], "formerly old99887", True),
        ("OtherPatientNames", "Hollerbach^Annegret", "Annegret Hollerbach", True),
        ("PatientBirthName", "Hollerbach^Annegret", "Annegret Hollerbach", True),
        ("PatientBirthDate", "19310203", "born 3 Feb 1931", True),
        ("PatientBirthDate", "19310203", "1931年2月3日生", True),
        ("PatientBirthDate", "19310203", "DOB 02/03/31", True),
        ("PatientBirthDate", "19310203", "film of 3 Feb 2020", False),
    ],
)
def test_what_identifies_the_patient_is_found(tmp_path: Path, keyword: str, value: Any, text: str, named: bool) -> None:
    assert identity_of(tmp_path, **{keyword: value}).is_named_in(text) == named


def test_numbers_of_reports_are_hardly_taken_for_identifiers(tmp_path: Path) -> None:
    report = "A 12 mm nodule, 3.5 x 2.1 cm; ribs 4, 5, 6 and 7. Compared with 03/17/2019 at 10:45. C5-C6, T12, L1."
    for number in range(10):
        identity = identity_of(tmp_path, PatientID=f"{number}8{number}3107{number}", AccessionNumber=f"T1{number}L45")
        assert not identity.is_named_in(report)
