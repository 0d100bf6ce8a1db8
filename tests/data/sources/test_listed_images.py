"""The images of a listing are found as people write their paths, and nothing outside the folder is."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from makers import NORMAL, write_film, write_table
from radscribe.core.errors import WrongUse
from radscribe.data.sources.annotations import annotation_source
from radscribe.data.sources.iu_copies import film_key
from radscribe.data.sources.labelled_images import labelled_images
from radscribe.data.sources.listed_images import ImageFolder
from radscribe.data.sources.table import table_source

ABSOLUTE = "no image file found: its path is absolute; give it relative to the folder of images"
OUTSIDE = "no image file found: its path leads out of the folder of images"


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for name in ("sub/f0.png", "sub/deep/f 1.png", "Ünal/f2.png", "two/a.png", "two/A.png"):
        write_film(tmp_path / "films" / name, len(name))
    write_film(tmp_path / "elsewhere.png", 7)
    return tmp_path / "films"


@pytest.mark.parametrize(
    "listed",
    [
        "sub/f0.png",
        r"sub\f0.png",
        r".\sub\f0.png",
        "./sub//f0.png",
        " sub/f0.png ",
        "SUB/F0.PNG",
        r"Sub\f0.Png",
        "/sub/f0.png",
        "sub/../sub/f0.png",
        "sub/deep/../f0.png",
        "{films}/sub/f0.png",
        "file://{films}/sub/f0.png",
        "FILE://localhost{films}/sub/f0.png",
        "{films}/Sub/F0.png",
    ],
)
def test_a_path_is_found_however_it_is_written(films: Path, listed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ImageFolder(films).find(listed.format(films=films))
    assert (found.name, found.path) == ("sub/f0.png", films / "sub" / "f0.png")
    monkeypatch.chdir(films.parent)
    assert ImageFolder(Path("films")).find(listed.format(films=films)).path == Path("films/sub/f0.png")


def test_an_escaped_address_and_decomposed_letters_are_found(films: Path) -> None:
    assert ImageFolder(films).find(f"file://{films}/sub/deep/f%201.png").name == "sub/deep/f 1.png"
    assert ImageFolder(films).find(unicodedata.normalize("NFD", "Ünal/f2.png")).path == films / "Ünal" / "f2.png"


def test_a_folder_given_through_a_link_holds_its_absolute_paths(films: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(films)
    assert ImageFolder(tmp_path / "link").find(f"{films}/sub/f0.png").name == "sub/f0.png"
    (films / "linked").symlink_to(films / "sub")
    assert ImageFolder(films).find("linked/f0.png").name == "linked/f0.png"


def test_a_backslash_may_be_part_of_a_name(films: Path) -> None:
    write_film(films / r"sub\f0.png", 3)
    assert ImageFolder(films).find(r"sub\f0.png").path == films / r"sub\f0.png"


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ("sub/none.png", "no image file found"),
        ("", "no image file found"),
        ("sub", "no image file found"),
        ("sub/f0.png/x", "no image file found"),
        ("a\0b.png", "no image file found"),
        ("x" * 5000, "no image file found"),
        ("../elsewhere.png", OUTSIDE),
        ("sub/../../elsewhere.png", OUTSIDE),
        ("{films}/../elsewhere.png", OUTSIDE),
        ("{films}/../../elsewhere.png", OUTSIDE),
        (
            "{above}/elsewhere.png",
            ABSOLUTE,
        ),
        ("file://{above}/elsewhere.png", ABSOLUTE),
        (r"C:\films\sub\f0.png", ABSOLUTE),
        (
            "file:///C:/sub/f0.png",
            ABSOLUTE,
        ),
        ("TWO/a.PNG", "several image files differ from it in letter case alone"),
    ],
)
def test_what_is_not_found_has_its_reason(films: Path, listed: str, reason: str) -> None:
    found = ImageFolder(films).find(listed.format(films=films, above=films.parent))
    assert found.path is None and found.reason.startswith(reason)


def test_the_exact_spelling_comes_first(films: Path) -> None:
    assert ImageFolder(films).find("two/A.png").path == films / "two" / "A.png"
    assert ImageFolder(films).find("TWO/A.png").path == films / "two" / "A.png"


def test_each_listing_finds_them_under_one_name(films: Path, tmp_path: Path) -> None:
    row = {"image": r"sub\f0.png", "report": NORMAL, "patient_id": "a"}
    table = write_table(tmp_path / "table.csv", [row])
    (study,) = (task.resolve() for task in table_source(table, films).studies(tmp_path))
    assert study.study_id == "sub-f0" and study.films[0].load(32).source == "sub/f0.png"
    write_table(table, [row, {**row, "image": "SUB/f0.png"}])
    with pytest.raises(WrongUse, match=r"the image sub/f0\.png is listed twice"):
        table_source(table, films)
    (tmp_path / "a.json").write_text(
        '[{"id": "a", "report": "Clear.", "image_path": ["sub\\\\f0.png", "sub/f0.png", "C:/x.png"]}]'
    )
    (study,) = (task.resolve() for task in annotation_source(tmp_path / "a.json", films).studies(tmp_path))
    assert [film.source for film in study.films] == ["sub/f0.png", "C:/x.png"]
    labels = write_table(films / "labels.csv", [{"image": r"SUB\f0.png", "labels": "Mass", "patient_id": "1"}])
    assert labelled_images(labels)[0].path == films / "sub" / "f0.png"
    assert (
        film_key(r"images\1_IM-0001-4001.dcm.png") == film_key("images/1_IM-0001-4001.dcm.png") == "CXR1_IM-0001-4001"
    )
