"""The header of a film: what reports take from it, what they leave out, and that no error quotes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import BORN, IDENTIFIER, PATIENT, film_dataset, write_film
from pydicom import Dataset

from radscribe.clinic.source import TYPE_2, iso_date, read_source
from radscribe.imaging.refusal import RefusedFilm


def header(folder: Path, **fields: object) -> Dataset:
    source = read_source(write_film(folder / "film.dcm", **fields))
    assert source is not None
    return source.header


def test_the_identity_is_read_in_utf_8_whatever_the_film_is_written_in(tmp_path: Path) -> None:
    found = header(tmp_path)
    assert str(found.PatientName) == PATIENT and found.SpecificCharacterSet == "ISO_IR 192"
    assert (found.PatientID, found.PatientBirthDate, found.PatientSex) == (IDENTIFIER, BORN, "F")
    written = tmp_path / "written.dcm"
    found.save_as(written, implicit_vr=False, little_endian=True)
    assert "Müller".encode() in written.read_bytes()


@pytest.mark.parametrize("keyword", TYPE_2)
def test_an_attribute_that_the_film_lacks_is_empty(tmp_path: Path, keyword: str) -> None:
    assert header(tmp_path, **{keyword: None})[keyword].is_empty


@pytest.mark.filterwarnings("ignore:Invalid value", "ignore:The value length")
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientBirthDate", "11.05.1947"),
        ("PatientSex", "W"),
        ("StudyTime", "10:11:12"),
        ("StudyDate", "20250203-20250204"),
        ("AccessionNumber", "A" * 20),
    ],
)
def test_a_value_that_breaks_the_rules_is_left_out(tmp_path: Path, keyword: str, value: str) -> None:
    assert header(tmp_path, **{keyword: value})[keyword].is_empty


def test_orientation_view_size_and_modality_are_those_of_the_film(tmp_path: Path) -> None:
    source = read_source(write_film(tmp_path / "film.dcm", rows=30, columns=50, PatientOrientation=["R", "F"]))
    assert source is not None
    assert (source.rows, source.columns, source.orientation) == (30, 50, ("R", "F"))
    assert (source.view, source.modality, source.uid) == ("frontal", "DX", "1.2.3.4")
    unusual = read_source(write_film(tmp_path / "other.dcm", Modality="XRAY", ViewPosition=None))
    assert unusual is not None and (unusual.modality, unusual.view, unusual.orientation) == ("OT", None, ())


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_a_film_without_an_identifier_is_refused_by_its_name_alone(tmp_path: Path, keyword: str) -> None:
    path = write_film(tmp_path / "film.dcm")
    data = film_dataset()
    delattr(data, keyword)
    data.save_as(path, enforce_file_format=True)
    with pytest.raises(RefusedFilm, match=f"its header has no {keyword}") as refusal:
        read_source(path)
    assert not any(secret in str(refusal.value) for secret in ("Patient", BORN, IDENTIFIER))


def test_a_damaged_header_is_refused_without_its_values(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.dcm")
    (tmp_path / "cut.dcm").write_bytes(path.read_bytes()[:500])
    for damaged in (tmp_path / "cut.dcm", write_film(tmp_path / "rowless.dcm", Rows=None)):
        with pytest.raises(RefusedFilm) as refusal:
            read_source(damaged)
        assert not any(secret in str(refusal.value) for secret in ("Patient", BORN, IDENTIFIER))
        assert refusal.value.__cause__ is None
    assert "its header cannot be read for reports (AttributeError)" in str(refusal.value)


def test_a_picture_has_no_header(tmp_path: Path) -> None:
    (tmp_path / "film.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    assert read_source(tmp_path / "film.png") is None


def test_dates_are_written_by_iso_8601() -> None:
    assert iso_date("20250203") == "2025-02-03" and iso_date("") == ""
