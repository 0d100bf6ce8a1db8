"""Films of two patients or studies are told apart by their headers, and nothing of a patient comes out."""

from __future__ import annotations

from dataclasses import astuple
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from radiographs import dicom

from radscribe.imaging.one_patient import Owner, read_owner, stranger

KNOWN = {"PatientID": "ID-77123", "IssuerOfPatientID": "NORTH", "StudyInstanceUID": "1.2.826.1"}


def owner_of(path: Path, **fields: Any) -> Owner:
    path.write_bytes(dicom(**fields))
    return read_owner(path)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, None),
        ({"PatientID": "ID-77124"}, (1, "patient")),
        ({"IssuerOfPatientID": "SOUTH"}, (1, "patient")),
        ({"StudyInstanceUID": "1.2.826.2"}, (1, "study")),
        ({"PatientID": "ID-77124", "StudyInstanceUID": "1.2.826.2"}, (1, "patient")),
        # What one of the two does not say tells nothing.
        ({"PatientID": None}, None),
        ({"PatientID": ""}, None),
        ({"PatientID": None, "IssuerOfPatientID": "SOUTH"}, None),
        ({"IssuerOfPatientID": None}, None),
        ({"StudyInstanceUID": None}, None),
        # The same, written otherwise.
        ({"PatientID": " ID-77123 "}, None),
        ({"SpecificCharacterSet": "ISO_IR 192"}, None),
    ],
)
def test_films_are_told_apart_where_both_say_whose_they_are(
    tmp_path: Path, change: dict[str, Any], found: tuple[int, str] | None
) -> None:
    first, second = (owner_of(tmp_path / "film", **(KNOWN | each)) for each in ({}, change))
    assert stranger([first, second]) == found == stranger([second, first])


def test_letters_are_the_same_in_every_character_set(tmp_path: Path) -> None:
    ways = [
        owner_of(tmp_path / "film", PatientID="Ü-7", SpecificCharacterSet=each) for each in ("ISO_IR 100", "ISO_IR 192")
    ]
    assert ways[0].patient and ways[0] == ways[1]


def test_each_film_is_compared_with_all_before_it(tmp_path: Path) -> None:
    known, silent, other = (
        owner_of(tmp_path / "film", PatientID=each, StudyInstanceUID=None) for each in ("A", None, "B")
    )
    assert stranger([known, silent, other]) == (2, "patient")
    assert stranger([known, silent, known, silent]) is None and stranger([]) is None


def test_pictures_and_headers_that_cannot_be_read_are_nobody_s(tmp_path: Path) -> None:
    picture = BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(picture, "PNG")
    for content in (picture.getvalue(), b"", dicom(**KNOWN)[:150], bytes(128) + b"DICM" + b"\xff" * 400):
        (tmp_path / "film").write_bytes(content)
        assert read_owner(tmp_path / "film") == Owner()


def test_no_identifier_is_in_what_is_compared_and_no_hash_in_what_is_shown(tmp_path: Path) -> None:
    owner = owner_of(tmp_path / "film", **KNOWN)
    assert all(len(each) == 64 for each in astuple(owner))
    assert not any(value in str(astuple(owner)) for value in KNOWN.values()) and repr(owner) == "Owner()"
