"""Films behind frozen blocks: kept once, and drawn reports are those of the film itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_revtaf_generator import objective
from torch import Tensor
from torch.nn import functional

from makers import TINY
from radscribe.core.config import RecipeError, from_mapping
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.films import Films, Views
from radscribe.imaging.crop import FilmConfig
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.models.evidence import FilmEvidence, seeds_of
from radscribe.training.frozen import read_frozen, write_frozen
from radscribe.training.recipe import Recipe, read_recipe
from radscribe.training.steps import Options, Training


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> ImageEncoder:
    """Its frozen blocks are a mean over cells: those of an untrained network leave next to nothing."""
    found = ImageEncoder(ImageEncoderConfig(architecture="mobilenet_v2", frozen_blocks=2, projection=8)).eval()
    monkeypatch.setattr(found, "frozen", lambda films: functional.avg_pool2d(films, 16))
    return found


def test_features_are_kept_and_the_film_is_still_known(tmp_path: Path, encoder: ImageEncoder) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 96, 96)).astype(np.uint8)
    films = Films(pixels, range(5), FilmConfig(resize=96, crop=64))
    write_frozen(encoder, films, tmp_path, "train", training=True)
    frozen = read_frozen(tmp_path, "train", films)
    with torch.no_grad():
        wanted = encoder.frozen(films.plain([3, 1]))
    torch.testing.assert_close(frozen.plain([3, 1]), wanted, atol=1e-3, rtol=1e-3)
    assert frozen.augmented([0], 1).shape == wanted[:1].shape
    assert torch.equal(frozen.augmented([0, 2], 3)[1], frozen.augmented([2], 3)[0])
    assert torch.equal(frozen.grey([3, 1]), films.plain([3, 1]))
    both = Views([frozen, frozen]).grey([4])
    assert torch.equal(seeds_of(both), seeds_of(Views([films, films]).plain([4])))


def test_training_draws_among_augmented_copies(tmp_path: Path, encoder: ImageEncoder) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 96, 96)).astype(np.uint8)
    films = Films(pixels, range(3), FilmConfig(resize=96, crop=64, scale=0.1, gamma=0.3, edge=0.5), seed=4)
    write_frozen(encoder, films, tmp_path, "train", training=True, copies=3)
    frozen = read_frozen(tmp_path, "train", films, copies=3)
    with torch.no_grad():
        wanted = [encoder.frozen(films.augmented([1], copy)) for copy in range(3)]
    seen = set()
    for epoch in range(12):
        one = frozen.augmented([1], epoch)
        apart = [float((one - copy).abs().max()) for copy in wanted]
        assert sorted(apart)[0] < 0.1 * sorted(apart)[1]
        assert torch.equal(one[0], frozen.augmented([0, 1], epoch)[1])
        seen.add(apart.index(min(apart)))
    assert seen == {0, 1, 2} and not (tmp_path / "train-wide.npy").exists()
    with pytest.raises(RecipeError, match=r"frozen_copies .* is for cache_frozen_blocks alone"):
        from_mapping(Recipe, {**TINY, "frozen_copies": 2})


def test_what_was_trained_on_other_copies_is_not_taken_for_the_same(phantoms: PreparedDataset, tmp_path: Path) -> None:
    recipe = read_recipe(Path(__file__).parents[2] / "recipes" / "mcsam-real-mini.yaml")
    inputs = [
        Training(replace(recipe, frozen_copies=copies), phantoms, Options(tmp_path)).inputs(
            recipe.training, ImageEncoderConfig()
        )
        for copies in (0, 2, 3)
    ]
    assert inputs[0] != inputs[1] != inputs[2] and "frozen_copies" not in inputs[0]


class OfFeatures:
    """Films that are given to the network otherwise than they are."""

    def __init__(self, films: Films) -> None:
        self.films = films

    def plain(self, indices: Sequence[int]) -> Tensor:
        return self.films.plain(indices) / 2

    def augmented(self, indices: Sequence[int], epoch: int) -> Tensor:
        return self.films.augmented(indices, epoch) / 2

    def grey(self, indices: Sequence[int]) -> Tensor:
        return self.films.plain(indices)


def test_validation_draws_as_a_draft_of_the_film_does(
    checkpoint: Path, phantoms: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = objective(checkpoint, phantoms, 0)
    films = found.validation.films
    assert isinstance(films, Films)
    found.validation = found.validation_split = replace(found.validation, films=OfFeatures(films))
    found.rebuild_index()
    given = list[FilmEvidence]()

    def write(evidence: FilmEvidence, search: SearchConfig) -> list[list[int]]:
        given.append(evidence)
        return [[found.writer.tokenizer.end]] * len(evidence)

    monkeypatch.setattr(found.writer, "write", write)
    found.model.eval()
    found.written()
    seeds = torch.cat([evidence.seeds for evidence in given if evidence.seeds is not None])
    assert torch.equal(seeds, seeds_of(films.plain(range(len(seeds)))))
