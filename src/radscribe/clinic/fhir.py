"""The draft as HL7 FHIR R4B: DiagnosticReport, Observations and Provenance in a Bundle."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from fhir.resources.R4B.bundle import Bundle

from radscribe.clinic.case import Case
from radscribe.clinic.codes import (
    CERTAINTY,
    CONDITION_CODES,
    PERCENT,
    PRESENCE,
    REPORT,
    STATES,
    SYSTEMS,
    Code,
)
from radscribe.clinic.fhir_check import check_bundle
from radscribe.clinic.identity import uuid_of
from radscribe.clinic.remarks import remarks
from radscribe.clinic.source import SourceFilm, iso_date
from radscribe.core.records import Finding
from radscribe.core.version import __version__
from radscribe.drafting.text import statements

HL7 = "http://terminology.hl7.org/CodeSystem"
GENDERS = {"M": "male", "F": "female", "O": "other"}
# The states of a finding as interpretations (v3-ObservationInterpretation).
INTERPRETATIONS = {
    "positive": ("POS", "Positive"),
    "negative": ("NEG", "Negative"),
    "uncertain": ("IND", "Indeterminate"),
}
FIXED = {"resourceType": "Bundle", "type": "collection"}


def fhir_bundle(case: Case) -> dict[str, Any]:
    """The Bundle of a case, parsed by fhir.resources and held to the required bindings by ``check_bundle``.

    A report (preliminary) with an Observation for each finding that the draft states or cannot assess, the model as a
    Device, and a Provenance whose agent it is. A film without a DICOM header gives no Patient and no ImagingStudy.
    """
    bundle = {**FIXED, "timestamp": case.made.isoformat(timespec="seconds"), "entry": _entries(case)}
    parsed = Bundle.model_validate(bundle)
    found: dict[str, Any] = parsed.model_dump(mode="json", exclude_none=True)
    check_bundle(found)
    return found


def _entries(case: Case) -> list[dict[str, Any]]:
    resources = {"Device": _device(case)}
    shared: dict[str, Any] = {}
    if case.source:
        resources["Patient"] = _patient(case.source)
        shared["subject"] = _reference(case, "Patient")
        resources["ImagingStudy"] = {**_study(case, case.source), **shared}
        if date := iso_date(case.source.header.StudyDate):
            shared["effectiveDateTime"] = date
    stated = [finding for finding in case.draft.findings if finding.state in STATES]
    observations = {f"Observation {each.condition}": {**_observation(case, each), **shared} for each in stated}
    resources |= observations
    report = {
        "resourceType": "DiagnosticReport",
        "status": "preliminary",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid_of('report', case.key)}"}],
        "category": [_concept(_hl7("v2-0074", "RAD", "Radiology"))],
        "code": _concept(_coding(REPORT)),
        "issued": case.made.isoformat(timespec="seconds"),
        "result": [_reference(case, name) for name in observations],
        "conclusion": " ".join([case.draft.report, *remarks(case)]).strip(),
        "text": _narrative([f"{each.text} {statements(each)}" for each in case.draft.sentences] + remarks(case)),
        **shared,
    }
    if case.source:
        report["imagingStudy"] = [_reference(case, "ImagingStudy")]
    resources["DiagnosticReport"] = {name: value for name, value in report.items() if value}
    resources["Provenance"] = {
        "resourceType": "Provenance",
        "target": [_reference(case, name) for name in ("DiagnosticReport", *observations)],
        "recorded": case.made.isoformat(timespec="seconds"),
        "agent": [
            {
                "type": _concept(_hl7("provenance-participant-type", "assembler", "Assembler")),
                "who": {**_reference(case, "Device"), "display": f"{case.draft.model['name']} (software)"},
            }
        ],
    }
    if case.source:
        resources["Provenance"]["entity"] = [{"role": "source", "what": _reference(case, "ImagingStudy")}]
    return [{"fullUrl": _url(case, name), "resource": resource} for name, resource in resources.items()]


def _device(case: Case) -> dict[str, Any]:
    model = case.draft.model
    return {
        "resourceType": "Device",
        "identifier": [{"system": "urn:radscribe:fingerprint", "value": model["fingerprint"]}],
        "manufacturer": "radscribe",
        "deviceName": [{"name": model["name"], "type": "model-name"}],
        "version": [{"value": __version__}, {"value": f"fingerprint {model['fingerprint']}"}],
        "note": [{"text": case.draft.notice}],
    }


def _patient(film: SourceFilm) -> dict[str, Any]:
    header = film.header
    name = header.PatientName
    patient: dict[str, Any] = {"resourceType": "Patient"}
    if header.PatientID:
        patient["identifier"] = [{"value": header.PatientID}]
    if str(name):
        parts = {"family": str(name.family_name), "given": str(name.given_name).split(), "text": str(name)}
        patient["name"] = [{key: value for key, value in parts.items() if value}]
    if date := iso_date(header.PatientBirthDate):
        patient["birthDate"] = date
    if gender := GENDERS.get(header.PatientSex):
        patient["gender"] = gender
    return patient


def _study(case: Case, film: SourceFilm) -> dict[str, Any]:
    series: dict[str, list[SourceFilm]] = {}
    for each in (film, *case.others):
        series.setdefault(each.header.SeriesInstanceUID, []).append(each)
    return {
        "resourceType": "ImagingStudy",
        "status": "available",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{film.header.StudyInstanceUID}"}],
        "series": [
            {
                "uid": uid,
                "modality": {"system": SYSTEMS["DCM"], "code": films[0].modality},
                "instance": [
                    {
                        "uid": each.uid,
                        "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{each.header.SOPClassUID}"},
                    }
                    for each in films
                ],
            }
            for uid, films in series.items()
        ],
    }


def _observation(case: Case, finding: Finding) -> dict[str, Any]:
    codes = CONDITION_CODES[finding.condition]
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "preliminary",
        "category": [_concept(_hl7("observation-category", "imaging", "Imaging"))],
        "code": {**_concept(*map(_coding, codes.codes or (codes.local,))), "text": finding.condition},
        "device": _reference(case, "Device"),
        "note": [{"text": case.draft.notice}],
    }
    if codes.site:
        observation["bodySite"] = _concept(_coding(codes.site))
    if finding.state not in INTERPRETATIONS:
        observation["dataAbsentReason"] = _concept(_hl7("data-absent-reason", "not-performed", "Not Performed"))
        return observation
    observation["valueCodeableConcept"] = {**_concept(_coding(STATES[finding.state])), "text": PRESENCE.meaning}
    observation["interpretation"] = [_concept(_hl7("v3-ObservationInterpretation", *INTERPRETATIONS[finding.state]))]
    if finding.probability is not None:
        quantity = {"value": round(100 * finding.probability, 2), "unit": "%", "system": SYSTEMS["UCUM"]}
        observation["component"] = [
            {"code": _concept(_coding(CERTAINTY)), "valueQuantity": {**quantity, "code": PERCENT.value}}
        ]
    return observation


def _narrative(lines: Sequence[str]) -> dict[str, str]:
    paragraphs = "".join(f"<p>{escape(line.strip())}</p>" for line in lines if line.strip())
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>'}


def _hl7(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": f"{HL7}/{system}", "code": code, "display": display}


def _coding(code: Code) -> dict[str, str]:
    return {"system": SYSTEMS[code.scheme], "code": code.value, "display": code.meaning}


def _concept(*codings: dict[str, str]) -> dict[str, Any]:
    return {"coding": list(codings)}


def _url(case: Case, name: str) -> str:
    return f"urn:uuid:{uuid_of('fhir', name, case.key)}"


def _reference(case: Case, name: str) -> dict[str, str]:
    return {"reference": _url(case, name)}
