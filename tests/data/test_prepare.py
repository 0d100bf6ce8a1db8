"""The preparation: what a prepared folder holds, that it resumes, and what it says when it cannot go on."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from makers import NORMAL, OPACITY, small_table, write_film
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.data import assembly, shards
from radscribe.data import prepare as preparation
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.raw import FilmFile, RawFilm, RawStudy
from radscribe.data.source import Source
from radscribe.data.sources.table import table_source
from radscribe.imaging.film import fit, read_film

FILES = ("studies.parquet", "pixels.npy", "manifest.json", "rejected.csv")


def study(path: Path, number: int, **changes: Any) -> RawStudy:
    film = RawFilm(FilmFile(path, path.name), path.name, "frontal")
    made = RawStudy(f"study-{number}", f"patient-{number}", (film,), split="train", findings=f"{NORMAL} {number}.")
    return replace(made, **changes)


def source(*studies: RawStudy) -> Source:
    return Source(name="test", studies=lambda scratch: studies)


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "films" / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        write_film(path, number)
    return paths


def rejections(folder: Path) -> dict[str, str]:
    with (folder / "rejected.csv").open(newline="") as file:
        return {row["source"]: row["reason"] for row in csv.DictReader(file)}


def test_a_prepared_folder_holds_what_was_put_in(tmp_path: Path, films: list[Path]) -> None:
    lateral = RawFilm(FilmFile(films[1], "lateral.png"), "lateral.png", "lateral")
    first = study(films[0], 0, indication="Cough.", impression="Normal.")
    first = replace(first, films=(lateral, *first.films))
    out = tmp_path / "out"
    manifest = prepare(source(first, study(films[2], 1, split="test")), out, size=64, workers=1)
    dataset = PreparedDataset.open(out)
    (read,) = dataset.split("train")
    assert (read.study_id, read.patient_id, read.indication) == ("study-0", "patient-0", "Cough.")
    assert [view.view for view in read.views] == ["lateral", "frontal"]
    assert read.frontal.source == "0.png"
    assert np.array_equal(dataset.film(read), fit(read_film(films[0]).pixels, 64))
    assert len(read.labels) == 18
    assert all(len(triplet) == 3 for triplet in read.triplets)
    assert manifest["counts"]["train"] == {"studies": 1, "patients": 1, "images": 2}
    assert manifest["counts"]["test"] == {"studies": 1, "patients": 1, "images": 1}
    assert set(manifest["leaks"]) == {"patients", "identical_images", "near_identical_images", "identical_reports"}
    assert dataset.pixels.shape == (3, 64, 64)
    assert not (out / ".partial").exists()


def test_the_same_input_gives_the_same_bytes_with_any_number_of_processes(tmp_path: Path) -> None:
    table, films = small_table(tmp_path, 20)
    prepare(table_source(table, films), tmp_path / "one", size=32, workers=1)
    prepare(table_source(table, films), tmp_path / "two", size=32, workers=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_broken_films_and_studies_are_set_aside_and_nothing_else_is_lost(tmp_path: Path, films: list[Path]) -> None:
    films[1].write_bytes(b"garbage")
    broken_view = RawFilm(FilmFile(films[1], "broken.png"), "broken.png", "lateral")
    half = study(films[0], 0)
    half = replace(half, films=(*half.films, broken_view))
    out = tmp_path / "out"
    prepare(source(half, study(films[1], 1), study(films[2], 2, findings=""), study(films[3], 3)), out, workers=1)
    assert [entry.study_id for entry in PreparedDataset.open(out).studies] == ["study-0", "study-3"]
    assert rejections(out) == {
        "broken.png": "it is no DICOM, PNG or JPEG file",
        "1.png": "it is no DICOM, PNG or JPEG file",
        "study-1": "no film of it could be read",
        "study-2": "no findings section",
    }


def test_an_identical_image_stays_in_test_and_leaves_train(tmp_path: Path, films: list[Path]) -> None:
    out = tmp_path / "out"
    manifest = prepare(source(study(films[0], 0), study(films[0], 1, split="test"), study(films[1], 2)), out, workers=1)
    assert [entry.study_id for entry in PreparedDataset.open(out).studies] == ["study-1", "study-2"]
    assert rejections(out) == {"study-0": "an identical image is in the test split"}
    assert manifest["dropped"] == {"identical_images": 1}
    assert manifest["leaks"]["identical_images"] == 0
    assert [view.image_index for entry in PreparedDataset.open(out).studies for view in entry.views] == [0, 1]


def test_near_twins_and_equal_reports_go_out_of_training_where_that_is_wished(
    tmp_path: Path, films: list[Path]
) -> None:
    near = tmp_path / "near.png"
    with Image.open(films[0]) as film:
        film.resize((160, 192)).save(near)
    studies = (
        study(films[0], 0, split="test"),
        study(near, 1),
        study(films[2], 2, findings=f"{NORMAL.upper()}  0."),  # as study 0 says, but for case and spacing
        study(films[3], 3, split="validate", findings=f"{NORMAL} 4."),
        study(films[4], 4),
        study(films[5], 5),
    )
    kept = prepare(source(*studies), tmp_path / "kept", workers=1)
    assert kept["dropped"] == {"identical_images": 0} and "drop" not in kept["settings"]
    assert kept["leaks"]["near_identical_images"] == 2 and kept["leaks"]["identical_reports"] == 2
    drop = ["identical-reports", "near-identical-images"]
    made = prepare(source(*studies), tmp_path / "made", workers=1, drop=drop)
    assert made["dropped"] == {"identical_images": 0, "near_identical_images": 1, "identical_reports": 2}
    assert made["leaks"]["near_identical_images"] == made["leaks"]["identical_reports"] == 0
    assert made["settings"]["drop"] == drop
    assert rejections(tmp_path / "made") == {
        "study-1": "a near-identical image is in the test split",
        "study-2": "an identical report is in the test split",
        "study-4": "an identical report is in the validate split",
    }
    dataset = PreparedDataset.open(tmp_path / "made")
    assert [entry.study_id for entry in dataset.studies] == ["study-0", "study-3", "study-5"]
    assert np.array_equal(dataset.film(dataset.studies[2]), fit(read_film(films[5]).pixels))
    with pytest.raises(RadscribeError, match=r"another setting \(drop\)"):
        prepare(source(*studies), tmp_path / "made", workers=1)
    with pytest.raises(WrongUse, match='"everything" is not known'):
        prepare(source(*studies), tmp_path / "other", workers=1, drop=["everything"])


def test_the_manifest_counts_what_is_stated(tmp_path: Path, films: list[Path]) -> None:
    opacity = study(films[1], 1, findings=OPACITY)
    manifest = prepare(source(study(films[0], 0, split="test"), opacity), tmp_path / "out", workers=1)
    labels = manifest["labels"]
    assert labels["train"]["lung opacity"] == {"positive": 1, "negative": 0, "uncertain": 0}
    assert labels["train"]["pleural effusion"] == {"positive": 0, "negative": 1, "uncertain": 0}
    assert labels["test"]["no finding"]["positive"] == 1 and labels["test"]["fracture"]["negative"] == 0
    assert not any(sum(states.values()) for states in labels["validate"].values())
    triplets = PreparedDataset.open(tmp_path / "out").split("train")[0].triplets
    present = sum(found for _, _, found in triplets)
    assert manifest["triplets"]["train"] == {"triplets": len(triplets), "present": present, "studies": 1}
    assert 0 < present < len(triplets)
    assert manifest["triplets"]["validate"] == {"triplets": 0, "present": 0, "studies": 0}


def test_a_patient_in_two_splits_is_an_error(tmp_path: Path, films: list[Path]) -> None:
    other = study(films[1], 1, split="test", patient_id="patient-0")
    with pytest.raises(RadscribeError, match="1 patients are in two splits"):
        prepare(source(study(films[0], 0), other), tmp_path / "out", workers=1)


def test_one_study_id_for_two_studies_is_an_error(tmp_path: Path, films: list[Path]) -> None:
    with pytest.raises(RadscribeError, match="same study_id"):
        prepare(source(study(films[0], 0), study(films[1], 0)), tmp_path / "out", workers=1)


def test_nothing_left_is_an_error_that_names_the_commonest_reason(tmp_path: Path, films: list[Path]) -> None:
    with pytest.raises(RadscribeError, match=r"no study is left.*no impression section"):
        prepare(source(study(films[0], 0)), tmp_path / "out", section="impression", workers=1)


def test_a_finished_folder_is_returned_and_another_setting_refused(tmp_path: Path, films: list[Path]) -> None:
    out = tmp_path / "out"
    made = prepare(source(study(films[0], 0)), out, size=64, workers=1)
    before = content(out)
    assert prepare(source(study(films[0], 0)), out, size=64, workers=1) == made
    with pytest.raises(RadscribeError, match=r"another setting \(size\)"):
        prepare(source(study(films[0], 0)), out, size=32, workers=1)
    assert content(out) == before


def test_a_damaged_manifest_is_one_line(tmp_path: Path, films: list[Path]) -> None:
    prepare(source(study(films[0], 0)), tmp_path / "out", workers=1)
    (tmp_path / "out" / "manifest.json").write_text("[")
    with pytest.raises(RadscribeError, match=r"manifest\.json: it is damaged"):
        prepare(source(study(films[0], 0)), tmp_path / "out", workers=1)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, films: list[Path]) -> None:
    with pytest.raises(RadscribeError, match="not empty"):
        prepare(source(study(films[0], 0)), films[0].parent, workers=1)


def test_a_full_disk_is_one_line_and_the_rest_resumes(
    tmp_path: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "out" / "pixels.npy"))

    with monkeypatch.context() as patch:
        patch.setattr(assembly, "_write_pixels", full)
        with pytest.raises(RadscribeError, match=r"No space left on device.*resumes"):
            prepare(source(study(films[0], 0)), tmp_path / "out", workers=1)
    with pytest.raises(RadscribeError, match="interrupted"):
        PreparedDataset.open(tmp_path / "out")
    prepare(source(study(films[0], 0)), tmp_path / "out", workers=1)
    assert len(PreparedDataset.open(tmp_path / "out").studies) == 1


def test_a_large_collection_is_assembled_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, films = small_table(tmp_path, 23)
    manifest = prepare(table_source(table, films), tmp_path / "whole", size=32, workers=1)
    monkeypatch.setattr(shards, "STUDIES_A_SHARD", 4)
    monkeypatch.setattr(assembly, "SHARDS_A_GROUP", 2)
    pieces = prepare(table_source(table, films), tmp_path / "pieces", size=32, workers=1)
    assert pq.ParquetFile(tmp_path / "pieces" / "studies.parquet").num_row_groups == 3
    assert pq.read_table(tmp_path / "pieces" / "studies.parquet") == pq.read_table(
        tmp_path / "whole" / "studies.parquet"
    )
    assert content(tmp_path / "pieces")["pixels.npy"] == content(tmp_path / "whole")["pixels.npy"]
    for name in ("counts", "labels", "triplets", "leaks", "dropped", "rejected"):
        assert pieces[name] == manifest[name]


def test_no_more_studies_are_under_way_than_the_processes_need(
    tmp_path: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    class Pool:
        def submit(self, run: Any, *given: Any) -> Any:
            sent.append(len(given[1]))
            future: Future[Any] = Future()
            future.set_result(run(*given))
            return future

    tasks = [study(films[number % 6], number) for number in range(30)]
    got = []
    for read in shards._in_order(Pool(), lambda task: task.study_id, iter(tasks), most=2):  # type: ignore[arg-type]
        got.append(read)
        assert sum(sent) - len(got) < 2 * shards.TASKS_A_MESSAGE
    assert got == [task.study_id for task in tasks] and sum(sent) == 30


def test_only_the_shards_that_are_missing_ask_for_their_studies(
    tmp_path: Path, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[slice] = []

    class Studies(list[RawStudy]):
        def __getitem__(self, position: Any) -> Any:
            asked.append(position)
            return super().__getitem__(position)

    studies = Studies(study(path, number) for number, path in enumerate(films))
    lazy = Source(name="test", studies=lambda scratch: studies)
    monkeypatch.setattr(shards, "STUDIES_A_SHARD", 2)
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "assemble", lambda *_: {})
        prepare(lazy, tmp_path / "out", workers=1)
    (tmp_path / "out" / ".partial" / "shard-000001.parquet").unlink()
    prepare(lazy, tmp_path / "out", workers=1)
    assert asked == [slice(0, 2), slice(2, 4), slice(4, 6), slice(2, 4)]
    assert len(PreparedDataset.open(tmp_path / "out").studies) == 6


KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
import radscribe.data.shards as shards
from radscribe.data.prepare import prepare
from radscribe.data.sources.table import table_source
shards.STUDIES_A_SHARD = 4
read = shards.read_study
def slowly(task, size, section):
    time.sleep(0.02)
    return read(task, size, section)
shards.read_study = slowly
if len(sys.argv) > 4:
    threading.Timer(float(sys.argv[4]), os.kill, (os.getpid(), signal.SIGKILL)).start()
began = time.monotonic()
prepare(table_source(Path(sys.argv[1]), Path(sys.argv[2])), Path(sys.argv[3]), size=32, workers=1)
print(time.monotonic() - began)
"""


def test_killed_at_any_moment_it_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    table, films = small_table(tmp_path, 40)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, str(table), str(films)]
    subprocess.run([*command, str(whole)], check=True)
    process = subprocess.Popen([*command, str(killed)])
    deadline = time.monotonic() + 60
    while not (killed / ".partial" / "shard-000002.parquet").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "manifest.json").exists()
    finished = {path.name: path.stat().st_mtime_ns for path in (killed / ".partial").glob("shard-*.parquet")}
    assert len(finished) >= 3
    subprocess.run([*command, str(killed)], check=True)
    assert content(killed) == content(whole)


@pytest.mark.slow
def test_killed_at_ten_random_moments_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    table, films = small_table(tmp_path, 40)
    command = [sys.executable, "-c", KILLED, str(table), str(films)]
    took = float(subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True).stdout)
    moments = random.Random(0)
    killed = 0
    for number in range(10):
        folder = tmp_path / str(number)
        done = subprocess.run([*command, str(folder), str(moments.uniform(0, took))])
        killed += done.returncode == -signal.SIGKILL
        subprocess.run([*command, str(folder)], check=True)
        assert content(folder) == content(tmp_path / "whole")
    assert killed >= 5  # the others were faster than the run that was timed


def test_no_time_and_no_folder_of_this_machine_is_in_the_output(tmp_path: Path, films: list[Path]) -> None:
    out = tmp_path / "out"
    prepare(source(study(films[0], 0)), out, workers=1)
    for name in FILES:
        assert str(tmp_path).encode() not in (out / name).read_bytes()
    assert json.loads((out / "manifest.json").read_text())["format"] == "radscribe-dataset/1"
