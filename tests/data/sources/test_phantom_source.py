"""Phantoms through the preparation: true labels, severities, sides and masks arrive in the dataset."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from radscribe.core.errors import WrongUse
from radscribe.data.dataset import PreparedDataset
from radscribe.data.phantom import generate
from radscribe.data.prepare import prepare
from radscribe.data.sources.phantom import MASK_SIDE, pack_masks, phantom_source, unpack_masks


def test_masks_survive_packing_and_keep_the_smallest_lesion() -> None:
    mask = np.zeros((256, 256), np.bool_)
    mask[200, 17] = True
    (condition,) = (unpacked := unpack_masks(pack_masks({"lung lesion": mask})))
    assert condition == "lung lesion"
    assert np.argwhere(unpacked[condition]).tolist() == [[25, 2]]
    assert unpacked[condition].shape == (MASK_SIDE, MASK_SIDE)


def test_sites_are_told_and_films_do_not_show_them(tmp_path: Path) -> None:
    films, told = {}, {}
    for name, options in {"one": {}, "both": {"sites": 2}, "second": {"sites": 2, "site": 1}}.items():
        prepare(phantom_source(8, seed=5, **options), tmp_path / name, size=32, workers=1)
        dataset = PreparedDataset.open(tmp_path / name)
        films[name] = {study.study_id: dataset.film(study).tobytes() for study in dataset.studies}
        told[name] = dataset.column("image_source") if options else {}
    assert films["one"] == films["both"] == films["second"]
    assert set(told["both"].values()) == {"site 0", "site 1"} and set(told["second"].values()) == {"site 1"}
    patients = {study_id.rpartition("-")[0]: source for study_id, source in told["both"].items()}
    assert all(patients[study_id.rpartition("-")[0]] == source for study_id, source in told["both"].items())
    with pytest.raises(WrongUse, match="--site 2: there are 2 sites, 0 to 1"):
        phantom_source(8, seed=5, sites=2, site=2)


def test_the_dataset_holds_what_the_phantoms_are(tmp_path: Path) -> None:
    prepare(phantom_source(8, seed=5, lateral_share=0.5), tmp_path / "out", workers=1)
    dataset = PreparedDataset.open(tmp_path / "out")
    severities, sides, masks = (dataset.column(name) for name in ("severities", "sides", "masks"))
    phantoms = list(generate(8, seed=5, lateral_share=0.5))
    studies = {study.study_id: study for study in dataset.studies}
    assert set(studies) == {phantom.study_id for phantom in phantoms}
    for phantom in phantoms:
        study = studies[phantom.study_id]
        assert study.labels == phantom.labels
        assert study.findings == phantom.findings
        assert [view.view for view in study.views] == [view for view, _ in phantom.films]
        assert np.array_equal(dataset.film(study), phantom.films[0][1])
        assert json.loads(severities[study.study_id]) == phantom.severities
        assert json.loads(sides[study.study_id]) == phantom.sides
        assert set(unpack_masks(masks[study.study_id])) == set(phantom.masks)
