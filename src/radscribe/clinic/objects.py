"""What all DICOM objects of a draft have in common: patient, study, series, equipment, identifiers and times."""

from __future__ import annotations

from typing import Any

import highdicom as hd
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr.coding import CodedConcept
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import DA, DT, TM

from radscribe.clinic.case import Case
from radscribe.clinic.codes import LOCAL, Code
from radscribe.clinic.identity import uid_of
from radscribe.clinic.source import OPTIONAL, TYPE_2, UTF_8, SourceFilm
from radscribe.core.version import __version__

MANUFACTURER = "radscribe"
# The kinds of objects; each stands in a series of its own, whose number is its place from SERIES_NUMBER on.
KINDS = {
    "report": "Draft report (research use only)",
    "findings": "Draft findings (research use only)",
    "pdf": "Draft report as PDF (research use only)",
    "overlay": "Draft evidence (research use only)",
}
SERIES_NUMBER = 9601
DAY, TIME = "%Y%m%d", "%H%M%S"


def coded(code: Code) -> CodedConcept:
    """``code`` as highdicom has it."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def film_of(case: Case) -> SourceFilm:
    """The film's header; raises ``ValueError`` for a film that is no DICOM."""
    if case.source is None:
        raise ValueError("only a DICOM film has a study that objects can be added to")
    return case.source


def series_attributes(case: Case, kind: str) -> dict[str, Any]:
    """The attributes of series, equipment, instance and time of an object of ``kind``, for highdicom."""
    return {
        "series_instance_uid": uid_of("series", kind, case.key),
        "series_number": SERIES_NUMBER + list(KINDS).index(kind),
        "series_description": KINDS[kind],
        "sop_instance_uid": uid_of("instance", kind, case.key),
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": case.draft.model["name"][:64],
        "device_serial_number": case.draft.model["fingerprint"][:64],
        "software_versions": __version__,
        "content_date": case.made.strftime(DAY),
        "content_time": case.made.strftime(TIME),
        "specific_character_set": UTF_8,
    }


def coding_scheme() -> CodingSchemeIdentificationItem:
    """Whose the private codes are (DICOM PS3.3 C.12.1, Coding Scheme Identification Sequence)."""
    return CodingSchemeIdentificationItem(
        designator=LOCAL, name="Conditions of radscribe", responsible_organization=MANUFACTURER
    )


def dated(instance: hd.base.SOPClass, case: Case) -> hd.base.SOPClass:
    """``instance`` created when the case was made, so that nothing in it depends on the clock."""
    instance.InstanceCreationDate = DA(case.made.strftime(DAY))
    instance.InstanceCreationTime = TM(case.made.strftime(TIME))
    for item in instance.get("ContributingEquipmentSequence", ()):
        item.ContributionDateTime = DT(case.made.strftime(DAY + TIME))
    return instance


def new_object(case: Case, kind: str, sop_class: str, modality: str) -> hd.base.SOPClass:
    """An object of ``sop_class`` in the film's study, for the modules that highdicom has no class for.

    It has what Patient, General Study, General Series, General Equipment and SOP Common require, and the film as its
    source (DICOM PS3.3 C.7.6.1, C.24.2).
    """
    header = film_of(case).header
    instance = hd.base.SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        sop_class_uid=sop_class,
        modality=modality,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **series_attributes(case, kind),
    )
    for keyword in (*TYPE_2, *OPTIONAL):
        if keyword in header:
            instance[keyword] = header[keyword]
    return dated(instance, case)
