"""docs/trust/dicom-conformance.md states what the code reads and writes of DICOM, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cases import CONFIG, DRAFT, MADE, write_film
from pydicom import Dataset, dcmread

from radscribe.clinic.folder import OBJECTS, StandardsFolder
from radscribe.clinic.objects import KINDS, SERIES_NUMBER
from radscribe.clinic.source import READ, UTF_8
from radscribe.imaging.crop import centre_crop
from radscribe.imaging.dicom import RADIOGRAPH_CLASSES, RADIOGRAPH_MODALITIES, TAGS_READ
from radscribe.imaging.film import fit, read_film
from radscribe.imaging.pixel_data import COMPRESSED, NATIVE

PAGE = (Path(__file__).parents[2] / "docs" / "trust" / "dicom-conformance.md").read_text(encoding="utf-8")


def section(*headings: str) -> str:
    """The text below a heading, and below a heading within that."""
    text = f"\n{PAGE}"
    for level, heading in enumerate(headings, start=2):
        _, found, text = text.partition(f"\n{'#' * level} {heading}\n")
        assert found, heading
        text = re.split(rf"\n#{{2,{level}}} ", text)[0]
    return text


def rows(text: str) -> list[list[str]]:
    """The rows of the table in a text, without its heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """Each object that is written of a draft, as it is read back."""
    folder = tmp_path_factory.mktemp("objects")
    path = write_film(folder / "film.dcm")
    film = read_film(path)
    view = centre_crop(fit(film.pixels, CONFIG.resize), CONFIG)
    assert StandardsFolder(folder, CONFIG, MADE).write(DRAFT, [path], [film], view) == ""
    return {name: dcmread(folder / DRAFT.study_id / name) for name in OBJECTS}


def test_the_kinds_of_object_that_are_read() -> None:
    assert rows(section("SOP classes", "Read")) == [[kind.name, str(kind)] for kind in RADIOGRAPH_CLASSES]
    assert f"one of {', '.join(RADIOGRAPH_MODALITIES)};" in " ".join(section("SOP classes", "Read").split())


def test_the_kinds_of_object_that_are_written(written: dict[str, Dataset]) -> None:
    found = [[name, each.SOPClassUID.name, str(each.SOPClassUID), each.Modality] for name, each in written.items()]
    assert rows(section("SOP classes", "Written")) == found


def test_the_transfer_syntaxes_that_are_read() -> None:
    assert rows(section("Transfer syntaxes", "Read")) == [[each.name, str(each)] for each in (*NATIVE, *COMPRESSED)]


def test_the_transfer_syntaxes_that_are_written(written: dict[str, Dataset]) -> None:
    found = {each.file_meta.TransferSyntaxUID for each in written.values()}
    assert rows(section("Transfer syntaxes", "Written")) == [[each.name, str(each)] for each in found]


def test_the_attributes_that_are_read() -> None:
    for heading, expected in (("Read for the picture", TAGS_READ), ("Read for the objects of the study", READ)):
        text = section("Attributes", heading).strip().split("\n\n")[0]
        assert " ".join(text.split()).split(", ") == list(expected), heading


def test_character_set_series_flags_and_the_lack_of_private_attributes(written: dict[str, Dataset]) -> None:
    assert f"{UTF_8} (UTF-8) alone" in section("Character sets")
    assert f"| {SERIES_NUMBER} to {SERIES_NUMBER + len(KINDS) - 1}, one for each object |" in PAGE
    for each in written.values():
        assert each.SpecificCharacterSet == UTF_8
        assert not [element for element in each.iterall() if element.tag.is_private]
    flags = [
        (each.CompletionFlag, each.PreliminaryFlag, each.VerificationFlag)
        for each in written.values()
        if each.Modality == "SR"
    ]
    assert {", ".join(each) for each in flags} == {"COMPLETE, PRELIMINARY, UNVERIFIED"}
    assert "| COMPLETE, PRELIMINARY, UNVERIFIED |" in section("Attributes", "Written")
    assert all(written[name].BurnedInAnnotation == "YES" for name in ("overlay.sc.dcm", "report.pdf.dcm"))
