"""The objects before programs of others: dciodvfy (dicom3tools) finds no error, dsrdump (dcmtk) reads the reports."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import CONFIG, DRAFTS, MADE, case_in, run_checker
from pydicom import dcmread

from radscribe.clinic.case import case_of
from radscribe.clinic.folder import OBJECTS, write_documents
from radscribe.clinic.source import read_source
from radscribe.core.records import NOTICE, Draft
from radscribe.imaging.crop import centre_crop
from radscribe.imaging.film import fit, read_film

FILMS = ("Fake_MONOHR1.dcm", "RG1_J2KI.dcm", "rsna_MONOCHROME2.dcm")


def errors(path: Path) -> list[str]:
    return [line for line in run_checker("dciodvfy", path).splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=DRAFTS)
@pytest.mark.parametrize("name", OBJECTS)
def test_dciodvfy_finds_no_error(tmp_path: Path, name: str, draft: Draft) -> None:
    write_documents(case_in(tmp_path, draft), tmp_path)
    assert errors(tmp_path / name) == []


def test_nor_where_the_film_s_header_is_all_but_empty(tmp_path: Path) -> None:
    empty = dict.fromkeys(("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"))
    write_documents(case_in(tmp_path, ViewPosition=None, AccessionNumber=None, **empty), tmp_path)
    assert [errors(tmp_path / name) for name in OBJECTS] == [[]] * 4


def test_dciodvfy_would_find_one(tmp_path: Path) -> None:
    write_documents(case_in(tmp_path), tmp_path)
    report = dcmread(tmp_path / "report.sr.dcm")
    del report.CompletionFlag
    report.save_as(tmp_path / "broken.dcm")
    assert any("CompletionFlag" in error for error in errors(tmp_path / "broken.dcm"))


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=DRAFTS)
@pytest.mark.parametrize("name", OBJECTS[:2])
def test_dsrdump_reads_the_reports(tmp_path: Path, name: str, draft: Draft) -> None:
    write_documents(case_in(tmp_path, draft), tmp_path)
    shown = run_checker("dsrdump", tmp_path / name)
    assert NOTICE[:20] in shown and "Preliminary Flag    : PRELIMINARY" in shown
    assert "Completion Flag     : COMPLETE" in shown and "Verification Flag   : UNVERIFIED" in shown
    assert not [line for line in shown.splitlines() if line.startswith(("E:", "F:"))]


@pytest.mark.parametrize("film", FILMS)
def test_dciodvfy_finds_no_error_in_the_objects_of_a_real_film(shared_data: Path, tmp_path: Path, film: str) -> None:
    path = shared_data / "dicom" / film
    pixels, source = read_film(path).pixels, read_source(path)
    assert source is not None
    view = centre_crop(fit(pixels, CONFIG.resize), CONFIG)
    write_documents(case_of(DRAFTS["stating"], path, pixels, view, CONFIG, MADE, source), tmp_path)
    assert [errors(tmp_path / name) for name in OBJECTS] == [[]] * 4
    original = dcmread(path, stop_before_pixels=True)
    for name in OBJECTS:
        made = dcmread(tmp_path / name, stop_before_pixels=True)
        for keyword in ("PatientID", "PatientName", "PatientSex", "StudyInstanceUID", "StudyDate", "AccessionNumber"):
            assert made.get(keyword) == original.get(keyword)
        assert made.SeriesInstanceUID != original.SeriesInstanceUID
