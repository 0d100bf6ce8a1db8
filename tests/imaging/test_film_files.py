"""Films below a folder, by name or by content."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictures import GRADIENT, encoded
from PIL import Image
from radiographs import dicom

from radscribe.imaging.film_files import DICOM_SUFFIXES, find_films


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.dcm", "IM0002", "e.ima", "1.2.840.7", "sub/f.IMG", "DICOMDIR"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(dicom())
    (tmp_path / "picture").write_bytes(encoded(Image.fromarray(GRADIENT)))
    for name in ("broken.dcm", "broken.png", "IM0002.txt", "notes", "empty"):
        (tmp_path / name).write_bytes(b"no film" * (name != "empty"))
    return tmp_path


def test_films_are_found_whatever_their_names(folder: Path) -> None:
    films, others = find_films(folder)
    names = ["1.2.840.7", "IM0002", "a.dcm", "broken.dcm", "broken.png", "e.ima", "picture", "sub/f.IMG"]
    assert [path.relative_to(folder).as_posix() for path in films] == names
    assert [path.name for path in others] == ["DICOMDIR", "IM0002.txt", "empty", "notes"]


def test_dicom_alone_is_found_where_that_is_asked_for(folder: Path) -> None:
    films, others = find_films(folder, DICOM_SUFFIXES, dicom_only=True)
    assert {path.name for path in others} >= {"picture", "broken.png"} and len(films) == 6
