"""Identifies a DICOM file's study and patient by keyed hashes, and finds in texts what would identify the patient."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from radscribe.imaging.birth_dates import date_pattern
from radscribe.imaging.header import PREAMBLE, begins_dicom, read_header
from radscribe.imaging.name_words import ORDINARY, PLACEHOLDERS
from radscribe.imaging.patient_names import PatientNames, name_parts
from radscribe.imaging.quiet import quiet
from radscribe.imaging.refusal import RefusedFilm
from radscribe.imaging.scripts import has_lost_letters, in_other_script, scripts_of
from radscribe.imaging.spelling import LETTER, plain, spellings

NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName")
IDENTIFIERS = ("StudyInstanceUID", "PatientID", "AccessionNumber", "OtherPatientIDs")
TAGS_READ = ["SpecificCharacterSet", *NAMES, *IDENTIFIERS, "PatientBirthDate", "BurnedInAnnotation"]
HASH_DIGITS = 20  # 80 bits: no two of a million patients share one
# Shorter identifiers would be found in any report by chance.
SHORTEST_IDENTIFIER = 4
SHORTEST_NUMBER = 6  # of an identifier's digits alone, without the letters before them
# What names in files with a missing or wrong character set are often written in.
CHARACTER_SETS = ("utf-8", "gb18030", "big5", "shift_jis", "euc_kr", "cp1251", "latin-1")
# Beside Chinese letters, too: only a letter of a script with spaces goes on with a word.
_LABEL = rf"(?:(?<!{LETTER})(?:patient|pat|pt|p|u)?id|mrn|号|號)"
_MARKS = r"[\W_]{0,3}"


@dataclass(frozen=True)
class Identity:
    """The keyed hashes of a study and its patient, and what would identify that patient in a text."""

    study_id: str
    patient_id: str
    _identifiers: re.Pattern[str] | None = field(repr=False)
    _birth_date: re.Pattern[str] | None = field(repr=False)
    _names: PatientNames = field(repr=False)
    # The scripts of the header's names, Latin aside; None where it has no name.
    _scripts: frozenset[str] | None = field(repr=False, default=frozenset())
    _unreadable: bool = False  # the names have bytes of no declared character set, or have lost letters

    def is_in_doubt(self, text: str) -> bool:
        """Whether a name in ``text`` could not be found: the header's are not readable, or in other scripts alone."""
        return self._unreadable or (self._scripts is not None and in_other_script(text, self._scripts))

    def is_named_in(self, text: str) -> bool:
        """Whether ``text`` holds an identifier, the birth date or the name, in any usual spelling.

        Accents, capitals, widths of letters, and transliteration as in MUESTER for Müster make no difference.
        ``PatientNames.stand_in`` has the rule for names: where it doubts, the text names the patient, but ordinary
        words that are a name, too, do not on their own; ``date_pattern`` has the spellings of a date.
        """
        texts = spellings(text)
        patterns = [pattern for pattern in (self._identifiers, self._birth_date) if pattern is not None]
        return any(pattern.search(texts[0]) for pattern in patterns) or self._names.stand_in(texts)


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
            if not begins_dicom(file.read(PREAMBLE + 4)):
                raise InvalidDicomError
            file.seek(0)
            header, _ = read_header(file, source, TAGS_READ)
            return _identity(header, source, key)
    except RefusedFilm:
        raise
    except Exception as error:  # on damaged bytes the parsers can raise almost anything
        raise RefusedFilm(source, f"its DICOM header is damaged or missing ({type(error).__name__})") from None


def _identity(header: Dataset, source: str, key: bytes) -> Identity:
    study, patient, birth, burned = (
        str(header.get(keyword) or "").strip()
        for keyword in ("StudyInstanceUID", "PatientID", "PatientBirthDate", "BurnedInAnnotation")
    )
    if burned.upper() == "YES":
        raise RefusedFilm(source, "its header says that writing is burnt into its pixels")
    if not study:
        raise RefusedFilm(source, "its header has no StudyInstanceUID; without it its study is not known")
    if not patient:
        raise RefusedFilm(source, "its header has no PatientID; without it a patient may leak")
    written = [name for keyword in NAMES for name in _names(header, keyword)]
    names = list(dict.fromkeys(filter(None, map(name_parts, written))))
    return Identity(
        study_id=_hash(key, f"study:{study}"),
        patient_id=_hash(key, f"patient:{patient}"),
        _identifiers=_pattern([str(value) for keyword in IDENTIFIERS for value in _values(header, keyword)]),
        _birth_date=date_pattern(re.sub(r"\D", "", birth)),
        _names=PatientNames(tuple(names)),
        _scripts=scripts_of(written) if names else None,
        _unreadable=any(_is_unreadable(header, keyword) for keyword in NAMES),
    )


def _is_unreadable(header: Dataset, keyword: str) -> bool:
    names = [value for value in _values(header, keyword) if isinstance(value, PersonName)]
    declared = any(str(value).strip() not in ("", "ISO_IR 6") for value in _values(header, "SpecificCharacterSet"))
    undeclared = not declared and not all(name.original_string.isascii() for name in names)
    return undeclared or any(has_lost_letters(str(name)) for name in names)


def _hash(key: bytes, value: str) -> str:
    return hmac.new(key, value.encode(), sha256).hexdigest()[:HASH_DIGITS]


def _values(header: Dataset, keyword: str) -> list[Any]:
    value = header.get(keyword)
    if value is None:
        return []
    return list(value) if isinstance(value, MultiValue) else [value]


def _names(header: Dataset, keyword: str) -> list[str]:
    """The names in a field, in each of their scripts, and as other character sets than the declared one have them."""
    values = _values(header, keyword)
    written = list(map(str, values))
    # A byte of a Chinese or Japanese letter may be taken for the backslash between two names.
    raw = b"\\".join(value.original_string for value in values if isinstance(value, PersonName))
    if not raw.isascii():
        for encoding in CHARACTER_SETS:
            with suppress(UnicodeDecodeError):
                written.append(raw.decode(encoding))
    return [name for text in written for name in re.split(r"[=\\]", text)]


def _pattern(identifiers: Sequence[str]) -> re.Pattern[str] | None:
    """A pattern of the identifiers: of a long one also with other marks and zeros, a short one only after "ID"."""
    written = []
    for identifier in map(plain, identifiers):
        groups = re.findall(r"[^\W\d_]+|\d+", identifier)
        length, digits = len("".join(groups)), "".join(group for group in groups if group.isdigit())
        if not groups or identifier.lower() in PLACEHOLDERS | ORDINARY:
            continue
        exact = rf"{re.escape(identifier.strip())}(?!{LETTER})(?!\d)"
        if len(digits) >= SHORTEST_NUMBER:
            written.append(rf"(?<!\d){_group(digits)}(?!\d)")
        if length >= SHORTEST_NUMBER:
            word = _MARKS.join(map(_group, groups))
            # A label or a check letter may touch what has digits.
            written.append(rf"(?<!\d){word}(?!\d)" if digits else rf"(?<!{LETTER}){_LABEL}?{word}(?!{LETTER})")
            continue
        written.append(rf"{_LABEL}(?:[\W_]|number|num|no|nr)*{exact}")
        if length >= SHORTEST_IDENTIFIER:
            written.append(rf"(?<!{LETTER})(?<!\d){exact}")
    return re.compile("|".join(written), re.IGNORECASE) if written else None


def _group(group: str) -> str:
    """A pattern of letters, or of digits with marks among them; zeros before a long number may be left out."""
    if not group.isdigit():
        return group
    significant = group.lstrip("0")
    long = len(significant) >= SHORTEST_IDENTIFIER
    return ("0*" if long else "") + _MARKS.join(significant if long else group)
