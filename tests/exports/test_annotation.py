"""R2Gen's files, as its loaders read them, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.sources.annotations import annotation_source
from radscribe.exports.annotation import entry_of
from radscribe.exports.layout import Layout

Run = Callable[..., tuple[int, str, str]]
LISTS = {"train": "train", "val": "validate", "test": "test"}


@pytest.fixture(params=["iu", "mimic"])
def exported(request: pytest.FixtureRequest, phantoms: PreparedDataset, tmp_path: Path, run: Run) -> tuple[str, Path]:
    command = ["export", "r2gen", "--data", str(phantoms.folder), "--out", str(tmp_path / "out")]
    code, out, error = run(*command, "--layout", request.param)
    assert code == 0, error
    assert "train" in out and "export.json" in out
    return request.param, tmp_path / "out"


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    content: dict[str, list[dict[str, Any]]] = json.loads((folder / "annotation.json").read_text("utf-8"))
    return content


def test_every_entry_has_the_published_keys(exported: tuple[str, Path], phantoms: PreparedDataset) -> None:
    layout, folder = exported
    content = read(folder)
    assert list(content) == list(LISTS)
    known = ["study_id", "subject_id"] if layout == "mimic" else []
    for name, split in LISTS.items():
        studies = phantoms.split(split)
        assert [entry["id"] for entry in content[name]] == [study.study_id for study in studies]
        for entry, study in zip(content[name], studies, strict=True):
            assert list(entry) == ["id", *known, "report", "image_path", "split"]
            assert entry["report"] == study.findings and entry["split"] == name
            if layout == "mimic":
                assert (entry["study_id"], entry["subject_id"]) == (study.study_id, study.patient_id)


def test_the_loader_finds_its_images(exported: tuple[str, Path], phantoms: PreparedDataset) -> None:
    """Two images a study for IU X-Ray, whatever the study has; the first one is the frontal film."""
    layout, folder = exported
    studies = {study.study_id: study for study in phantoms.studies}
    seen = set()
    for entry in (entry for entries in read(folder).values() for entry in entries):
        study = studies[entry["id"]]
        least = 2 if layout == "iu" else 1
        assert len(entry["image_path"]) == max(least, len(study.views))
        for path, expected in zip(entry["image_path"], phantoms.films(study, least), strict=False):
            with Image.open(folder / "images" / path) as film:
                assert np.array_equal(np.asarray(film.convert("RGB"))[..., 1], expected)
        seen.add(len(study.views))
    assert seen == {1, 2}


def test_what_was_exported_is_prepared_again_as_it_was(
    exported: tuple[str, Path], phantoms: PreparedDataset, tmp_path: Path
) -> None:
    layout, folder = exported
    source = annotation_source(folder / "annotation.json", folder / "images")
    prepare(source, tmp_path / "back", size=64, workers=1)
    back = PreparedDataset.open(tmp_path / "back")
    assert len(back.studies) == len(phantoms.studies) > 0
    known = {study.study_id: study for study in phantoms.studies}
    for study in back.studies:
        own = known[study.study_id]
        assert (study.findings, study.split, len(study.views)) == (own.findings, own.split, len(own.views))
        assert study.patient_id == (own.patient_id if layout == "mimic" else own.study_id)
        assert study.triplets == own.triplets
        assert np.array_equal(np.stack(back.films(study, 2)), np.stack(phantoms.films(own, 2)))


def test_another_export_is_not_written_over(exported: tuple[str, Path], phantoms: PreparedDataset, run: Run) -> None:
    layout, folder = exported
    before = (folder / "annotation.json").read_bytes()
    command = ["export", "xpronet", "--data", str(phantoms.folder), "--out", str(folder), "--layout", layout]
    code, _, error = run(*command)
    assert code == 1 and "another export is there" in error and "\n" not in error.strip()
    assert (folder / "annotation.json").read_bytes() == before


def test_no_dataset_and_no_layout_are_told(tmp_path: Path, phantoms: PreparedDataset, run: Run) -> None:
    code, _, error = run("export", "r2gen", "--data", str(tmp_path), "--out", str(tmp_path / "out"))
    assert code == 1 and "no prepared dataset" in error
    arguments = ["--data", str(phantoms.folder), "--out", str(tmp_path / "out")]
    assert run("export", "r2gen", *arguments, "--layout", "chexpert")[0] == 2
    assert run("export", "r2gen", "--out", str(tmp_path / "out"))[0] == 2


@pytest.mark.parametrize("kind", ["r2gen", "promptmrg", "revtaf", "xpronet", "derived"])
def test_every_kind_shows_an_example(kind: str, run: Run) -> None:
    code, out, _ = run("export", kind, "--help")
    assert code == 0 and f"radscribe export {kind} " in out


def test_a_report_of_several_lines_is_one_line_as_published(phantoms: PreparedDataset) -> None:
    study = replace(phantoms.studies[0], findings="- Clear.\n- No effusion", impression="Normal.")
    assert entry_of(study, "findings", Layout.IU)["report"] == "- Clear. - No effusion"
    assert study.report("both") == "- Clear.\n- No effusion\nNormal."
    assert replace(study, findings="Clear.").report("both") == "Clear. Normal."
