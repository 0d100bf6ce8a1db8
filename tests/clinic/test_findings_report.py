"""The findings as measurement groups, opened again by highdicom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import ABSTAINING, BOX, DRAFT, MAPLESS, MODEL, case_in, texts
from highdicom.sr import Comprehensive3DSR
from pydicom import Dataset, dcmread
from pydicom.sr.coding import Code

from radscribe.clinic.findings_report import findings_report
from radscribe.core.records import NOTICE, Draft

PRESENCE, CERTAINTY = Code("121052", "DCM", "Presence of property"), Code("111012", "DCM", "Certainty of Finding")


def reopened(folder: Path, draft: Draft = DRAFT, **fields: object) -> Dataset:
    findings_report(case_in(folder, draft, **fields)).save_as(folder / "findings.sr.dcm")
    return dcmread(folder / "findings.sr.dcm")


def groups(report: Dataset) -> dict[str, Any]:
    content = Comprehensive3DSR.from_dataset(report).content
    found = [*content.get_planar_roi_measurement_groups(), *content.get_image_measurement_groups()]
    return {group.tracking_identifier: group for group in found}


def test_it_is_a_complete_preliminary_measurement_report(tmp_path: Path) -> None:
    report = reopened(tmp_path)
    assert (report.CompletionFlag, report.PreliminaryFlag) == ("COMPLETE", "PRELIMINARY")
    assert report.SOPClassUID.name == "Comprehensive 3D SR Storage"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    (scheme,) = report.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == "99RADSCRIBE"


def test_each_finding_that_is_stated_has_code_presence_and_certainty(tmp_path: Path) -> None:
    found = groups(reopened(tmp_path))
    assert set(found) == {"pleural effusion", "support devices", "pneumothorax", "fracture"}
    effusion, tube, air = (found[name] for name in ("pleural effusion", "support devices", "pneumothorax"))
    assert (effusion.finding_type.value, effusion.finding_type.scheme_designator) == ("60046008", "SCT")
    assert (tube.finding_type.value, tube.finding_type.scheme_designator) == ("C13", "99RADSCRIBE")
    states = [group.get_qualitative_evaluations(PRESENCE)[0].value.value for group in (effusion, tube, air)]
    assert states == ["373068000", "52101004", "272519000"]
    assert [group.get_measurements(CERTAINTY)[0].value for group in (effusion, tube, air)] == [45.67, 80.0, 97.0]
    assert effusion.get_measurements(CERTAINTY)[0].unit.value == "%"


def test_what_is_not_assessed_says_so_without_a_figure(tmp_path: Path) -> None:
    fracture = groups(reopened(tmp_path))["fracture"]
    assert fracture.get_qualitative_evaluations(PRESENCE)[0].value.value == "373121007"
    assert fracture.get_measurements() == []


def test_the_region_of_the_evidence_lies_in_the_film_s_own_pixels(tmp_path: Path) -> None:
    # 60 x 40 in 64: 43 columns of it, 10 of padding at the left; the view begins at the 8th pixel and has 48.
    effusion = groups(reopened(tmp_path))["pleural effusion"]
    left, top, right, bottom = BOX
    across = [(8 + edge * 48 - 10) / 43 * 40 for edge in (left, right)]
    down = [(8 + edge * 48) / 64 * 60 for edge in (top, bottom)]
    points = effusion.roi.value
    assert np.allclose([points[:, 0].min(), points[:, 0].max()], across, atol=1e-4)
    assert np.allclose([points[:, 1].min(), points[:, 1].max()], down, atol=1e-4)
    assert (points[0] == points[-1]).all() and len(points) == 5
    (region,) = [
        item for item in effusion[0].ContentSequence if item.ValueType == "SCOORD"
    ]  # selected from the film itself
    assert region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"


def test_a_film_that_was_mirrored_has_its_region_on_the_other_side(tmp_path: Path) -> None:
    straight = groups(reopened(tmp_path))["pleural effusion"].roi.value
    mirrored = groups(reopened(tmp_path, PatientOrientation=["R", "F"]))["pleural effusion"].roi.value
    assert np.isclose(mirrored[:, 0].max(), 40 - straight[:, 0].min(), atol=1e-4)
    assert np.isclose(mirrored[:, 1].min(), straight[:, 1].min(), atol=1e-4)


def test_a_finding_of_two_sentences_with_evidence_has_two_groups(tmp_path: Path) -> None:
    sentence = DRAFT.sentences[0]
    assert sentence.evidence is not None
    other = replace(sentence, evidence=replace(sentence.evidence, box=(0.5, 0.1, 0.75, 0.3)))
    found = groups(reopened(tmp_path, replace(DRAFT, sentences=(*DRAFT.sentences, other))))
    assert {"pleural effusion", "pleural effusion 2"} <= set(found)
    assert found["pleural effusion"].tracking_uid != found["pleural effusion 2"].tracking_uid


def test_a_sentence_that_states_the_opposite_lends_no_region(tmp_path: Path) -> None:
    contrary = replace(DRAFT.sentences[0], conditions={"pleural effusion": "negative"})
    content = Comprehensive3DSR.from_dataset(reopened(tmp_path, replace(DRAFT, sentences=(contrary,)))).content
    assert content.get_planar_roi_measurement_groups() == []


def test_the_algorithm_and_the_notice_are_named(tmp_path: Path) -> None:
    report = reopened(tmp_path)
    named = texts(report)
    assert NOTICE in named and "Not assessed: fracture." in named
    algorithm = texts(groups(report)["pneumothorax"][0])
    assert "tiny" in algorithm and f"fingerprint {MODEL['fingerprint']}" in algorithm


def test_a_draft_that_abstains_says_that_alone(tmp_path: Path) -> None:
    report = reopened(tmp_path, ABSTAINING)
    ((name, group),) = groups(report).items()
    assert name == "no draft" and group.finding_type.value == "C00"
    assert "No draft: This is a lateral film." in texts(report)


def test_one_that_stands_by_nothing_abstains_beside_what_it_does_not_assess(tmp_path: Path) -> None:
    found = groups(reopened(tmp_path, replace(ABSTAINING, findings=DRAFT.findings[3:])))
    assert {name: group.finding_type.value for name, group in found.items()} == {
        "fracture": "125605004",
        "no draft": "C00",
    }


def test_a_draft_that_states_no_condition_says_so_and_does_not_abstain(tmp_path: Path) -> None:
    ((_, group),) = groups(reopened(tmp_path, replace(MAPLESS, findings=DRAFT.findings[4:]))).items()
    assert group.finding_type.value == "C99"


def test_a_draft_without_maps_has_groups_without_regions(tmp_path: Path) -> None:
    content = Comprehensive3DSR.from_dataset(reopened(tmp_path, MAPLESS)).content
    assert not content.get_planar_roi_measurement_groups() and len(content.get_image_measurement_groups()) == 1


def test_a_film_that_is_no_dicom_has_no_such_report(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only a DICOM film"):
        findings_report(replace(case_in(tmp_path), source=None))


def test_the_same_draft_gives_the_same_bytes_and_another_film_other_identifiers(tmp_path: Path) -> None:
    for name in ("again", "other"):
        (tmp_path / name).mkdir()
    first, second = reopened(tmp_path), reopened(tmp_path / "again")
    assert (tmp_path / "findings.sr.dcm").read_bytes() == (tmp_path / "again" / "findings.sr.dcm").read_bytes()
    other = reopened(tmp_path / "other", SOPInstanceUID="1.2.3.9")
    assert first.SOPInstanceUID == second.SOPInstanceUID != other.SOPInstanceUID
    assert first.SeriesInstanceUID != other.SeriesInstanceUID
