"""Whether the films of a study are of one patient, by their headers: compared by hashes, no identifier is given on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset

from radscribe.imaging.header import PREAMBLE, begins_dicom, read_header
from radscribe.imaging.quiet import quiet

IDENTIFIERS = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID")
READ = ("SpecificCharacterSet", *IDENTIFIERS)
OTHER = "its header names another {} than that of a film before it; give the films of one study alone"


@dataclass(frozen=True)
class Owner:
    """Whose film it is: the SHA-256 of each of ``IDENTIFIERS``, "" for one that the header does not have."""

    patient: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)
    study: str = field(default="", repr=False)


def read_owner(path: Path) -> Owner:
    """Whose film a file is; nobody's where it is no DICOM or its header cannot be read. Raises ``OSError``."""
    with path.open("rb") as file, quiet("pydicom"):
        dicom = begins_dicom(file.read(PREAMBLE + 4))
        file.seek(0)
        try:
            header = read_header(file, "film", READ)[0] if dicom else Dataset()
        except Exception:  # damaged bytes make the parser raise almost anything
            return Owner()
        return Owner(*(_hash(header, keyword) for keyword in IDENTIFIERS))


def stranger(owners: Sequence[Owner]) -> tuple[int, str] | None:
    """The first film that does not belong to one before it: its place, and in what ("patient" or "study").

    An identifier counts where both films have it, an issuer beside the identifiers that it issued.
    """
    for place, owner in enumerate(owners):
        for before in owners[:place]:
            if _differ(owner.patient, before.patient):
                return place, "patient"
            if owner.patient and before.patient and _differ(owner.issuer, before.issuer):
                return place, "patient"
            if _differ(owner.study, before.study):
                return place, "study"
    return None


def _differ(one: str, other: str) -> bool:
    return bool(one and other and one != other)


def _hash(header: Dataset, keyword: str) -> str:
    try:
        text = str(header.get(keyword) or "").strip(" \0")
    except Exception:  # pydicom can raise almost anything on a value that breaks its rules
        return ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if text else ""
