"""The PDF and its DICOM object, opened again."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from cases import ABSTAINING, BORN, DRAFT, DRAFTS, IDENTIFIER, MODEL, case_in
from pydicom import dcmread
from pypdf import PdfReader

from radscribe.clinic.case import Case
from radscribe.clinic.pdf import pdf_object, report_pdf
from radscribe.core.records import NOTICE, Draft, DraftSentence


def pages(pdf: bytes) -> list[str]:
    """What is written on each page, its lines joined."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return case_in(tmp_path)


def test_it_states_patient_sentences_probabilities_and_remarks(case: Case) -> None:
    text = " ".join(pages(report_pdf(case)))
    for part in (
        "There is a possible left pleural effusion.",
        "pleural effusion possible 0.46",
        "confidence 0.90",
        "Patient Müller-Sécret Patient",
        IDENTIFIER,
        "born 1947-05-11",
        "study of 2025-02-03",
        "Withheld: “The bones are < intact.”",
        "Not assessed: fracture.",
        "Warning: its WindowWidth",
    ):
        assert part in text


def test_the_notice_and_the_model_stand_on_every_page(tmp_path: Path) -> None:
    sentences = tuple(DraftSentence(f"Sentence {number}.", {}, 0.5, ((1.0,),), None) for number in range(120))
    written = pages(report_pdf(case_in(tmp_path, replace(DRAFT, sentences=sentences))))
    assert len(written) > 2
    assert all(NOTICE in page and MODEL["fingerprint"] in page for page in written)
    assert all(f"page {number}, 2026-01-02 03:04" in page for number, page in enumerate(written, 1))


def test_a_draft_that_abstains_says_why(tmp_path: Path) -> None:
    (page,) = pages(report_pdf(case_in(tmp_path, ABSTAINING)))
    assert "No draft: This is a lateral film." in page


def test_the_picture_of_the_draft_is_in_it(case: Case) -> None:
    (picture,) = [image for page in PdfReader(BytesIO(report_pdf(case))).pages for image in page.images]
    assert picture.image is not None and picture.image.width > 500


def test_a_film_without_a_header_names_no_patient(case: Case) -> None:
    text = " ".join(pages(report_pdf(replace(case, source=None))))
    assert "Film film" in text and "Patient" not in text and BORN not in text


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=DRAFTS)
def test_the_same_draft_gives_the_same_bytes(tmp_path: Path, draft: Draft) -> None:
    assert report_pdf(case_in(tmp_path, draft)) == report_pdf(case_in(tmp_path, draft))


def test_the_object_holds_the_document_and_refers_to_the_film(case: Case, tmp_path: Path) -> None:
    pdf = report_pdf(case)
    for document in (pdf, pdf + b"\n"):  # one of them has an odd length
        pdf_object(case, document).save_as(tmp_path / "report.pdf.dcm")
        found = dcmread(tmp_path / "report.pdf.dcm")
        assert found.EncapsulatedDocument[: found.EncapsulatedDocumentLength] == document
        assert len(found.EncapsulatedDocument) % 2 == 0
    assert (found.MIMETypeOfEncapsulatedDocument, found.Modality) == ("application/pdf", "DOC")
    assert (found.PatientID, found.StudyInstanceUID, found.BurnedInAnnotation) == (IDENTIFIER, "1.2.3", "YES")
    assert found.SourceInstanceSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
    assert found.DeviceSerialNumber == MODEL["fingerprint"]
