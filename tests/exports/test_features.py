"""Which training studies a study is given, and how text vectors get another width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from makers import TINY_MCSAM
from radscribe.core.config import from_mapping
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import load_reporter
from radscribe.exports.features import film_features, fitting, nearest_training_studies, related_ids_of
from radscribe.exports.layout import Layout
from radscribe.exports.revtaf import write_revtaf
from radscribe.training.recipe import Recipe
from radscribe.training.train import Options, train


def test_no_study_is_given_its_own_patient_or_report() -> None:
    keys = torch.eye(4) + 0.01
    related_ids = torch.tensor([[0, 0], [0, 1], [1, 2], [2, 0]])
    near = nearest_training_studies({"train": keys}, keys, ({"train": related_ids}, related_ids), 3)
    # Study 0 shares its patient with 1 and its report with 3: one study is left to it, so each gets one.
    assert near.count == 1 and near.rows["train"].shape == (4, 1)
    assert near.rows["train"][0].tolist() == [2]
    assert all(
        not (related_ids[row] == related_ids[other]).any() for row, (other,) in enumerate(near.rows["train"].tolist())
    )


def test_the_nearest_come_first_and_a_study_of_another_split_may_be_given_any() -> None:
    keys = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    related_ids = torch.tensor([[0, 0], [1, 1], [2, 2]])
    queries = {"test": torch.tensor([[2.0, 0.1]]), "val": torch.zeros(0, 2)}
    near = nearest_training_studies(queries, keys, ({"test": torch.tensor([[3, 3]])}, related_ids), 21)
    assert near.rows["test"].tolist() == [[0, 2, 1]] and near.rows["val"].shape == (0, 3)


def test_one_patient_alone_has_no_neighbour() -> None:
    related_ids = torch.tensor([[0, 0], [0, 1]])
    with pytest.raises(RadscribeError, match="no training study of another patient"):
        nearest_training_studies({"train": torch.eye(2)}, torch.eye(2), ({"train": related_ids}, related_ids), 21)


def test_related_ids_are_shared_by_all_lists(phantoms: PreparedDataset) -> None:
    training, everyone = phantoms.split("train"), phantoms.studies
    own, all_of_them = related_ids_of([(phantoms, training), (phantoms, everyone)])
    assert own.shape == (len(training), 2) and all_of_them.shape == (len(everyone), 2)
    position = {study.study_id: row for row, study in enumerate(everyone)}
    assert torch.equal(own, all_of_them[[position[study.study_id] for study in training]])
    patients = [study.patient_id for study in training]
    assert len(set(own[:, 0].tolist())) == len(set(patients)) < len(patients)


def test_without_a_model_films_are_told_apart_by_their_pixels(phantoms: PreparedDataset) -> None:
    studies = phantoms.split("validate")
    features = film_features(phantoms, studies, None)
    assert features.shape == (len(studies), 32 * 32)
    torch.testing.assert_close(features.mean(1), torch.zeros(len(studies)), atol=1e-3, rtol=0)
    assert len(film_features(phantoms, [], None)) == 0


def test_an_mcsam_model_tells_films_apart_by_their_patches_and_has_no_triplets(
    phantoms: PreparedDataset, tmp_path: Path
) -> None:
    recipe = from_mapping(Recipe, {**TINY_MCSAM, "model": {**TINY_MCSAM["model"], "views": 2}})
    options = Options(tmp_path / "cache", max_steps=1, accelerator="cpu", say=lambda line: None)
    reporter = load_reporter(train(recipe, phantoms, tmp_path / "checkpoint", options))
    studies = phantoms.split("validate")
    features = film_features(phantoms, studies, reporter)
    assert features.shape == (len(studies), 16)
    both = [np.stack([reporter.view(film) for film in phantoms.films(studies[0], 2)])]
    torch.testing.assert_close(features[0], reporter.see(both).patches[0].mean(0), rtol=1e-4, atol=1e-5)
    with pytest.raises(WrongUse, match="no entity model"):
        write_revtaf(tmp_path, phantoms, phantoms, Layout.MIMIC, 5, reporter)


def test_narrow_vectors_keep_every_inner_product() -> None:
    vectors = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    wide = vectors @ fitting(vectors, 8)
    assert wide.shape == (5, 8) and torch.equal(wide[:, :3], vectors) and not wide[:, 3:].any()


def test_wide_vectors_lose_what_matters_least() -> None:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(40, 6, generator=generator) * torch.tensor([9.0, 5.0, 3.0, 0.1, 0.1, 0.1])
    matrix = fitting(vectors, 3)
    assert torch.allclose(matrix.T @ matrix, torch.eye(3), atol=1e-5)
    # The best approximation of rank 3, by the singular values that it leaves out.
    lost = (vectors - vectors @ matrix @ matrix.T).square().sum()
    assert float(lost) == pytest.approx(float(torch.linalg.svdvals(vectors)[3:].square().sum()), rel=1e-3)
