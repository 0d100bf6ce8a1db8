"""Annotations of the R2Gen lineage: each published layout, and what is no annotation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from makers import NORMAL, OPACITY, write_film
from radscribe.core.errors import WrongUse
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.sources.annotations import annotation_source


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(6):
        write_film(tmp_path / "images" / f"CXR{number}_IM-000{number}" / "0.png", number)
    write_film(tmp_path / "images" / "CXR0_IM-0000" / "1.png", 9)
    return tmp_path / "images"


def entry(number: int, **changes: Any) -> dict[str, Any]:
    name = f"CXR{number}_IM-000{number}"
    return {"id": name, "report": NORMAL, "image_path": [f"{name}/0.png"], **changes}


def prepared(tmp_path: Path, images: Path, content: Any) -> PreparedDataset:
    (tmp_path / "annotation.json").write_text(json.dumps(content))
    prepare(annotation_source(tmp_path / "annotation.json", images), tmp_path / "out", size=64, workers=1)
    return PreparedDataset.open(tmp_path / "out")


def test_the_lists_of_r2gen_are_the_splits_whatever_an_entry_says(tmp_path: Path, images: Path) -> None:
    first = entry(0, image_path=["CXR0_IM-0000/0.png", "CXR0_IM-0000/1.png"], report=f"{OPACITY}\n Stable. ")
    content = {"train": [first, entry(1, split="test")], "val": [entry(2)], "test": [entry(3)]}
    dataset = prepared(tmp_path, images, content)
    assert {study.study_id[:4]: study.split for study in dataset.studies} == {
        "CXR0": "train",
        "CXR1": "train",
        "CXR2": "validate",
        "CXR3": "test",
    }
    study = dataset.studies[0]
    assert study.findings == f"{OPACITY} Stable." and study.patient_id == study.study_id == "CXR0_IM-0000"
    assert [view.source for view in study.views] == ["CXR0_IM-0000/0.png", "CXR0_IM-0000/1.png"]
    assert dataset.column("annotation_labels")["CXR0_IM-0000"] is None


def test_in_mimic_cxr_the_subject_is_the_patient(tmp_path: Path, images: Path) -> None:
    content = {
        "train": [entry(0, subject_id=7, study_id=1), entry(1, subject_id=7, study_id=1)],
        "val": [],
        "test": [entry(2, subject_id=8, study_id=2)],
    }
    dataset = prepared(tmp_path, images, content)
    assert [study.patient_id for study in dataset.studies] == ["7", "7", "8"]
    assert dataset.manifest["counts"]["train"] == {"studies": 2, "patients": 1, "images": 2}


def test_labels_of_promptmrg_are_kept_beside_our_own(tmp_path: Path, images: Path) -> None:
    labels = [0, 1, 2, 3] * 4 + [0, 1]
    content = {"train": [entry(0, labels=labels, clip_indices=[0])], "val": [entry(1, labels=labels[:14])], "test": []}
    dataset = prepared(tmp_path, images, content)
    assert dataset.column("annotation_labels") == {"CXR0_IM-0000": labels, "CXR1_IM-0001": labels[:14]}
    assert len(dataset.studies[0].labels) == 18 and list(dataset.studies[0].labels) != labels


def test_the_bare_list_of_iu_x_ray_is_all_test_but_for_entries_that_name_a_split(tmp_path: Path, images: Path) -> None:
    # One image may be an entry of its own there: the id stands twice, the patient is one.
    again = entry(0, image_path="CXR0_IM-0000/1.png")
    dataset = prepared(tmp_path, images, [entry(0), again, entry(1, split="train")])
    assert [(study.study_id, study.patient_id, study.split) for study in dataset.studies] == [
        ("CXR0_IM-0000", "CXR0_IM-0000", "test"),
        ("CXR0_IM-0000-2", "CXR0_IM-0000", "test"),
        ("CXR1_IM-0001", "CXR1_IM-0001", "train"),
    ]


def test_a_path_given_twice_is_one_view_and_what_is_missing_is_set_aside(tmp_path: Path, images: Path) -> None:
    twice = entry(0, image_path=["CXR0_IM-0000/0.png"] * 2)
    content = {"train": [twice, entry(1, image_path=["gone.png"]), entry(2, report=" "), entry(3, image_path=[])]}
    dataset = prepared(tmp_path, images, content)
    assert [len(study.views) for study in dataset.studies] == [1]
    assert (tmp_path / "out" / "rejected.csv").read_text().splitlines()[1:] == [
        "gone.png,no image file found",
        "CXR1_IM-0001,no film of it could be read",
        "CXR2_IM-0002,its report is empty",
        "CXR3_IM-0003,no film of it could be read",
    ]


def test_the_published_split_of_iu_x_ray_is_read(shared_data: Path, tmp_path: Path) -> None:
    source = annotation_source(shared_data / "iu_xray" / "annotation_r2gen.json", shared_data / "iu_xray" / "images")
    splits = [task.resolve().split for task in source.studies(tmp_path)]
    assert [splits.count(split) for split in ("train", "validate", "test")] == [2069, 296, 590]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", r"it is not JSON \(.*; give an annotation"),
        ("3", "not an annotation"),
        ("{}", "not an annotation"),
        ('{"train": {}}', "not an annotation"),
        ('{"train": [], "test": []}', "not an annotation"),
        ('{"train": ["x"]}', "an entry is not a JSON object"),
        ('{"holdout": [{"id": "a", "report": "x"}]}', 'the split "holdout" is not known'),
        ('[{"id": "a", "report": "x", "split": "none"}]', 'the split "none" is not known'),
        ('{"train": [{"report": "x"}]}', "an entry has no id or no report"),
        ('{"train": [{"id": "a", "report": null}]}', "an entry has no id or no report"),
        ('{"train": [{"id": "a", "report": "x", "labels": [1, 0]}]}', "labels of a are not 14 or 18 states"),
        ('[{"id": "a", "report": "x", "image_path": 3}]', "image_path of a is neither a path nor a list"),
        (f'[{{"id": "a", "report": "x", "labels": {[4] * 14}}}]', "labels of a are not 14 or 18 states"),
    ],
)
def test_a_file_that_is_no_annotation_is_wrong_use(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "annotation.json").write_text(content)
    with pytest.raises(WrongUse, match=reason) as error:
        annotation_source(tmp_path / "annotation.json", tmp_path)
    assert "\n" not in str(error.value) and str(error.value).startswith(str(tmp_path))


def test_a_missing_file_or_folder_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="cannot be opened"):
        annotation_source(tmp_path / "none.json", tmp_path)
    with pytest.raises(WrongUse, match="no such folder"):
        annotation_source(tmp_path / "none.json", tmp_path / "none")
