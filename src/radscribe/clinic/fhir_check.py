"""Holds a FHIR R4B Bundle to the bindings that the standard requires, which fhir.resources does not check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from radscribe.core.errors import RadscribeError

# Required bindings (FHIR R4B, "Terminology Bindings" of each resource): the path to a code, and what it may be.
STATUS = "registered preliminary final amended corrected cancelled entered-in-error unknown"
REQUIRED: dict[tuple[str, str], str] = {
    ("Bundle", "type"): "document message transaction transaction-response batch batch-response history searchset "
    "collection",
    ("DiagnosticReport", "status"): f"{STATUS} partial appended",
    ("Observation", "status"): STATUS,
    ("ImagingStudy", "status"): "registered available cancelled entered-in-error unknown",
    ("Patient", "gender"): "male female other unknown",
    ("Device", "status"): "active inactive entered-in-error unknown",
}
NAME_TYPES = "udi-label-name user-friendly-name patient-reported-name manufacturer-name model-name other"
NARRATIVES = "generated extensions additional empty"
# Codes that this project writes, by the system they are of; another one is a mistake of ours.
KNOWN = {
    "v2-0074": "RAD",
    "observation-category": "imaging",
    "v3-ObservationInterpretation": "POS NEG IND",
    "data-absent-reason": "not-performed",
    "provenance-participant-type": "assembler author",
}
# Elements that a resource must have.
NEEDED = {
    "DiagnosticReport": ("status", "code", "category", "issued"),
    "Observation": ("status", "code", "category", "device"),
    "Provenance": ("target", "recorded", "agent"),
    "ImagingStudy": ("status", "subject"),
}
PREFIX = "http://terminology.hl7.org/CodeSystem/"


def check_bundle(bundle: dict[str, Any]) -> None:
    """Check a Bundle: elements that must be there, codes of required bindings, and that each reference leads somewhere.

    Raises:
        RadscribeError: one line with the resource, the element and what it may be; never a value of a patient.
    """
    _check_codes(bundle)
    urls = {entry.get("fullUrl") for entry in bundle.get("entry", ())}
    for entry in bundle.get("entry", ()):
        resource = entry["resource"]
        kind = resource["resourceType"]
        for name in NEEDED.get(kind, ()):
            if not resource.get(name):
                raise RadscribeError(f"FHIR {kind}: {name} is missing; add it")
        if kind == "Observation" and ("valueCodeableConcept" in resource) == ("dataAbsentReason" in resource):
            raise RadscribeError("FHIR Observation: needs either a value or a dataAbsentReason; give one of them")
        _check_codes(resource)
        for key, value in _pairs(resource):
            if key == "reference" and value not in urls:
                raise RadscribeError(f"FHIR {kind}: a reference leads to nothing in the Bundle; add what it names")


def _check_codes(resource: dict[str, Any]) -> None:
    kind = resource["resourceType"]
    for (owner, name), codes in REQUIRED.items():
        if owner == kind and name in resource:
            _require(kind, name, resource[name], codes)
    for device_name in resource.get("deviceName", ()):
        _require(kind, "deviceName.type", device_name.get("type"), NAME_TYPES)
    if "text" in resource:
        _require(kind, "text.status", resource["text"].get("status"), NARRATIVES)
    if kind == "Bundle":
        return
    for key, value in _pairs(resource):
        if key == "coding":
            for coding in value:
                known = KNOWN.get(str(coding.get("system", "")).removeprefix(PREFIX))
                if known is not None:
                    _require(kind, "coding.code", coding.get("code"), known)


def _require(kind: str, name: str, code: object, codes: str) -> None:
    if code not in codes.split():
        raise RadscribeError(f"FHIR {kind}: {name} must be one of: {', '.join(codes.split())}; correct it")


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every name with its value, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)
