"""No verb writes over what it reads: wrong use in one line, before anything changes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from makers import write_film, write_table
from radscribe.data.dataset import PreparedDataset
from radscribe.imaging.drawing import is_drawing
from radscribe.imaging.film import read_film
from radscribe.imaging.refusal import RefusedFilm

Run = Callable[..., tuple[int, str, str]]
Refused = Callable[..., str]


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_film(tmp_path / "film.png", 1)
    (tmp_path / "a.json").write_text(json.dumps({"s1": "Clear.", "s2": "Effusion."}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(here: Path, run: Run) -> Iterator[Refused]:
    def call(*arguments: str) -> str:
        before = contents(here)
        code, _, error = run(*arguments)
        *passed_over, line = error.splitlines()
        assert code == 2 and "would replace the input" in line, error
        assert contents(here) == before and all("passed over" in each for each in passed_over)
        return line

    yield call


def test_generate_keeps_its_films(here: Path, refused: Refused, checkpoint: Path) -> None:
    model = ("--checkpoint", str(checkpoint))
    shutil.copy("film.png", "film-map-2.png")
    Path("link.png").symlink_to("film.png")
    os.link("film.png", "hard.jsonl")
    Path("pictures").mkdir()
    for output in ("film.png", "./film.png", str(here / "film.png"), "link.png", "hard.jsonl", "pictures/../film.png"):
        assert "film.png" in refused("generate", "film.png", "--out", output, *model)
    refused("generate", "film.png", "--picture", ".", *model)
    refused("generate", ".", "--picture", ".", *model)
    refused("generate", "film.png", "film-map-2.png", "--picture", "pictures/..", *model)
    refused("generate", ".", "--out", "film.png", *model)
    shutil.copytree(checkpoint, "model")
    refused("generate", "film.png", "--out", "model/config.json", "--checkpoint", "model")


def test_a_picture_replaces_nothing_that_is_no_drawing(here: Path, run: Run, checkpoint: Path) -> None:
    model = ("--checkpoint", str(checkpoint))
    Path("here").mkdir()
    shutil.copy("film.png", "here/other.png")
    shutil.copy("film.png", "other.png")
    before = Path("here/other.png").read_bytes()
    code, _, error = run("generate", "other.png", "--picture", "here", *model)
    assert code == 2 and "would replace it" in error and Path("here/other.png").read_bytes() == before
    code, _, error = run("generate", "film.png", "--picture", "new", "--out", "new/film.png", *model)
    assert code == 2 and "name another file for the drafts" in error


def test_the_map_of_one_film_is_not_the_picture_of_another(here: Path, run: Run, checkpoint: Path) -> None:
    shutil.copy("film.png", "film-map-1.png")
    code, shown, _ = run("generate", "film.png", "film-map-1.png", "--picture", "p", "--checkpoint", str(checkpoint))
    drafts = [json.loads(line) for line in shown.splitlines()]
    assert code == 0 and [draft["study_id"] for draft in drafts] == ["film", "film-map-1-2"]
    maps = [sentence["map"] for draft in drafts for sentence in draft["sentences"] if sentence["evidence"]]
    second = [sentence["map"] for sentence in drafts[1]["sentences"] if sentence["evidence"]]
    assert len(set(maps)) == len(maps) and Path("p/film-map-1.png") not in map(Path, second)


def test_drawings_are_no_films(here: Path, run: Run, checkpoint: Path) -> None:
    model = ("--checkpoint", str(checkpoint))
    Path("films").mkdir()
    shutil.move("film.png", "films/film.png")
    assert run("generate", "films", "--picture", "films/drawn", "--out", "a.jsonl", *model)[0] == 0
    drawn = sorted(Path("films/drawn").iterdir())
    assert drawn and all(map(is_drawing, drawn)) and not is_drawing(Path("films/film.png"))
    code, _, error = run("generate", "films", "--picture", "films/drawn", "--out", "b.jsonl", *model)
    assert code == 0 and f"films: {len(drawn)} pictures passed over: radscribe drew them" in error
    assert Path("a.jsonl").read_text() == Path("b.jsonl").read_text()
    with pytest.raises(RefusedFilm, match="radscribe drew"):
        read_film(drawn[0])


def test_a_file_whose_name_is_no_text_is_drafted(here: Path, run: Run, checkpoint: Path) -> None:
    name = os.fsdecode(b"films/\xe9.png")
    try:
        write_film(here / name, 2)
    except OSError:
        pytest.skip("this file system takes no such name")
    for output in ((), ("--out", "a.jsonl")):
        code, shown, _ = run("generate", "films", "--checkpoint", str(checkpoint), *output)
        line = json.loads(shown or Path("a.jsonl").read_text("utf-8"))
        assert code == 0 and line["source"] == name and line["report"]


def test_a_mark_is_read_from_the_head_of_a_png_alone(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.txt").write_bytes(b"tEXtradscribe\0drawing of a draft, no film")
    assert not any(map(is_drawing, (tmp_path / "a.png", tmp_path / "b.txt", tmp_path / "none.png", tmp_path)))


def test_score_and_compare_keep_their_reports(here: Path, run: Run, refused: Refused) -> None:
    shutil.copy("a.json", "b.json")
    sides = ("--hypotheses", "a.json", "--references", "b.json")
    for output in ("a.json", "b.json", "./a.json"):
        refused("score", *sides, "--out", output)
    shutil.copy("a.json", "folder.json")
    for beside in ("c.parquet", "c.md"):
        os.link("a.json", beside)
        assert beside in refused("score", *sides, "--out", "c.json")
        Path(beside).unlink()
    write_table(here / "c.md", [{"study_id": "s1", "patient_id": "p"}, {"study_id": "s2", "patient_id": "q"}])
    refused("score", *sides, "--out", "c.json", "--patients", "c.md")
    Path("words.parquet").write_text("clear effusion .")
    refused("score", *sides, "--out", "words.json", "--unknown-words", "words.parquet")
    for name in ("x", "y"):
        assert run("score", *sides, "--out", f"{name}.json", "--metrics", "bleu", "--resamples", "5")[0] == 0
    Path("out").mkdir()
    Path("out/comparison.csv").symlink_to(here / "x.json")
    refused("compare", "x.json", "y.json", "--out", "out")


def test_prepare_keeps_its_sources(here: Path, refused: Refused) -> None:
    Path("films").mkdir()
    shutil.move("film.png", "films/film.png")
    write_table(here / "t.csv", [{"image": "film.png", "report": "Clear.", "patient_id": "a"}])
    Path("o").mkdir()
    shutil.move("t.csv", "o/rejected.csv")
    refused("prepare", "table", "--table", "o/rejected.csv", "--images", "films", "--out", "o")
    refused("prepare", "table", "--table", "o/rejected.csv", "--images", "films", "--out", "films")
    refused("prepare", "annotation", "--annotation", "a.json", "--images", "films", "--out", "./films")
    refused("prepare", "dicom", "--images", "films", "--out", "films")
    refused("prepare", "iu-xray", "--kaggle", "films", "--out", "films")
    refused("prepare", "mimic-cxr", "--root", "films", "--out", "films")
    refused("prepare", "unpaired", "--images", "films", "--reports", "a.json", "--out", "films")


def test_verbs_on_a_dataset_keep_it(here: Path, refused: Refused, phantoms: PreparedDataset, checkpoint: Path) -> None:
    shutil.copytree(phantoms.folder, "data")
    shutil.copytree(checkpoint, "model")
    refused("inspect", "data", "--out", "data/manifest.json")
    for kind in ("r2gen", "promptmrg", "revtaf", "xpronet", "derived"):
        refused("export", kind, "--data", "data", "--out", "data")
    refused("index", "build", "--checkpoint", "model", "--data", "data", "--out", "model")
    Path("e").mkdir()
    Path("e/scorecard.json").symlink_to(here / "data" / "manifest.json")
    refused("evaluate", "--data", "data", "--checkpoint", "model", "--out", "e")
    Path("t").mkdir()
    Path("t/config.json").write_text("name: tiny\n")
    refused("train", "t/config.json", "--data", "data", "--out", "t")
    Path("weights/start").mkdir(parents=True)
    Path("weights/start/model.safetensors").write_bytes(b"")
    Path("r.yaml").write_text("name: tiny\ntext_encoder: {source: start}\n")
    refused("train", "r.yaml", "--data", "data", "--out", "weights/start")
    Path("rows").mkdir()
    Path("rows/full.yaml").write_text("name: tiny\n")
    Path("e/ablations.csv").symlink_to(here / "rows" / "full.yaml")
    refused("ablate", "revtaf", "--recipes", "rows", "--data", "data", "--out", "e")


def test_the_other_verbs_keep_their_files(here: Path, refused: Refused, checkpoint: Path) -> None:
    Path("studies.json").write_text(json.dumps({"a": {"image_path": ["film.png"]}}))
    model = ("--checkpoint", str(checkpoint))
    refused("rexrank", "studies.json", "./studies.json", "--images", ".", *model)
    refused("rexrank", "studies.json", "film.png", "--images", ".", *model)
    Path("bert").mkdir()
    Path("bert/model.safetensors").write_bytes(b"")
    refused("import", "resnet", "bert/model.safetensors", "--out", "bert")
    refused("import", "bert", "bert", "--out", "bert")
    os.link("a.json", "speed.json")
    refused("bench", "metrics", "--reports", "a.json", "--out", ".")
    shutil.copytree(checkpoint, "model")
    refused("index", "attach", "--checkpoint", "model", "--reports", "model/index/index.json")


def test_the_given_film_stays(shared_cases: Path, here: Path, refused: Refused, checkpoint: Path) -> None:
    for case, option in (("generate-overwrites-film", "--picture"), ("generate-out-is-film", "--out")):
        shutil.copy(shared_cases / case / "film.png", "film.png")
        refused(
            "generate",
            "film.png",
            option,
            "." if option == "--picture" else "film.png",
            "--checkpoint",
            str(checkpoint),
        )
