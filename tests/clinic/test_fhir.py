"""The FHIR Bundle, parsed again, and the check of what fhir.resources lets pass."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cases import ABSTAINING, BORN, DRAFT, DRAFTS, IDENTIFIER, MAPLESS, MODEL, case_in
from fhir.resources.R4B.bundle import Bundle

from radscribe.clinic import fhir
from radscribe.clinic.fhir import fhir_bundle
from radscribe.clinic.fhir_check import check_bundle
from radscribe.core.errors import RadscribeError
from radscribe.core.records import NOTICE, Draft


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == kind]


@pytest.fixture
def bundle(tmp_path: Path) -> dict[str, Any]:
    return fhir_bundle(case_in(tmp_path))


def test_the_report_is_preliminary_and_refers_to_patient_study_and_observations(bundle: dict[str, Any]) -> None:
    (report,), (patient,), (study,) = (
        resources(bundle, kind) for kind in ("DiagnosticReport", "Patient", "ImagingStudy")
    )
    assert (report["status"], report["effectiveDateTime"]) == ("preliminary", "2025-02-03")
    assert report["code"]["coding"][0]["code"] == "18748-4" and report["category"][0]["coding"][0]["code"] == "RAD"
    urls = {each["fullUrl"]: each["resource"] for each in bundle["entry"]}
    assert urls[report["subject"]["reference"]] == patient and patient["identifier"][0]["value"] == IDENTIFIER
    assert patient["name"][0]["family"] == "Müller-Sécret" and patient["birthDate"] == "1947-05-11"
    assert patient["gender"] == "female"
    assert urls[report["imagingStudy"][0]["reference"]] == study
    assert study["identifier"][0]["value"] == "urn:oid:1.2.3"
    assert study["series"][0]["modality"]["code"] == "DX"
    assert [urls[each["reference"]] for each in report["result"]] == resources(bundle, "Observation")
    for part in (NOTICE, "There is a possible left pleural effusion.", "Withheld: “The bones", "Not assessed: frac"):
        assert part in report["conclusion"]
    assert "The bones are &lt; intact." in report["text"]["div"] and NOTICE in report["text"]["div"]


def test_an_observation_has_code_value_interpretation_and_probability(bundle: dict[str, Any]) -> None:
    effusion, tube, air, fracture = resources(bundle, "Observation")
    assert {each["system"]: each["code"] for each in effusion["code"]["coding"]} == {
        "http://snomed.info/sct": "60046008",
        "http://radlex.org": "RID34539",
    }
    codes = [each["interpretation"][0]["coding"][0]["code"] for each in (effusion, tube, air)]
    assert codes == ["IND", "POS", "NEG"]
    assert effusion["component"][0]["valueQuantity"] == {
        "value": 45.67,
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }
    assert tube["code"]["coding"][0]["system"] == "urn:radscribe:conditions"
    assert fracture["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    assert "valueCodeableConcept" not in fracture and "component" not in fracture
    assert all(each["status"] == "preliminary" and each["note"][0]["text"] == NOTICE for each in (effusion, fracture))


def test_provenance_names_the_model_by_its_fingerprint(bundle: dict[str, Any]) -> None:
    (provenance,), (device,) = resources(bundle, "Provenance"), resources(bundle, "Device")
    urls = {each["fullUrl"]: each["resource"] for each in bundle["entry"]}
    assert urls[provenance["agent"][0]["who"]["reference"]] == device
    assert device["identifier"][0]["value"] == MODEL["fingerprint"]
    assert len(provenance["target"]) == 5 and provenance["recorded"].startswith("2026-01-02T03:04:05")


def test_a_film_without_a_header_has_no_patient_and_no_study(tmp_path: Path) -> None:
    bundle = fhir_bundle(replace(case_in(tmp_path), source=None))
    assert not resources(bundle, "Patient") and not resources(bundle, "ImagingStudy")
    assert "subject" not in json.dumps(bundle) and BORN not in json.dumps(bundle)


def test_a_draft_that_abstains_has_no_observation_but_its_reason(tmp_path: Path) -> None:
    bundle = fhir_bundle(case_in(tmp_path, ABSTAINING))
    (report,) = resources(bundle, "DiagnosticReport")
    assert not resources(bundle, "Observation") and "result" not in report
    assert "No draft: This is a lateral film." in report["conclusion"]


def test_one_that_has_no_dates_and_no_name_is_no_obstacle(tmp_path: Path) -> None:
    empty = dict.fromkeys(("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate"))
    bundle = fhir_bundle(case_in(tmp_path, MAPLESS, **empty))
    assert resources(bundle, "Patient") == [{"resourceType": "Patient"}]


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=DRAFTS)
def test_it_is_parsed_again_and_is_the_same_each_time(tmp_path: Path, draft: Draft) -> None:
    bundle = fhir_bundle(case_in(tmp_path, draft))
    again = Bundle.model_validate_json(json.dumps(bundle)).model_dump(mode="json", exclude_none=True)
    assert again == bundle == fhir_bundle(case_in(tmp_path, draft))


CORRUPTIONS = {
    "DiagnosticReport: status": ("DiagnosticReport", lambda each: each.update(status="draft")),
    "Observation: status": ("Observation", lambda each: each.update(status="partial")),
    "ImagingStudy: status": ("ImagingStudy", lambda each: each.update(status="final")),
    "Patient: gender": ("Patient", lambda each: each.update(gender="F")),
    "DiagnosticReport: category is missing": ("DiagnosticReport", lambda each: each.pop("category")),
    "Observation: coding.code": (
        "Observation",
        lambda each: each["interpretation"][0]["coding"][0].update(code="POSITIVE"),
    ),
    "Observation: needs either a value": ("Observation", lambda each: each.pop("valueCodeableConcept")),
    "Device: deviceName.type": ("Device", lambda each: each["deviceName"][0].update(type="model")),
    "Provenance: agent is missing": ("Provenance", lambda each: each.pop("agent")),
    "Provenance: a reference leads to nothing": (
        "Provenance",
        lambda each: each["target"][0].update(reference="urn:uuid:0"),
    ),
    "DiagnosticReport: text.status": ("DiagnosticReport", lambda each: each["text"].update(status="made")),
}


@pytest.mark.parametrize("expected", CORRUPTIONS)
def test_the_check_refuses_what_breaks_a_required_binding(bundle: dict[str, Any], expected: str) -> None:
    check_bundle(bundle)
    kind, corrupt = CORRUPTIONS[expected]
    broken = deepcopy(bundle)
    corrupt(resources(broken, kind)[0])
    with pytest.raises(RadscribeError, match=f"^FHIR {expected}") as refusal:
        check_bundle(broken)
    assert "\n" not in str(refusal.value)
    assert not any(secret in str(refusal.value) for secret in ("Müller", IDENTIFIER, "1947"))


def test_a_bundle_that_the_check_refuses_is_not_given_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fhir.INTERPRETATIONS, "positive", ("POSITIVE", "Positive"))
    with pytest.raises(RadscribeError, match=r"FHIR Observation: coding\.code"):
        fhir_bundle(case_in(tmp_path))


def test_fhir_resources_itself_accepts_a_wrong_status(bundle: dict[str, Any]) -> None:
    # Why there is a check of ours; where this fails, the check may go.
    broken = deepcopy(bundle)
    resources(broken, "DiagnosticReport")[0]["status"] = "draft"
    Bundle.model_validate(broken)


def test_the_bundle_itself_needs_a_known_type(bundle: dict[str, Any]) -> None:
    with pytest.raises(RadscribeError, match="FHIR Bundle: type must be one of"):
        check_bundle({**bundle, "type": "reports"})


def test_findings_that_the_draft_does_not_speak_of_are_no_observation(bundle: dict[str, Any]) -> None:
    assert "aorta" not in [each["code"]["text"] for each in resources(bundle, "Observation")]
    assert len(DRAFT.findings) == 5 and len(resources(bundle, "Observation")) == 4
