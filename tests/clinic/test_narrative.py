"""The narrative report, opened again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cases import ABSTAINING, BORN, DRAFT, DRAFTS, IDENTIFIER, MAPLESS, MODEL, PATIENT, case_in, texts, write_film
from highdicom.sr import ComprehensiveSR
from pydicom import Dataset, dcmread

from radscribe.clinic.narrative import narrative
from radscribe.clinic.source import read_source
from radscribe.core.records import NOTICE, Draft


def reopened(folder: Path, draft: Draft = DRAFT, **fields: object) -> Dataset:
    narrative(case_in(folder, draft, **fields)).save_as(folder / "report.sr.dcm")
    return dcmread(folder / "report.sr.dcm")


def sections(report: Dataset) -> dict[str, Dataset]:
    return {
        item.ConceptNameCodeSequence[0].CodeMeaning: item
        for item in report.ContentSequence
        if item.ValueType == "CONTAINER"
    }


def test_it_is_a_complete_preliminary_unverified_basic_report(tmp_path: Path) -> None:
    report = reopened(tmp_path)
    assert (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "2000"
    assert report.ConceptNameCodeSequence[0].CodeValue == "18748-4"
    assert list(report.PerformedProcedureCodeSequence) == []
    assert "ReferencedPerformedProcedureStepSequence" in report
    assert ComprehensiveSR.from_dataset(report).content[0].ContentSequence


def test_it_has_the_film_s_patient_and_study_and_refers_to_the_film(tmp_path: Path) -> None:
    report = reopened(tmp_path)
    assert str(report.PatientName) == PATIENT
    assert (report.PatientID, report.PatientBirthDate, report.PatientSex) == (IDENTIFIER, BORN, "F")
    assert (report.StudyInstanceUID, report.AccessionNumber, report.StudyDate) == ("1.2.3", "A-5", "20250203")
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == "1.2.3.1" != report.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"


def test_each_sentence_stands_with_its_probability_its_hedge_and_the_film(tmp_path: Path) -> None:
    findings = sections(reopened(tmp_path))["Findings"]
    first, second, _ = findings.ContentSequence
    assert texts(first) == [
        "There is a possible left pleural effusion.",
        "pleural effusion possible 0.46",
        "Too doubtful to be stated without the word “possible”.",
    ]
    assert texts(second) == ["A chest tube is seen.", "support devices present", "No place of it."]
    (image,) = (item for item in first.ContentSequence if item.ValueType == "IMAGE")
    assert image.RelationshipType == "INFERRED FROM"
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"


def test_the_summary_states_notice_model_warnings_withheld_and_not_assessed(tmp_path: Path) -> None:
    summary = texts(sections(reopened(tmp_path))["Summary"])
    assert summary[0] == NOTICE
    assert any(MODEL["fingerprint"] in line and "tiny" in line for line in summary)
    assert "Warning: its WindowWidth cannot be read and is disregarded" in summary
    assert "Withheld: “The bones are < intact.” The model cannot tell fractures." in summary
    assert "Not assessed: fracture." in summary


def test_a_draft_that_abstains_has_no_findings_but_its_reason(tmp_path: Path) -> None:
    found = sections(reopened(tmp_path, ABSTAINING))
    assert "Findings" not in found and "No draft: This is a lateral film." in texts(found["Summary"])
    assert "No draft" not in " ".join(texts(reopened(tmp_path, MAPLESS)))


def test_the_model_is_the_observer(tmp_path: Path) -> None:
    observed = texts(reopened(tmp_path))
    assert MODEL["fingerprint"] in observed and "tiny" in observed


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=DRAFTS)
def test_the_same_draft_gives_the_same_bytes(tmp_path: Path, draft: Draft) -> None:
    (tmp_path / "again").mkdir()
    first, second = reopened(tmp_path, draft), reopened(tmp_path / "again", draft)
    assert first.SOPInstanceUID == second.SOPInstanceUID
    assert (tmp_path / "report.sr.dcm").read_bytes() == (tmp_path / "again" / "report.sr.dcm").read_bytes()


def test_the_lateral_film_of_the_study_is_evidence_too(tmp_path: Path) -> None:
    lateral = read_source(write_film(tmp_path / "lateral.dcm", SOPInstanceUID="1.2.3.5", ViewPosition="LL"))
    assert lateral is not None
    report = narrative(replace(case_in(tmp_path), others=(lateral,)))
    assert {instance[2] for instance in report.get_evidence()} == {"1.2.3.4", "1.2.3.5"}
