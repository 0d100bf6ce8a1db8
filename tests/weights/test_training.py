"""Recipes that name imported folders, trained a step: the checkpoint holds what was imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from published import torchvision_tensors
from published_files import (
    BRANCH,
    RESNET,
    WIDTH,
    bert_file,
    bert_folder,
    medklip_file,
    promptmrg_file,
    saved,
)

from makers import TINY, TINY_MCSAM
from radscribe.core.config import from_mapping, merged, to_mapping
from radscribe.core.errors import RadscribeError
from radscribe.core.tensors import read_tensors
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.checkpoint import load_checkpoint
from radscribe.models.decoding.decoder import DecoderConfig
from radscribe.models.mcsam import Mcsam
from radscribe.models.revtaf import Revtaf, RevtafConfig
from radscribe.training.recipe import Recipe, read_recipe
from radscribe.training.train import Options, train
from radscribe.weights.carry import Extras
from radscribe.weights.folder import open_import
from radscribe.weights.kinds import KINDS, import_weights

DOCUMENTATION = Path(__file__).parents[2] / "docs"

# Nothing is learned: what the checkpoint holds is what training began with.
STILL = {"epochs": 1, "batch_size": 8, "learning_rate": 1e-12, "final_learning_rate": 1e-12, "warmup_steps": 0}
TEXT = {"layers": 2, "width": WIDTH, "heads": 2, "feed_forward": 24}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with an import of every family."""
    folder = tmp_path_factory.mktemp("weights")
    bert = bert_folder(folder / "published", bert_file())
    files: dict[str, tuple[Path, Extras]] = {
        "resnet": (saved(folder / "r.pth", torchvision_tensors(RESNET)), Extras()),
        "clinicalbert": (bert, Extras()),
        "bert-decoder": (bert, Extras()),
        "medklip": (saved(folder / "m.pth", {"model": medklip_file(text=WIDTH)}), Extras()),
        "promptmrg": (saved(folder / "p.pth", promptmrg_file()), Extras(vocabulary=folder / "published")),
    }
    for kind, (file, extras) in files.items():
        import_weights(kind, file, folder / kind, extras)
    return folder


def recipe(base: Mapping[str, Any], weights: Path, **change: Any) -> Recipe:
    medklip = {**open_import(weights / "medklip").config["entity_model"]}
    own = {
        "text_encoder": {"source": "clinicalbert", **TEXT},
        "entity_model": medklip,
        "entity_weights": "medklip",
        "entity_training": STILL,
        "training": STILL,
    }
    mapping = merged(base, own)
    mapping["entity_model"] = medklip
    return from_mapping(Recipe, merged(mapping, change))


def trained(plan: Recipe, data: PreparedDataset, folder: Path, weights: Path, said: list[str]) -> Path:
    options = Options(folder / "cache", max_steps=1, accelerator="cpu", weights=weights, say=said.append)
    return train(plan, data, folder / "out", options)


def test_a_revtaf_stands_on_imported_parts(phantoms: PreparedDataset, tmp_path: Path, weights: Path) -> None:
    said: list[str] = []
    encoder = open_import(weights / "resnet").config["image_encoder"]
    model = {
        "image_encoder": {**encoder, "weights": "resnet", "start": "weights"},
        "decoder": {"layers": 2, "width": WIDTH, "heads": 2, "feed_forward": 24, "rest": True, "dropout": 0.0},
        "patch_positions": False,
        "standardised_places": None,
        "fusion": {"heads": 2},
    }
    base = {**TINY, "half_precision": False}
    plan = recipe(base, weights, model=model, decoder_weights="bert-decoder")
    folder = trained(plan, phantoms, tmp_path, weights, said)
    assert not list(tmp_path.glob("cache/entity-model-*/training.jsonl"))  # nothing was trained there
    system, about = load_checkpoint(folder)
    assert isinstance(system.model, Revtaf) and system.entity_model is not None
    tensors = read_tensors(weights / "medklip" / "model.safetensors")
    own = system.entity_model.state_dict()
    for name, value in tensors.items():
        assert torch.equal(own[name.removeprefix("entity_model.")], value), name
    assert own["descriptions"].std(0).mean() > 0.01  # filled by the recipe's text encoder
    published = bert_file()
    rows = system.model.decoder.words.weight[: len(published["cls.predictions.bias"])]
    torch.testing.assert_close(rows, published["bert.embeddings.word_embeddings.weight"], rtol=1e-4, atol=1e-4)
    assert len(system.model.tokenizer) == len(rows) + 5
    image = system.model.image_encoder.blocks.state_dict()["0.embedder.convolution.weight"]
    torch.testing.assert_close(image, torchvision_tensors(RESNET)["conv1.weight"], rtol=1e-4, atol=1e-4)
    assert about["recipe"]["entity_weights"] == "medklip" and about["recipe"]["decoder_weights"] == "bert-decoder"
    said.clear()
    trained(plan, phantoms, tmp_path, weights, said)
    assert sum("cached" in line for line in said) == 6


def test_a_whole_promptmrg_starts_a_generator(phantoms: PreparedDataset, tmp_path: Path, weights: Path) -> None:
    config = open_import(weights / "promptmrg").config
    model = {
        "width": RESNET.hidden_sizes[3],
        "image_encoder": {**config["image_encoder"], "start": "weights", "stride": 32},
        "classification": {**config["classification"], "neighbours": 4},
        "decoder": {**config["decoder"], "rest": False, "dropout": 0.0},
        "retrieval": None,
        "fusion": None,
        "patch_positions": False,
        "standardised_places": None,
    }
    base = {**TINY, "half_precision": False}
    plan = recipe(base, weights, model=model, generator_weights="promptmrg")
    folder = trained(plan, phantoms, tmp_path, weights, [])
    own = read_tensors(folder / "model.safetensors")
    tensors = read_tensors(weights / "promptmrg" / "model.safetensors")
    for name in ("decoder.layers.1.cross_attention.key.weight", "classification.head.weight", "project.weight"):
        torch.testing.assert_close(own[f"model.{name}"], tensors[name], rtol=1e-4, atol=1e-4)
    assert own["model.classification.project_reports.weight"].shape == (BRANCH, WIDTH)


def test_an_mcsam_starts_from_an_imported_entity_model_and_decoder(
    phantoms: PreparedDataset, tmp_path: Path, weights: Path
) -> None:
    encoder = open_import(weights / "medklip").config["entity_model"]["image_encoder"]
    model = {
        "image_encoder": {**encoder, "start": "previous", "stride": 32},
        "image_stage": "middle",
        "patch_positions": False,
        "standardised_places": None,
        "width": WIDTH,
        "decoder": {"layers": 2, "width": WIDTH, "heads": 2, "feed_forward": 24},
    }
    base = {**TINY_MCSAM, "half_precision": False}
    plan = recipe(base, weights, model=model, decoder_weights="bert-decoder")
    system, _ = load_checkpoint(trained(plan, phantoms, tmp_path / "one", weights, []))
    assert isinstance(system.model, Mcsam)
    image = system.model.image_encoder.blocks.state_dict()["0.embedder.convolution.weight"]
    torch.testing.assert_close(image, torchvision_tensors(RESNET)["conv1.weight"], rtol=1e-4, atol=1e-4)
    inner = system.model.decoder.layers[1].expand.weight
    published = bert_file()["bert.encoder.layer.1.intermediate.dense.weight"]
    torch.testing.assert_close(inner, published, rtol=1e-4, atol=1e-4)


def test_absent_options_are_in_no_key_of_a_cached_step(tiny_recipe: Recipe) -> None:
    mapping = to_mapping(tiny_recipe)
    assert not {"entity_weights", "decoder_weights", "generator_weights"} & mapping.keys()
    assert "reader" not in mapping["model"]["classification"] and "patch_hidden" not in mapping["entity_model"]
    named = replace(tiny_recipe, entity_weights="folder")
    assert to_mapping(named) == mapping | {"entity_weights": "folder"}
    assert from_mapping(Recipe, to_mapping(named)) == named


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"decoder_weights": "a", "generator_weights": "b"}, "both start the decoder"),
        ({"generator_weights": "a", "cache_frozen_blocks": True}, "leave out cache_frozen_blocks"),
    ],
)
def test_options_that_contradict_are_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RadscribeError, match=reason):
        from_mapping(Recipe, {**TINY, **change})
    with pytest.raises(RadscribeError, match="reads an entity model with entity_start alone"):
        from_mapping(Recipe, {**TINY_MCSAM, "entity_start": False, "entity_weights": "a"})


def test_a_folder_that_is_none_is_told_by_the_option(phantoms: PreparedDataset, tmp_path: Path, weights: Path) -> None:
    plan = recipe(TINY, weights, entity_weights="nowhere")
    with pytest.raises(RadscribeError, match="entity_weights: no imported folder nowhere here or in"):
        trained(plan, phantoms, tmp_path, weights, [])
    with pytest.raises(RadscribeError, match="resnet: an import of resnet has no entity model"):
        trained(replace(plan, entity_weights="resnet"), phantoms, tmp_path, weights, [])
    plan = recipe(TINY, weights, generator_weights="medklip")
    with pytest.raises(RadscribeError, match=r"an import of medklip has no .* for this generator"):
        trained(plan, phantoms, tmp_path, weights, [])


def test_the_recipe_of_the_documentation_is_promptmrgs_own_size(tmp_path: Path) -> None:
    text = (DOCUMENTATION / "weights.md").read_text(encoding="utf-8")
    snippet = text[text.index("```yaml\n") + 8 :].partition("```")[0]
    path = tmp_path / "recipe.yaml"
    path.write_text(snippet.replace("base: ", f"base: {DOCUMENTATION.parent / 'recipes'}/"), encoding="utf-8")
    model = read_recipe(path).model
    assert isinstance(model, RevtafConfig) and model.fusion is None and model.classification.reader == "promptmrg"
    assert model.width == model.image_encoder.width == 2048 and model.decoder == DecoderConfig()


def test_the_documentation_tells_every_kind() -> None:
    text = (DOCUMENTATION / "weights.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in text] == []
