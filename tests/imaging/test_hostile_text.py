"""Texts made to keep the search for a patient busy: it takes time in proportion to their length."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from radiographs import dicom

from radscribe.imaging.identity import Identity, read_identity
from radscribe.imaging.spelling import spellings

LENGTH = 100_000
NAMES = ("Small^Long", "Meier^Jan", "Van der Berg^Jan", "VANDERBERG^JAN", "空想^太郎", "Иванов^Иван")
UNITS = (
    *("m.", "mr ", "dr.", "j.", "J. ", "l.l ", "name: m.", "vander", "delala", "id no ", "0 ", "1-2-3-4-", "3 of "),
    *(" ", "\n", "mar", "1931 ", "III ", "空 ", "'", "- ", "\u0316\u0301", "a\u0301\u0316"),
)
BEFORE = ("", "small ", "meier ", "A", "3")


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> list[Identity]:
    path: Path = tmp_path_factory.mktemp("films") / "film"
    fields = {"PatientID": "AB1234567", "StudyInstanceUID": "1.2.840.113619.2", "PatientBirthDate": "19310303"}
    found = []
    for name in NAMES:
        path.write_bytes(dicom(**fields, PatientName=name, SpecificCharacterSet="ISO_IR 192"))
        found.append(read_identity(path, "film", b"the key of the tests"))
        found[-1].is_named_in(name.replace("^", " "))  # the patterns are compiled
    return found


@pytest.mark.parametrize("unit", UNITS)
def test_hostile_text_takes_time_in_proportion(identities: list[Identity], unit: str) -> None:
    for before in BEFORE:
        text = before + unit * (LENGTH // len(unit)) + "x"
        for identity in identities:
            start = time.process_time()
            identity.is_named_in(text)
            assert time.process_time() - start < 2, (identity, before)


def test_many_accents_on_one_letter_hide_nothing() -> None:
    assert spellings("Mu" + "\u0308\u0316" * 50 + "ster") == ("Muster", "Muester")
