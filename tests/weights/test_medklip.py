"""MedKLIP's checkpoint as entity model, against a forward pass written out here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from published import Tensors, linear, norm, resnet_forward, torch_attention, torchvision_tensors
from published_files import MEDKLIP, RESNET, TEXT, bert_file, bert_folder, medklip_file, saved
from torch import Tensor
from torch.nn import functional

from radscribe.core.config import from_mapping, to_mapping
from radscribe.core.errors import RadscribeError
from radscribe.labels.entities import ENTITIES, PLACES
from radscribe.models.encoders.entity import EntityModel, EntityModelConfig
from radscribe.models.encoders.image import ImageEncoderConfig
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.weights.carry import Extras
from radscribe.weights.folder import open_import
from radscribe.weights.from_import import start_entity_model
from radscribe.weights.kinds import import_weights

FILMS = torch.rand(2, 1, 96, 64, generator=torch.Generator().manual_seed(0))
BOOK, ANATOMY = (torch.randn(count, TEXT, generator=torch.Generator().manual_seed(count)) for count in (75, 51))


def built(config: dict[str, object], text_width: int = TEXT) -> EntityModel:
    torch.manual_seed(3)
    return EntityModel(from_mapping(EntityModelConfig, config), text_width).eval()


def forward(file: Tensors, resnet: Tensors, book: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """The published model of images: presence logits B x 75 x 2, and what its contrast compares, B x 75 x 51."""
    t = {name.removeprefix("module."): value for name, value in file.items()}
    patches = resnet_forward(resnet, FILMS, stages=3)
    patches = linear(t, "res_l2", functional.relu(linear(t, "res_l1", patches)))
    x = linear(t, "disease_embedding_layer", book).expand(len(FILMS), -1, -1)
    for number in range(4):
        name = f"decoder.layers.{number}"
        y = norm(t, f"{name}.norm1", x)
        x = x + torch_attention(t, f"{name}.self_attn", y, y, y, heads=4)
        y = norm(t, f"{name}.norm2", x)
        x = x + torch_attention(t, f"{name}.multihead_attn", y, patches, patches, heads=4)
        y = norm(t, f"{name}.norm3", x)
        x = x + linear(t, f"{name}.linear2", functional.relu(linear(t, f"{name}.linear1", y)))
    x = norm(t, "decoder.norm", x)
    return linear(t, "classifier", x), linear(t, "cl_fc", x) @ places.T


def test_the_entity_model_is_the_published_one(tmp_path: Path) -> None:
    file = medklip_file() | {"module.disease_book": BOOK, "module.ana_book": ANATOMY}
    about = import_weights("medklip", saved(tmp_path / "m.pth", {"model": file}), tmp_path / "out", Extras())
    model = built(about["config"]["entity_model"])
    assert start_entity_model(open_import(tmp_path / "out"), model)
    found = model(FILMS)
    presence, places = forward(file, torchvision_tensors(RESNET), BOOK, ANATOMY)
    assert presence.std() > 0.3
    torch.testing.assert_close(found.presence_logits, presence, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.position_logits * TEXT**0.5, places, rtol=1e-4, atol=1e-3)  # ours are scaled
    assert not about["notes"] and not about["started"]


def test_its_true_size_is_what_the_paper_has(tmp_path: Path) -> None:
    sizes = ImageEncoderConfig(depths=(3, 4, 6, 3))
    file = medklip_file(sizes, width=256, text=768)
    about = import_weights("medklip", saved(tmp_path / "m.pth", {"model": file}), tmp_path / "out", Extras())
    config = from_mapping(EntityModelConfig, about["config"]["entity_model"])
    assert config == EntityModelConfig(patch_hidden=1024)  # ours by default, but for one width
    model = EntityModel(config, 768).eval()
    assert not start_entity_model(open_import(tmp_path / "out"), model)
    model.descriptions.normal_()
    presence, _ = forward(file, torchvision_tensors(sizes), model.descriptions, torch.zeros(51, 768))
    torch.testing.assert_close(model(FILMS).presence_logits, presence, rtol=1e-3, atol=1e-3)


def book(path: Path) -> Path:
    """The published book's form, its misspelling included."""
    names = ["eumonia" if name == "pneumonia" else name for name in ENTITIES]
    sentences = {name: f"{'small ' * (number % 5)}opacity {name}" for number, name in enumerate(names)}
    path.write_text(json.dumps(sentences), encoding="utf-8")
    return path


def test_the_book_is_read_by_the_text_encoder_that_is_named(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    file = saved(tmp_path / "m.pth", {"model": medklip_file(text=128)})
    import_weights("clinicalbert", bert_folder(tmp_path / "bert", bert_file()), tmp_path / "clinical", Extras())
    options = ["--book", str(book(tmp_path / "book.json")), "--text-encoder", str(tmp_path / "clinical")]
    code, told, _ = run("import", "medklip", str(file), "--out", str(tmp_path / "out"), *options)
    assert (
        code == 0 and "entity_model.descriptions and 1 more: book.json and MedKLIP's places, read by clinical" in told
    )
    imported = open_import(tmp_path / "out")
    model = built(imported.config["entity_model"], 128)
    assert start_entity_model(imported, model)
    clinical = open_import(tmp_path / "clinical")
    encoder = TextEncoder(from_mapping(TextEncoderConfig, clinical.config["text_encoder"]), clinical.tokenizer())
    encoder.bert.load_state_dict(clinical.part("text_encoder.bert"))
    sentences = list(json.loads((tmp_path / "book.json").read_text()).values())
    torch.testing.assert_close(model.descriptions, encoder.encode(sentences), rtol=1e-5, atol=1e-5)
    places = encoder.encode([f"It is located at {place}" for place in PLACES])  # left_hilar as it stands
    torch.testing.assert_close(model.places, places, rtol=1e-5, atol=1e-5)
    assert model.descriptions.std(0).mean() > 0.1


def test_without_a_book_the_recipe_fills_the_vectors(tmp_path: Path) -> None:
    file = saved(tmp_path / "m.pth", {"model": medklip_file()})
    about = import_weights("medklip", file, tmp_path / "out", Extras())
    assert [name for name, _ in about["started"]] == ["entity_model.descriptions", "entity_model.places"]
    assert "--book" in about["notes"][0]
    model = built(about["config"]["entity_model"])
    assert not start_entity_model(open_import(tmp_path / "out"), model)


def test_what_is_wrong_with_a_book_is_told(tmp_path: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    file = str(saved(tmp_path / "m.pth", {"model": medklip_file()}))
    import_weights("bert", bert_folder(tmp_path / "bert", bert_file()), tmp_path / "clinical", Extras())
    import_weights("medklip", Path(file), tmp_path / "other", Extras())
    whole = book(tmp_path / "book.json")
    short = tmp_path / "short.json"
    short.write_text(json.dumps({"normal": "text"}))
    for expected, reason, options in (
        (2, "--book and --text-encoder go together", ["--book", whole]),
        (2, "--book and --text-encoder go together", ["--text-encoder", tmp_path / "clinical"]),
        (
            1,
            "short.json: it lacks a description of 'clear'",
            ["--book", short, "--text-encoder", tmp_path / "clinical"],
        ),
        (1, "gone.json: no such file", ["--book", tmp_path / "gone.json", "--text-encoder", tmp_path / "clinical"]),
        (1, "m.pth: damaged", ["--book", file, "--text-encoder", tmp_path / "clinical"]),
        (1, "bert: not an imported folder", ["--book", whole, "--text-encoder", tmp_path / "bert"]),
        (1, "other: not an imported text encoder", ["--book", whole, "--text-encoder", tmp_path / "other"]),
        (1, "vectors have width 128, MedKLIP's 32", ["--book", whole, "--text-encoder", tmp_path / "clinical"]),
    ):
        code, _, told = run("import", "medklip", file, "--out", str(tmp_path / "out"), *map(str, options))
        assert (code, told.count("\n")) == (expected, 1) and reason in told, told
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"heads": 2}, r"entity_model\.heads is 4 there and 2 in the recipe"),
        ({"patch_positions": True}, "write patch_positions: False"),
        ({"patch_hidden": None}, "write patch_hidden: 12"),
        ({"image_encoder": replace(RESNET, depths=(1, 1, 1, 1))}, r"entity_model\.image_encoder\.hidden_sizes"),
    ],
)
def test_a_recipe_of_other_sizes_is_told_what_to_write(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    about = import_weights("medklip", saved(tmp_path / "m.pth", {"model": medklip_file()}), tmp_path / "out", Extras())
    config = replace(from_mapping(EntityModelConfig, about["config"]["entity_model"]), **change)
    with pytest.raises(RadscribeError, match=reason):
        start_entity_model(open_import(tmp_path / "out"), EntityModel(config, TEXT))


def test_the_new_width_leaves_old_recipes_as_they_were() -> None:
    assert "patch_hidden" not in to_mapping(EntityModelConfig())
    model = EntityModel(EntityModelConfig(width=MEDKLIP, image_encoder=RESNET), TEXT)
    assert model.project_patches[0].weight.shape == (MEDKLIP, 12)
    with pytest.raises(ValueError, match="patch_hidden must be at least 1"):
        EntityModelConfig(patch_hidden=0)
