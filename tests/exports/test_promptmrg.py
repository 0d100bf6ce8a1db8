"""PromptMRG's files, as its loader and its trainer read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from radscribe.core.errors import RadscribeError
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.sources.annotations import annotation_source
from radscribe.drafting.reporter import load_reporter
from radscribe.exports.folder import read_rows
from radscribe.exports.promptmrg import read_rates
from radscribe.labels.conditions import CONDITIONS
from radscribe.models.knowledge.prompts import report_sentences

Run = Callable[..., tuple[int, str, str]]
LISTS = {"train": "train", "val": "validate", "test": "test"}


def exported(run: Run, phantoms: PreparedDataset, out: Path, *options: str) -> Any:
    code, told, error = run("export", "promptmrg", "--data", str(phantoms.folder), "--out", str(out), *options)
    assert code == 0, error
    assert ("clip_text_features.json is not written" in told) == ("--checkpoint" not in options)
    return json.loads((out / "annotation.json").read_text("utf-8"))


def test_every_entry_has_the_published_keys(run: Run, phantoms: PreparedDataset, tmp_path: Path) -> None:
    content = exported(run, phantoms, tmp_path / "out")
    keys = ["id", "study_id", "subject_id", "report", "image_path", "split", "labels", "clip_indices"]
    training = phantoms.split("train")
    for name, split in LISTS.items():
        for entry, study in zip(content[name], phantoms.split(split), strict=True):
            assert list(entry) == keys
            # The trainer multiplies 14 probabilities with the labels of validation, and 18 x 4 logits with training's.
            assert entry["labels"] == list(study.labels)[: 18 if name == "train" else 14]
            assert len(set(entry["clip_indices"])) == len(entry["clip_indices"]) == 21
            found = [training[row] for row in entry["clip_indices"]]
            assert study.patient_id not in {other.patient_id for other in found}
            assert (tmp_path / "out" / "images" / entry["image_path"][0]).is_file()


def test_labels_may_be_fourteen_everywhere(run: Run, phantoms: PreparedDataset, tmp_path: Path) -> None:
    content = exported(run, phantoms, tmp_path / "out", "--labels", "14", "--neighbours", "3")
    assert {len(entry["labels"]) for entries in content.values() for entry in entries} == {14}
    assert {len(entry["clip_indices"]) for entries in content.values() for entry in entries} == {3}
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert record["settings"]["labels"] == 14 and record["counts"]["neighbours"]["a study"] == 3
    assert record["settings"]["features"] == "pixels"


def test_class_rates_are_those_of_the_training_split(run: Run, phantoms: PreparedDataset, tmp_path: Path) -> None:
    exported(run, phantoms, tmp_path / "out")
    rates = json.loads((tmp_path / "out" / "base_probs.json").read_text())
    labels = np.array([study.labels for study in phantoms.split("train")])
    assert rates == pytest.approx((labels[:, :14] == 1).mean(0).tolist())
    assert read_rates(tmp_path / "out" / "base_probs.json") == dict(zip(CONDITIONS, rates, strict=False))
    assert max(rates) > 0


def test_text_features_are_the_training_reports_by_the_checkpoints_text_encoder(
    run: Run, phantoms: PreparedDataset, checkpoint: Path, tmp_path: Path
) -> None:
    content = exported(run, phantoms, tmp_path / "out", "--checkpoint", str(checkpoint))
    features = read_rows(tmp_path / "out" / "clip_text_features.json", 512)
    assert features.shape == (len(content["train"]), 512)
    assert np.allclose(np.linalg.norm(features, axis=1), 1, atol=1e-3)
    # The loader takes the rows that clip_indices name, in one array.
    memory = np.array(json.loads((tmp_path / "out" / "clip_text_features.json").read_text()))[
        content["val"][0]["clip_indices"]
    ]
    assert memory.shape == (21, 512)
    reporter = load_reporter(checkpoint)
    encoder = reporter.system.text_encoder
    first, second = (
        encoder.encode(report_sentences(content["train"][row]["report"])).half().float().mean(0) for row in (0, 5)
    )
    expected = float(torch.cosine_similarity(first, second, dim=0))
    assert float(features[0] @ features[5]) == pytest.approx(expected, abs=1e-3)
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert record["settings"]["features"] == reporter.fingerprint and record["missing"] == {}
    # By the checkpoint's films others are near than by pixels.
    pixels = exported(run, phantoms, tmp_path / "pixels")
    rows = [[entry["clip_indices"] for entry in found["test"]] for found in (content, pixels)]
    assert rows[0] != rows[1]


def test_the_checkpoints_neighbours_are_those_of_its_own_index(
    run: Run, phantoms: PreparedDataset, checkpoint: Path, tmp_path: Path
) -> None:
    content = exported(run, phantoms, tmp_path / "out", "--checkpoint", str(checkpoint), "--neighbours", "1")
    reporter = load_reporter(checkpoint)
    database = reporter.system.knowledge.database
    views = [reporter.view(phantoms.film(study)) for study in phantoms.split("test")]
    films = torch.from_numpy(np.stack(views)).unsqueeze(1).float() / 255
    assert reporter.system.entity_model is not None
    pooled = reporter.system.entity_model(films).pooled
    similarity = functional.normalize(pooled, dim=-1) @ database.features.T
    for entry, row in zip(content["test"], similarity, strict=True):
        assert float(row[entry["clip_indices"][0]]) == pytest.approx(float(row.max()), abs=1e-3)


def test_the_list_of_iu_x_ray_names_training_studies_of_another_dataset(
    run: Run, phantoms: PreparedDataset, tmp_path: Path
) -> None:
    content = exported(run, phantoms, tmp_path / "out", "--layout", "iu", "--database", str(phantoms.folder))
    assert isinstance(content, list) and len(content) == len(phantoms.studies)
    training = phantoms.split("train")
    patients = {study.study_id: study.patient_id for study in phantoms.studies}
    for entry in content:
        assert list(entry) == ["id", "report", "image_path", "split", "labels", "clip_indices"]
        assert len(entry["labels"]) == 14
        assert patients[entry["id"]] not in {training[row].patient_id for row in entry["clip_indices"]}
    prepare(
        annotation_source(tmp_path / "out" / "annotation.json", tmp_path / "out" / "images"),
        tmp_path / "back",
        size=64,
        workers=1,
    )
    back = PreparedDataset.open(tmp_path / "back")
    assert {study.study_id: study.split for study in back.studies} == {
        study.study_id: study.split for study in phantoms.studies
    }
    assert back.column("annotation_labels") == {study.study_id: list(study.labels[:14]) for study in phantoms.studies}


@pytest.mark.parametrize("content", ["{}", "[0.5]", "[2" + ", 0.1" * 13 + "]", '["a"]', "["])
def test_rates_that_are_none_are_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "base_probs.json").write_text(content)
    with pytest.raises(
        RadscribeError,
        match=r"base_probs\.json: (not a list|damaged, it is not JSON|\d+ class rates; there must be 14)",
    ):
        read_rates(tmp_path / "base_probs.json")
    with pytest.raises(RadscribeError, match="cannot be opened"):
        read_rates(tmp_path / "none.json")
