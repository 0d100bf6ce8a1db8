"""Opening a prepared dataset: damage is one line, never a traceback of a library."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from makers import small_table
from radscribe.core.errors import RadscribeError
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.sources.phantom import phantom_source
from radscribe.data.sources.table import table_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table, films = small_table(tmp_path, 12)
    prepare(table_source(table, films), tmp_path / "out", size=32, workers=1)
    return tmp_path / "out"


def test_splits_partition_the_studies(folder: Path) -> None:
    dataset = PreparedDataset.open(folder)
    parts = [dataset.split(name) for name in ("train", "validate", "test")]
    assert sorted(study.study_id for part in parts for study in part) == sorted(
        study.study_id for study in dataset.studies
    )
    with pytest.raises(RadscribeError, match='"val" is not a split'):
        dataset.split("val")


def test_the_fingerprint_follows_the_content(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    table, films = small_table(tmp_path / "other", 11)
    prepare(table_source(table, films), tmp_path / "third", size=32, workers=1)
    opened = PreparedDataset.open(folder)
    assert opened.fingerprint == PreparedDataset.open(folder).fingerprint
    assert opened.fingerprint != PreparedDataset.open(tmp_path / "third").fingerprint


def with_hash(folder: Path, out: Path, name: str) -> PreparedDataset:
    """The dataset with the hash of one of its parts changed, as if that part held something else."""
    shutil.copytree(folder, out)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["hashes"][name] = "0" * 64
    (out / "manifest.json").write_text(json.dumps(manifest))
    return PreparedDataset.open(out)


def test_phantoms_rounded_otherwise_are_of_one_origin_and_films_are_not(folder: Path, tmp_path: Path) -> None:
    prepare(phantom_source(4, seed=0), tmp_path / "phantoms", size=32, workers=1)
    phantoms, films = PreparedDataset.open(tmp_path / "phantoms"), PreparedDataset.open(folder)
    rounded = with_hash(phantoms.folder, tmp_path / "rounded", "pixels")
    assert rounded.origin == phantoms.origin and rounded.fingerprint != phantoms.fingerprint
    for name in ("studies", "settings"):
        assert with_hash(phantoms.folder, tmp_path / name, name).origin != phantoms.origin
    assert films.origin == films.fingerprint != with_hash(folder, tmp_path / "other", "pixels").origin


def test_columns_are_given_by_study(folder: Path) -> None:
    dataset = PreparedDataset.open(folder)
    assert dataset.column("patient_id")["3"] == "patient-3"
    with pytest.raises(RadscribeError, match="no column masks"):
        dataset.column("masks")


def cut(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def other_format(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": "radscribe-dataset/9"}))


def fewer_counted(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["counts"]["train"]["images"] -= 1
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut("manifest.json"), "damaged"),
        (cut("pixels.npy"), "damaged"),
        (cut("studies.parquet"), "damaged"),
        (remove("manifest.json"), "no prepared dataset"),
        (remove("pixels.npy"), "missing or damaged"),
        (remove("studies.parquet"), "missing or damaged"),
        (other_format, "its format is radscribe-dataset/9"),
        (fewer_counted, "do not agree"),
    ],
)
def test_a_damaged_folder_is_one_line(folder: Path, damage: Callable[[Path], None], reason: str) -> None:
    damage(folder)
    with pytest.raises(RadscribeError, match=reason) as error:
        PreparedDataset.open(folder)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RadscribeError, match="no prepared dataset"):
        PreparedDataset.open(tmp_path / "none")
