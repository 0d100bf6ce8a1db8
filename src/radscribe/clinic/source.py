"""The header of a DICOM film, as far as reports on it need it: never logged, never in an error message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, config
from pydicom.multival import MultiValue
from pydicom.uid import UID
from pydicom.valuerep import DA, TM, validate_value

from radscribe.imaging.dicom import VIEWS
from radscribe.imaging.fields import code, make_readable
from radscribe.imaging.header import begins_dicom, read_header
from radscribe.imaging.quiet import quiet
from radscribe.imaging.refusal import RefusedFilm

HEAD = 132
# Attributes of the patient and the study that every object of the study has (DICOM PS3.3 C.7.1.1, C.7.2.1).
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
OPTIONAL = ("IssuerOfPatientID", "PatientAge", "StudyDescription")
UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
READ = (
    *TYPE_2,
    *OPTIONAL,
    *UIDS,
    "Modality",
    "SpecificCharacterSet",
    "PatientOrientation",
    "ViewPosition",
    "Rows",
    "Columns",
)
SINGLE = {"DA": DA, "TM": TM}
SEXES = ("M", "F", "O")
MODALITIES = ("CR", "DX", "RG")
UTF_8 = "ISO_IR 192"


@dataclass(frozen=True, eq=False)
class SourceFilm:
    """A DICOM film that reports refer to; ``header`` has its identity in UTF-8, an attribute of type 2 maybe empty."""

    header: Dataset
    modality: str  # CR, DX or RG; OT where the header has another term
    rows: int  # pixels, as stored
    columns: int
    orientation: tuple[str, ...]  # Patient Orientation, empty where the header has none
    view: str | None  # "frontal", "lateral" or None

    @property
    def uid(self) -> str:
        """The film's SOP Instance UID."""
        return str(self.header.SOPInstanceUID)


def read_source(path: Path) -> SourceFilm | None:
    """The header of a DICOM film that can be drafted; None for a file that is no DICOM.

    A value that breaks the rules of the standard is left out, as an object with it would break them too.

    Raises:
        RefusedFilm: the header cannot be read, or has not the four identifiers that an object of the same study needs.
    """
    try:
        with path.open("rb") as file, quiet("pydicom"):
            start = file.read(HEAD)
            if not begins_dicom(start):
                return None
            file.seek(0)
            return _source(read_header(file, str(path), READ)[0], str(path))
    except RefusedFilm:
        raise
    except Exception as error:  # damaged bytes make the parser raise almost anything, maybe with values of the file
        raise RefusedFilm(str(path), f"its header cannot be read for reports ({type(error).__name__})") from None


def iso_date(text: str) -> str:
    """A date of a header (DA, DICOM PS3.5 6.2) by ISO 8601; "" for none."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 else ""


def _source(found: Dataset, source: str) -> SourceFilm:
    make_readable(found, [])
    header = Dataset()
    header.SpecificCharacterSet = UTF_8
    for keyword in (*TYPE_2, *OPTIONAL, *UIDS):
        text = _text(found, keyword)
        if text or keyword in TYPE_2:
            setattr(header, keyword, text)
    if missing := [keyword for keyword in UIDS if not UID(header.get(keyword, "")).is_valid]:
        raise RefusedFilm(source, f"its header has no {missing[0]}, which reports in its study need; export it again")
    orientation = found.get("PatientOrientation") or ()
    return SourceFilm(
        header,
        modality if (modality := code(found, "Modality")) in MODALITIES else "OT",
        int(found.Rows),
        int(found.Columns),
        () if isinstance(orientation, str) else tuple(str(letter) for letter in orientation),
        VIEWS.get(code(found, "ViewPosition")),
    )


def _text(found: Dataset, keyword: str) -> str:
    """The value of ``keyword`` as text; "" where it is missing or invalid."""
    try:
        value = found.get(keyword)
        text = "" if value is None or isinstance(value, MultiValue) else str(value).strip(" \0")
        kind = found[keyword].VR if keyword in found else "LO"
        validate_value(kind, text, config.RAISE)
        if kind in SINGLE:  # a range is valid, in a query
            SINGLE[kind](text)
    except Exception:  # pydicom can raise almost anything on a value that breaks its rules
        return ""
    return "" if keyword == "PatientSex" and text not in SEXES else text
