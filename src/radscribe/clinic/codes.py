"""The codes of the 18 conditions in SNOMED CT, RadLex and DICOM, each with where it was read."""

from __future__ import annotations

from dataclasses import dataclass

from radscribe.labels.conditions import CONDITIONS

NO_SINGLE_CODE = "no single code"
# Designator (DICOM PS3.16 section 8) of each coding scheme, and its address in FHIR.
SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "RADLEX": "http://radlex.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
    "99RADSCRIBE": "urn:radscribe:conditions",
}
LOCAL = "99RADSCRIBE"  # "99" begins private designators

# Neither is in pydicom: several public mapping tables agree on the code and its name.
_SNOMED = "SNOMED CT, by public mapping tables"
_RADLEX = "RadLex 4.3, by public mapping tables"


@dataclass(frozen=True)
class Code:
    """One concept of a coding scheme; ``scheme`` is a key of ``SYSTEMS``, ``source`` says where the code was read."""

    scheme: str
    value: str
    meaning: str
    source: str = "this project"


@dataclass(frozen=True)
class ConditionCodes:
    """What a condition is called in the coding schemes.

    ``codes`` has the one to use first and is empty where no single code means the condition: ``reason`` says why. Its
    ``local`` code then stands for it, with the anatomy in ``site``.
    """

    condition: str
    local: Code
    codes: tuple[Code, ...] = ()
    site: Code | None = None
    reason: str = ""

    @property
    def primary(self) -> Code:
        """The code that stands for the condition where there may be one only."""
        return self.codes[0] if self.codes else self.local

    @property
    def shown(self) -> str:
        """The codes in one line, or that there is no single one and why."""
        codes = ", ".join(f"{code.scheme} {code.value}" for code in self.codes)
        return codes or f"{NO_SINGLE_CODE}: {self.reason}"


_LUNG = Code("SCT", "39607008", "Lung", "pydicom.sr, CID 6129")
_PLEURA = Code("SCT", "3120008", "Pleura", "pydicom.sr, CID 7155")
_HEART = Code("SCT", "80891009", "Heart", "pydicom.sr, CID 6100")
_MEDIASTINUM = Code("SCT", "72410000", "Mediastinum", "pydicom.sr, CID 6100")
_THORAX = Code("SCT", "816094009", "Thorax", "pydicom.sr, CID 7155")


def _radlex(value: str, meaning: str) -> Code:
    return Code("RADLEX", value, meaning, _RADLEX)


# In the order of CONDITIONS. LOINC names questions and reports, not findings: no row has a code of it.
_ROWS: tuple[tuple[tuple[Code, ...], Code | None, str], ...] = (
    ((), _MEDIASTINUM, "a label of heart or mediastinum together"),
    # pydicom.sr calls 287272002 "Cardiomegaly", and also "Enlarged septal foramen of heart", which it is.
    ((Code("SCT", "8186001", "Cardiomegaly", _SNOMED),), _HEART, ""),
    ((Code("DCM", "112001", "Opacity", "pydicom.sr, CID 6102"), _radlex("RID28530", "opacity")), _LUNG, ""),
    ((), _LUNG, "a nodule, a mass or another lesion"),
    ((Code("SCT", "19242006", "Pulmonary edema", "pydicom.sr, CID 3700"), _radlex("RID4866", "pulmonary edema")),
     _LUNG, ""),
    ((Code("SCT", "95436008", "Lung consolidation", _SNOMED), _radlex("RID43255", "consolidation")), _LUNG, ""),
    ((Code("SCT", "233604007", "Pneumonia", _SNOMED), _radlex("RID5350", "pneumonia")), _LUNG, ""),
    ((Code("SCT", "46621007", "Atelectasis", _SNOMED), _radlex("RID28493", "atelectasis")), _LUNG, ""),
    ((Code("SCT", "36118008", "Pneumothorax", "pydicom.sr, CID 6102"), _radlex("RID5352", "pneumothorax")),
     _PLEURA, ""),
    ((Code("SCT", "60046008", "Pleural effusion", "pydicom.sr, CID 645"), _radlex("RID34539", "pleural effusion")),
     _PLEURA, ""),
    ((), _PLEURA, "thickening, plaque, calcification or scar"),
    ((Code("SCT", "125605004", "Fracture of bone", _SNOMED), _radlex("RID4650", "fracture")), None, ""),
    ((), _THORAX, "a tube, a line, a pacemaker or another device"),
    ((), _THORAX, "the absence of all other findings"),
    ((), Code("SCT", "15825003", "Aorta", "pydicom.sr, CID 6129"), "any abnormality of the aorta"),
    ((), Code("SCT", "272710004", "Bone of thorax", "pydicom.sr, CID 7155"), "any abnormality of bones or spine"),
    ((), Code("SCT", "5798000", "Diaphragm", "pydicom.sr, CID 6116"), "raised, flattened or otherwise abnormal"),
    ((), _LUNG, "too low or too high"),
)  # fmt: skip

CONDITION_CODES: dict[str, ConditionCodes] = {
    name: ConditionCodes(name, Code(LOCAL, f"C{number:02}", name), codes, site, reason)
    for number, (name, (codes, site, reason)) in enumerate(zip(CONDITIONS, _ROWS, strict=True), 1)
}

REPORT = Code("LN", "18748-4", "Diagnostic Imaging Report", "pydicom.sr, CID 7000")
PROCEDURE = Code("LN", "43468-8", "XR unspecified body region", "pydicom.sr, CID 100")
# How likely a finding is there or, where it is stated absent, is not, in percent.
CERTAINTY = Code("DCM", "111012", "Certainty of Finding", "pydicom.sr, CID 6048")
PERCENT = Code("UCUM", "%", "Percent", "pydicom.sr, CID 83")
PRESENCE = Code("DCM", "121052", "Presence of property", "pydicom.sr")
COMMENT = Code("DCM", "121106", "Comment", "pydicom.sr, CID 12101")
NO_DRAFT = Code(LOCAL, "C00", "No draft: the model abstains")
NOTHING_STATED = Code(LOCAL, "C99", "The draft states no coded finding")
# The states of a finding; "blank" is none, as the draft does not speak of the condition.
STATES: dict[str, Code] = {
    "positive": Code("SCT", "52101004", "Present", "pydicom.sr, CID 240"),
    "negative": Code("SCT", "272519000", "Absent", "pydicom.sr, CID 240"),
    "uncertain": Code("SCT", "373068000", "Undetermined", "pydicom.sr, CID 240"),
    "not assessed": Code("SCT", "373121007", "Not Evaluated", "pydicom.sr, CID 3703"),
}
