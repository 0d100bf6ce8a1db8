"""Training on films' labels: what is known counts alone, sources are drawn alike, and later steps start from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from makers import TINY, TINY_MCSAM, write_film, write_table
from radscribe.core.config import RecipeError, from_mapping, to_mapping
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.tensors import read_tensors
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.sources.labelled import labelled_source
from radscribe.drafting.films import Films
from radscribe.imaging.crop import FilmConfig
from radscribe.labels.conditions import POSITIVE
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.training.film_labels import FilmLabelModel, FilmLabelObjective, LabelBatch, LabelledFilms
from radscribe.training.loop.fit import epoch_order
from radscribe.training.recipe import LabelTrainingConfig, Recipe
from radscribe.training.train import Options, train

SMALL = ImageEncoderConfig(embedding_size=4, hidden_sizes=(4, 4, 8, 8), depths=(1, 1, 1, 1), layer_type="basic")


@pytest.fixture
def labelled(tmp_path: Path) -> PreparedDataset:
    rows = []
    for number in range(12):
        name = ("Pneumonia", "No Finding", "Effusion")[number % 3]
        rows.append({"image": f"{number}.png", "labels": name, "patient_id": str(number)})
        write_film(tmp_path / "nih" / "images" / f"{number}.png", number)
        write_film(tmp_path / "children" / ("normal", "pneumonia")[number % 2] / f"person{number}_a.png", 50 + number)
    table = write_table(tmp_path / "nih" / "labels.csv", rows)
    source = labelled_source([table, tmp_path / "children"])
    prepare(source, tmp_path / "labelled", size=72, section="none", workers=1)
    return PreparedDataset.open(tmp_path / "labelled")


def test_unknown_labels_count_for_nothing() -> None:
    torch.manual_seed(0)
    model = FilmLabelModel(ImageEncoder(SMALL)).eval()
    films, positive = torch.rand(4, 1, 64, 64), torch.randint(0, 2, (4, 14)).float()
    known = torch.randint(0, 2, (4, 14)).float()
    logits = model.logits(films).detach()
    wanted = functional.binary_cross_entropy_with_logits(logits[known == 1], positive[known == 1])
    other = torch.where(known == 1, positive, 1 - positive)
    with torch.no_grad():
        torch.testing.assert_close(model(LabelBatch(films, positive, known))["loss"], wanted)
        torch.testing.assert_close(model(LabelBatch(films, other, known))["loss"], wanted)
        assert float(model(LabelBatch(films, positive, torch.zeros_like(known)))["loss"]) == 0


def test_each_source_gives_its_share_and_keeps_its_labels() -> None:
    sizes, config = (40, 400, 5), FilmConfig(resize=64, crop=64, rotation=0)
    parts = []
    for number, size in enumerate(sizes):  # a film's grey level and its first label tell its part and row
        pixels = np.full((size, 64, 64), number * 50, np.uint8) + (np.arange(size) % 40).astype(np.uint8)[:, None, None]
        positive = torch.zeros(size, 14)
        positive[:, 0] = torch.from_numpy(pixels[:, 0, 0].astype(np.float32))
        parts.append(LabelledFilms(Films(pixels, range(size), config), positive, torch.ones(size, 14)))
    strata = [np.zeros(40, np.int64), np.arange(400) % 2, np.zeros(5, np.int64)]
    objective = FilmLabelObjective(FilmLabelModel(ImageEncoder(SMALL)), parts, strata, parts[0])
    order = [index for batch in epoch_order(objective, 8, 0, 0) for index in batch]
    assert len(order) == 80
    first, second, third = (
        sum(low <= index < high for index in order) for low, high in ((0, 40), (40, 440), (440, 445))
    )
    assert (first, second, third) == (20, 40, 20)
    batch = objective.load([444, 3, 41, 7], 0)
    assert torch.equal((batch.films[:, 0, 0, 0] * 255).round(), batch.positive[:, 0])
    assert sorted(batch.positive[:, 0].tolist()) == [3, 7, 51, 104]


def label_training(recipe: Recipe) -> LabelTrainingConfig:
    return LabelTrainingConfig(**vars(recipe.entity_training))


def test_later_steps_start_from_it(
    phantoms: PreparedDataset, tiny_recipe: Recipe, labelled: PreparedDataset, tmp_path: Path
) -> None:
    recipe = replace(tiny_recipe, label_training=label_training(tiny_recipe))
    folders = {}
    for name, others in (("alone", ()), ("beside", (labelled,))):
        options = Options(tmp_path / "cache", say=lambda line: None, max_steps=3, labelled=others)
        folders[name] = train(recipe, phantoms, tmp_path / name, options)
    steps = {path.name.rpartition("-")[0] for path in (tmp_path / "cache").glob("*-????????????????")}
    assert "film-labels" in steps
    assert len(list((tmp_path / "cache").glob("film-labels-????????????????"))) == 2
    weights = [read_tensors(folder / "model.safetensors") for folder in folders.values()]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    card = (folders["beside"] / "MODEL_CARD.md").read_text()
    count = len(labelled.split("train"))
    assert f"labels of {count} further films" in card
    assert "| film-labels |" in card
    assert "further films" not in (folders["alone"] / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("method", ["revtaf", "mcsam"])
def test_states_begin_as_the_head_has_learned_them(phantoms: PreparedDataset, tmp_path: Path, method: str) -> None:
    plan = {"revtaf": TINY, "mcsam": TINY_MCSAM}[method]
    recipe = from_mapping(Recipe, plan)
    encoder = replace(recipe.model.image_encoder, start="previous")
    losses = replace(recipe.model.losses, states=1.0) if method == "mcsam" else recipe.model.losses
    recipe = replace(
        recipe,
        label_training=LabelTrainingConfig(epochs=1, batch_size=8, dropout=0.5),
        entity_model=replace(recipe.entity_model, image_encoder=encoder),
        model=replace(recipe.model, image_encoder=encoder, losses=losses),
        training=replace(recipe.training, epochs=0),
        half_precision=False,
    )
    options = Options(tmp_path / "cache", say=lambda line: None, max_steps=2)
    kept = read_tensors(train(recipe, phantoms, tmp_path / "out", options) / "model.safetensors")
    (step,) = (tmp_path / "cache").glob("film-labels-????????????????")
    head = read_tensors(step / "head.safetensors")
    name = next(key for key in kept if key.endswith(("classification.head.weight", "model.states.weight")))
    found = kept[name].view(18, 4, -1)[:14, POSITIVE, -head["weight"].shape[1] :]
    torch.testing.assert_close(found.float(), head["weight"])


def test_what_does_not_fit_is_said(
    phantoms: PreparedDataset, tiny_recipe: Recipe, labelled: PreparedDataset, tmp_path: Path
) -> None:
    options = Options(tmp_path / "cache", say=lambda line: None, labelled=(labelled,))
    with pytest.raises(WrongUse, match="the recipe has no label_training"):
        train(tiny_recipe, phantoms, tmp_path / "out", options)
    with pytest.raises(RadscribeError, match="films have labels and no reports"):
        train(tiny_recipe, labelled, tmp_path / "out", Options(tmp_path / "cache", say=lambda line: None))
    recipe = to_mapping(replace(tiny_recipe, label_training=label_training(tiny_recipe)))
    recipe["model"]["image_encoder"]["start"] = "weights"
    with pytest.raises(RecipeError, match="write them alike"):
        from_mapping(Recipe, recipe)


def test_all_that_follows_may_read_its_blocks_frozen(
    phantoms: PreparedDataset, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    """The generator's frozen blocks are those that labels trained; the entity model reads them cut in the middle."""
    plan = to_mapping(replace(tiny_recipe, label_training=label_training(tiny_recipe))) | {"cache_frozen_blocks": True}
    for part in ("entity_model", "model"):
        plan[part]["image_encoder"] |= {"frozen_blocks": 5}
    plan["label_training"]["frozen_blocks"] = 1
    plan["film"]["resize"] = 80  # both that and the crop must suit the encoder's stride
    recipe = from_mapping(Recipe, plan)
    options = Options(tmp_path / "cache", say=lambda line: None, max_steps=4)
    folder = train(recipe, phantoms, tmp_path / "out", options)
    (step,) = (tmp_path / "cache").glob("film-labels-????????????????")
    trained = read_tensors(step / "image_encoder.safetensors")
    kept = read_tensors(folder / "model.safetensors")
    torch.manual_seed(recipe.seed)
    begun = ImageEncoder(recipe.model.image_encoder).state_dict()
    weights = [name for name in trained if name.startswith("blocks.") and name.endswith("convolution.weight")]
    assert any(not torch.equal(begun[name], trained[name]) for name in weights)
    for name in weights:
        own = [key for key in kept if key.endswith(f"image_encoder.{name}")]
        assert own
        for key in own:
            torch.testing.assert_close(kept[key].float(), trained[name].half().float())
