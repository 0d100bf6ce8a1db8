"""The files of the published REVTAF, as its loaders and its constructor read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radscribe.core.errors import RadscribeError
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter, load_reporter
from radscribe.exports.folder import read_rows
from radscribe.exports.layout import Layout
from radscribe.exports.promptmrg import read_rates
from radscribe.exports.revtaf import label_distances, read_distances, read_embedding, write_revtaf
from radscribe.models.knowledge.prompts import report_sentences
from radscribe.models.knowledge.revtaf_knowledge import RevtafKnowledge

Run = Callable[..., tuple[int, str, str]]
LISTS = {"train": "train", "val": "validate", "test": "test"}


@pytest.fixture(scope="module")
def folder(phantoms: PreparedDataset, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("revtaf")
    write_revtaf(out, phantoms, phantoms, Layout.MIMIC, 5, load_reporter(checkpoint))
    return out


@pytest.fixture(scope="module")
def reporter(checkpoint: Path) -> Reporter:
    return load_reporter(checkpoint)


def test_each_film_has_its_scores_its_neighbours_and_its_triplets(
    folder: Path, phantoms: PreparedDataset, reporter: Reporter
) -> None:
    knowledge = reporter.system.knowledge
    assert isinstance(knowledge, RevtafKnowledge)
    content = json.loads((folder / "mimic_annotation_promptmrg.json").read_text())
    for name, split in LISTS.items():
        studies = phantoms.split(split)
        scores = read_rows(folder / f"image_region_score_{name}.json", 75)
        indices = read_rows(folder / f"labels_indices_{name}.json", 5)
        assert len(scores) == len(indices) == len(content[name]) == len(studies)
        assert scores.min() >= 0 and scores.max() <= 1
        assert indices.min() >= 0 and indices.max() < len(content["train"])
        for entry, study, score in zip(content[name], studies, scores, strict=True):
            path = entry["image_path"][0]
            assert path.endswith(".jpg") and len(entry["labels"]) == (18 if name == "train" else 14)
            with Image.open(folder / "images" / path) as film:
                assert film.format == "JPEG"
                difference = np.asarray(film).astype(int) - phantoms.film(study)
                assert np.abs(difference).mean() < 3
            regions = read_embedding(folder / "region_txt_embeddings" / path.replace(".jpg", ".npy"), 768)
            assert regions.shape == (75, 768)
            # Each row is one of the table's strings for its entity, present where the score says so.
            table = knowledge.table[:, :, :, :].half().float()
            width = table.shape[-1]
            assert not regions[:, width:].any()
            for entity in (0, 40, 74):
                state = int(score[entity] >= 0.5)
                own = torch.from_numpy(regions[entity, :width].astype(np.float32))
                assert float((table[entity, :, state] - own).abs().sum(1).min()) < 1e-3


def test_each_training_report_has_its_sentences_and_its_vector(folder: Path, reporter: Reporter) -> None:
    content = json.loads((folder / "mimic_annotation_promptmrg.json").read_text())["train"]
    vectors = read_rows(folder / "medclip_text_features.json", 512)
    assert len(vectors) == len(content)
    found = [
        read_embedding(folder / "medclip_txt_embeddings" / entry["image_path"][0].replace(".jpg", ".npy"), 512)
        for entry in content
    ]
    # A batch is stacked: all have as many rows as the longest report has sentences, zeros behind the end.
    assert {len(rows) for rows in found} == {max(len(report_sentences(entry["report"])) for entry in content)}
    sentences = report_sentences(content[0]["report"])
    own = reporter.system.text_encoder.encode(sentences)
    assert np.allclose(found[0][: len(sentences), : own.shape[1]], own.numpy(), atol=2e-2)
    assert not found[0][len(sentences) :].any() and found[0][0].any()
    assert len(read_rates(folder / "base_probs.json")) == 14


def test_the_reference_in_training_is_the_nearest_by_labels_of_another_patient(
    folder: Path, phantoms: PreparedDataset
) -> None:
    training = phantoms.split("train")
    states = np.array([study.labels for study in training])
    patients = np.array([study.patient_id for study in training])
    found = read_distances(folder / "hash_distance.json")
    assert len(found) == len(training)
    for row, near in enumerate(found):
        first, distance = next(iter(near.items()))
        # Of the four bits of a condition two differ where its states do.
        distances = 2 * (states != states[row]).sum(1)
        assert distance == distances[first] == distances[patients != patients[row]].min()
        assert list(near.values()) == sorted(near.values()) and patients[first] != patients[row]


def test_distances_skip_related_studies() -> None:
    studies = [Study(str(row), str(row), "train", (), labels=(state,) * 18) for row, state in enumerate((0, 0, 1))]
    related_ids = torch.tensor([[0, 0], [1, 0], [2, 1]])
    assert label_distances(studies, related_ids, 2) == [{"2": 36}, {"2": 36}, {"0": 36, "1": 36}]


def test_the_command_writes_the_list_of_iu_x_ray_without_the_training_reports(
    run: Run, phantoms: PreparedDataset, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["export", "revtaf", "--data", str(phantoms.folder), "--out", str(out), "--layout", "iu"]
    code, _, error = run(*command, "--checkpoint", str(checkpoint), "--neighbours", "4")
    assert code == 0, error
    assert sorted(path.name for path in out.iterdir()) == [
        "export.json",
        "image_region_score_test.json",
        "images",
        "iu_annotation_promptmrg.json",
        "labels_indices_test.json",
        "region_txt_embeddings",
    ]
    content = json.loads((out / "iu_annotation_promptmrg.json").read_text())
    assert len(content) == len(phantoms.studies) == len(read_rows(out / "labels_indices_test.json", 4))
    path = content[0]["image_path"][0]
    assert path.endswith(".png")
    assert read_embedding(out / "region_txt_embeddings" / path.replace(".png", ".npy")).shape == (75, 768)
    record = json.loads((out / "export.json").read_text())
    assert record["files"]["labels_indices_test.json"]["rows"] == len(content)


def test_damaged_embeddings_and_distances_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"no array")
    with pytest.raises(RadscribeError, match="not an array of numbers"):
        read_embedding(path)
    np.save(path, np.array([{"code": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(RadscribeError, match="not an array of numbers"):
        read_embedding(path)
    np.save(path, np.zeros((3, 4)))
    with pytest.raises(RadscribeError, match="its array has shape"):
        read_embedding(path, 5)
    (tmp_path / "d.json").write_text('[["0", 1]]')
    with pytest.raises(RadscribeError, match="not a list of distances"):
        read_distances(tmp_path / "d.json")
