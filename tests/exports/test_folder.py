"""The folder of an export: whole or not there, never over another one; the rows of its number files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radscribe.core.errors import RadscribeError
from radscribe.core.files import sha256_of
from radscribe.core.records import Study, View
from radscribe.data.dataset import PreparedDataset
from radscribe.exports.folder import Contents, export, film_paths, read_rows, write_films, write_rows


def one_file(text: str) -> Callable[[Path], Contents]:
    def write(folder: Path) -> Contents:
        (folder / "rows.txt").write_text(text)
        (folder / "images").mkdir(exist_ok=True)
        (folder / "images" / "0.png").write_text(text)
        return Contents({"train": {"studies": 1}}, {"rows.txt": 1}, {"other.txt": "nobody wrote it"})

    return write


def test_the_record_tells_what_is_there(phantoms: PreparedDataset, tmp_path: Path) -> None:
    record = export(phantoms, tmp_path / "out", "some", {"layout": "iu"}, one_file("a"))
    assert record == json.loads((tmp_path / "out" / "export.json").read_text())
    assert record["format"] == "radscribe-export/1" and record["kind"] == "some"
    assert record["dataset"] == {"fingerprint": phantoms.fingerprint, "weakly_paired": False}
    assert record["settings"] == {"layout": "iu"} and record["counts"] == {"train": {"studies": 1}}
    assert record["files"] == {"rows.txt": {"sha256": sha256_of(tmp_path / "out" / "rows.txt"), "rows": 1}}
    assert record["missing"] == {"other.txt": "nobody wrote it"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["export.json", "images", "rows.txt"]


def test_the_same_export_is_returned_and_another_refused(phantoms: PreparedDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = export(phantoms, out, "some", {"layout": "iu"}, one_file("a"))
    assert export(phantoms, out, "some", {"layout": "iu"}, one_file("b")) == made
    assert (out / "rows.txt").read_text() == "a"
    with pytest.raises(RadscribeError, match=r"another export is there \(it differs in settings\)"):
        export(phantoms, out, "some", {"layout": "mimic"}, one_file("b"))
    with pytest.raises(RadscribeError, match=r"it differs in kind"):
        export(phantoms, out, "other", {"layout": "iu"}, one_file("b"))


def test_a_folder_of_something_else_is_left_alone(phantoms: PreparedDataset, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(RadscribeError, match="not empty and not an export"):
        export(phantoms, tmp_path, "some", {}, one_file("a"))
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_an_export_that_was_stopped_is_not_there_and_goes_on(phantoms: PreparedDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def stopped(folder: Path) -> Contents:
        one_file("half")(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(phantoms, out, "some", {}, stopped)
    assert [path.name for path in out.iterdir()] == [".partial"]
    with pytest.raises(RadscribeError, match="it differs in kind"):
        export(phantoms, out, "other", {}, one_file("a"))
    (out / "images").mkdir()  # as if it had been stopped while it moved the files
    export(phantoms, out, "some", {}, one_file("whole"))
    assert (out / "images" / "0.png").read_text() == "whole" and not (out / ".partial").exists()


def test_a_full_disk_is_one_line(phantoms: PreparedDataset, tmp_path: Path) -> None:
    def full(folder: Path) -> Contents:
        raise OSError(28, "No space left on device", str(folder / "rows.txt"))

    with pytest.raises(RadscribeError, match=r"rows.txt: No space left on device.*continues"):
        export(phantoms, tmp_path / "out", "some", {}, full)


def test_films_are_the_datasets_pixels_frontal_first_and_are_not_written_again(
    phantoms: PreparedDataset, tmp_path: Path
) -> None:
    studies = phantoms.split("test")
    assert write_films(tmp_path, phantoms, studies, "png") == sum(len(study.views) for study in studies)
    study = next(study for study in studies if len(study.views) == 2)
    first, second = (tmp_path / "images" / study.study_id / f"{number}.png" for number in (0, 1))
    with Image.open(first) as film:
        assert film.mode == "L" and np.array_equal(np.asarray(film), phantoms.film(study))
    with Image.open(second) as film:
        assert np.array_equal(np.asarray(film), phantoms.films(study, 2)[1])
    first.write_bytes(b"kept")
    write_films(tmp_path, phantoms, studies, "png")
    assert first.read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("study_id", "folder"), [("CXR1_IM-0001", "CXR1_IM-0001"), ("../a/b", "..%2Fa%2Fb"), ("..", "%2E%2E")]
)
def test_a_folder_is_named_by_its_study_and_lies_below_images(study_id: str, folder: str) -> None:
    study = Study(study_id, "p", "train", (View(3, "lateral", "x"), View(4, "frontal", "y")))
    assert film_paths(study, "png") == [f"{folder}/0.png", f"{folder}/1.png"]


def test_a_loader_of_two_views_gets_the_only_one_twice() -> None:
    study = Study("a", "p", "train", (View(3, "frontal", "x"),))
    assert film_paths(study, "png", least=2) == ["a/0.png", "a/0.png"]


@pytest.mark.parametrize("lines", [True, False])
def test_rows_come_back_to_six_digits(tmp_path: Path, lines: bool) -> None:
    rows = torch.tensor([[0.1234567, -2.0], [3.0, 1e-9], [0.5, 0.25]], dtype=torch.float64)
    for count in (3, 1):
        write_rows(tmp_path / "rows.json", rows[:count], lines)
        assert np.allclose(read_rows(tmp_path / "rows.json", 2), rows[:count].numpy(), atol=5e-7)
    whole = tmp_path / "whole.json"
    write_rows(whole, rows, lines=False)
    assert len(json.loads(whole.read_text())) == 3
    write_rows(whole, rows, lines=True)
    assert [len(json.loads(line)) for line in whole.read_text().splitlines()] == [2, 2, 2]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[1, 2]\n[3]\n", "not a file of number rows"),
        ("[1, 2\n", "not a file of number rows"),
        ('["a"]\n', "not a file of number rows"),
        ("[1, 2, 3]\n", "its rows have shape"),
        ("3\n", "its rows have shape"),
    ],
)
def test_damaged_rows_are_one_line(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "rows.json").write_text(content)
    with pytest.raises(RadscribeError, match=reason):
        read_rows(tmp_path / "rows.json", 2)
    with pytest.raises(RadscribeError, match="cannot be opened"):
        read_rows(tmp_path / "none.json")
