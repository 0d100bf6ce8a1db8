"""Identifies a DICOM file's study and patient by keyed hashes; names, dates and ids never leave this module."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from pydicom import Dataset

from radscribe.imaging.header import read_header
from radscribe.imaging.quiet import quiet
from radscribe.imaging.refusal import RefusedFilm

TAGS_READ = [
    "StudyInstanceUID",
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "AccessionNumber",
    "BurnedInAnnotation",
]
HASH_DIGITS = 20  # 80 bits: no two of a million patients share one
# Shorter identifiers would be found in any report by chance.
SHORTEST_IDENTIFIER = 4
# What replaces a name in files that are already de-identified.
PLACEHOLDERS = ("anonymous", "anonymized", "anonymised", "patient", "name", "unknown", "test")
TITLES = r"\b(?:mr|mrs|ms|miss)\.?\s+"


@dataclass(frozen=True)
class Identity:
    """The keyed hashes of a study and its patient, and what would identify that patient in a text."""

    study_id: str
    patient_id: str
    _identifiers: re.Pattern[str] | None = field(repr=False)
    _names: tuple[str, ...] = field(repr=False)

    def is_named_in(self, text: str) -> bool:
        """Whether ``text`` holds an identifier, the birth date, two parts of the name, or one after a title.

        One of several parts alone is not enough: "small" and "long" are names, too.
        """
        if self._identifiers is not None and self._identifiers.search(text):
            return True
        found = [name for name in self._names if re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE)]
        titled = any(re.search(TITLES + re.escape(name) + r"\b", text, re.IGNORECASE) for name in found)
        return titled or len(found) >= min(2, len(self._names) or 1)


def read_identity(path: Path, source: str, key: bytes) -> Identity:
    """The identity in the header of a DICOM file, whose pixels are not read; ``key`` is the secret key of the hashes.

    Raises:
        RefusedFilm: with ``source`` as the file's name, for a file that cannot be read, has no patient or study, or
            has text burnt into its pixels.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise RefusedFilm(source, f"it cannot be opened: {error.strerror}") from None
    try:
        with file, quiet("pydicom"):
            header, _ = read_header(file, source, TAGS_READ)
            return _identity(header, source, key)
    except RefusedFilm:
        raise
    except Exception as error:  # on damaged bytes the parsers can raise almost anything
        raise RefusedFilm(source, f"its DICOM header is damaged or missing ({type(error).__name__})") from None


def _identity(header: Dataset, source: str, key: bytes) -> Identity:
    study, patient, accession, birth, name, burned = (
        str(header.get(keyword) or "").strip()
        for keyword in (
            "StudyInstanceUID",
            "PatientID",
            "AccessionNumber",
            "PatientBirthDate",
            "PatientName",
            "BurnedInAnnotation",
        )
    )
    if burned.upper() == "YES":
        raise RefusedFilm(source, "its header says that writing is burnt into its pixels")
    if not study:
        raise RefusedFilm(source, "its header has no StudyInstanceUID; without it its study is not known")
    if not patient:
        raise RefusedFilm(source, "its header has no PatientID; without it a patient may leak")
    identifiers = [re.escape(value) for value in (study, patient, accession) if len(value) >= SHORTEST_IDENTIFIER]
    if re.fullmatch(r"\d{8}", birth):
        identifiers += _dates(birth)
    parts = re.findall(r"[^\W\d_]{2,}", name.lower())
    return Identity(
        study_id=_hash(key, f"study:{study}"),
        patient_id=_hash(key, f"patient:{patient}"),
        _identifiers=re.compile(rf"(?<!\w)(?:{'|'.join(identifiers)})(?!\w)", re.IGNORECASE) if identifiers else None,
        _names=tuple(part for part in sorted(set(parts)) if part not in PLACEHOLDERS),
    )


def _hash(key: bytes, value: str) -> str:
    return hmac.new(key, value.encode(), sha256).hexdigest()[:HASH_DIGITS]


def _dates(date: str) -> list[str]:
    """Patterns of a date (YYYYMMDD) with the year first or last, with or without separators."""
    year, month, day = date[:4], f"0?{int(date[4:6])}", f"0?{int(date[6:])}"
    between = "[-./ ]?"
    return [between.join(order) for order in ((year, month, day), (month, day, year), (day, month, year))]
