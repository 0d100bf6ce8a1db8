"""Image encoders out of every file that has one: the imported module sees what the published network sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from published import GREY, IMAGENET, prefixed, resnet_forward, torchvision_tensors
from published_files import (
    RESNET,
    bert_file,
    bert_folder,
    medclip_file,
    medklip_file,
    promptmrg_file,
    r2gen_file,
    r2gencmn_file,
    revtaf_file,
    saved,
)
from safetensors.torch import save_file

from radscribe.core.errors import RadscribeError
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.weights.carry import Extras
from radscribe.weights.kinds import import_weights
from radscribe.weights.starts import Starts

BASIC = ImageEncoderConfig(embedding_size=8, hidden_sizes=(8, 8, 16, 24), depths=(2, 1, 2, 1), layer_type="basic")
FILMS = torch.rand(2, 1, 96, 80, generator=torch.Generator().manual_seed(0))


def begun(out: Path, config: ImageEncoderConfig) -> ImageEncoder:
    """An encoder as a recipe's step begins it from an imported folder."""
    torch.manual_seed(1)
    encoder = ImageEncoder(replace(config, weights=out.name))
    return Starts(out.parent, lambda line: None).begin(encoder, None).eval()


@pytest.mark.parametrize("config", [RESNET, BASIC], ids=["bottleneck", "basic"])
@pytest.mark.parametrize("prefix", ["", "module.", "encoder.backbone."])
def test_a_resnet_is_the_published_one(tmp_path: Path, config: ImageEncoderConfig, prefix: str) -> None:
    tensors = torchvision_tensors(config)
    file = saved(tmp_path / "resnet.pth", prefixed(prefix, tensors))
    about = import_weights("resnet", file, tmp_path / "out", Extras())
    encoder = begun(tmp_path / "out", config)
    torch.testing.assert_close(encoder(FILMS), resnet_forward(tensors, FILMS), rtol=1e-4, atol=1e-4)
    assert about["config"]["image_encoder"]["depths"] == list(config.depths)
    assert [name for name, _ in about["left_out"]] == [f"{prefix}fc.weight", f"{prefix}fc.bias"]


@pytest.mark.parametrize(("depths", "entries"), [((3, 4, 6, 3), 320), ((3, 4, 23, 3), 626)], ids=["50", "101"])
def test_the_whole_list_of_names_of_resnet_50_and_101(tmp_path: Path, depths: Any, entries: int) -> None:
    config = replace(RESNET, hidden_sizes=(16, 24, 32, 40), depths=depths)
    tensors = torchvision_tensors(config)
    assert len(tensors) == entries  # as torchvision's models have
    about = import_weights("resnet", saved(tmp_path / "resnet.pth", tensors), tmp_path / "out", Extras())
    assert len(about["mapped"]) == entries - 2
    # In double precision: random weights let rounding grow from layer to layer.
    exact = {name: value.double() for name, value in tensors.items()}
    expected = resnet_forward(exact, FILMS.double(), tuple(value.double() for value in IMAGENET))
    torch.testing.assert_close(begun(tmp_path / "out", config).double()(FILMS.double()), expected, rtol=1e-4, atol=1e-4)


def test_safetensors_and_wrapped_files_are_read_alike(tmp_path: Path) -> None:
    tensors = torchvision_tensors(RESNET)
    save_file(tensors, tmp_path / "resnet.safetensors")
    saved(tmp_path / "plain.pth", tensors)
    saved(tmp_path / "wrapped.pth", {"state_dict": tensors, "epoch": 3, "optimizer": {"state": {}, "lr": 0.1}})
    weights = []
    for name in ("resnet.safetensors", "plain.pth", "wrapped.pth"):
        import_weights("resnet", tmp_path / name, tmp_path / name[:5], Extras())
        weights.append((tmp_path / name[:5] / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] == weights[2]


@pytest.mark.parametrize(
    ("kind", "content", "scale"),
    [
        ("r2gen", {"state_dict": r2gen_file()}, IMAGENET),
        ("r2gencmn", {"state_dict": r2gencmn_file()}, IMAGENET),
        ("promptmrg", promptmrg_file(), IMAGENET),
        ("revtaf", revtaf_file(), IMAGENET),
        ("medclip", medclip_file(), GREY),
    ],
)
def test_a_whole_checkpoint_gives_its_image_encoder(tmp_path: Path, kind: str, content: Any, scale: Any) -> None:
    import_weights(kind, saved(tmp_path / "model_best.pth", content), tmp_path / "out", Extras())
    config = replace(RESNET, normalization="medclip") if scale is GREY else RESNET
    encoder = begun(tmp_path / "out", config)
    expected = resnet_forward(torchvision_tensors(RESNET), FILMS, scale)
    torch.testing.assert_close(encoder(FILMS), expected, rtol=1e-4, atol=1e-4)


def test_a_cut_resnet_serves_an_encoder_that_is_cut_there(tmp_path: Path) -> None:
    import_weights("medklip", saved(tmp_path / "m.pth", {"model": medklip_file()}), tmp_path / "out", Extras())
    config = replace(RESNET, hidden_sizes=(8, 8, 12, 24), weights=str(tmp_path / "out"))  # twice the third stage's
    encoder = Starts(Path(), print).begin(ImageEncoder(config, "middle"), None).eval()
    expected = resnet_forward(torchvision_tensors(RESNET), FILMS, stages=3)
    torch.testing.assert_close(encoder(FILMS), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(RadscribeError, match="ends with the third stage; use it for the entity model's"):
        begun(tmp_path / "out", config)


def test_files_without_the_counters_of_batches_are_read(tmp_path: Path) -> None:
    tensors = torchvision_tensors(BASIC)
    old = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    about = import_weights("resnet", saved(tmp_path / "resnet.pth", old), tmp_path / "out", Extras())
    torch.testing.assert_close(
        begun(tmp_path / "out", BASIC)(FILMS), resnet_forward(tensors, FILMS), rtol=1e-4, atol=1e-4
    )
    assert all(name.endswith("num_batches_tracked") for name, _ in about["started"]) and about["started"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"depths": (1, 2, 2, 1)}, r"image_encoder\.depths is \[1, 2, 1, 1\] there and \[1, 2, 2, 1\] in the recipe"),
        ({"normalization": "medclip"}, "write normalization: imagenet"),
        ({"architecture": "mobilenet_v2"}, "write architecture: resnet"),
    ],
)
def test_a_recipe_of_other_sizes_is_told_what_to_write(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    import_weights("resnet", saved(tmp_path / "r.pth", torchvision_tensors(RESNET)), tmp_path / "out", Extras())
    with pytest.raises(RadscribeError, match=reason) as told:
        begun(tmp_path / "out", replace(RESNET, **change))
    assert "\n" not in str(told.value)


def test_a_folder_without_an_image_encoder_is_told(tmp_path: Path) -> None:
    import_weights("bert", bert_folder(tmp_path / "bert", bert_file()), tmp_path / "out", Extras())
    with pytest.raises(RadscribeError, match="out: an import of bert has no image encoder"):
        begun(tmp_path / "out", RESNET)


def test_the_cache_knows_an_imported_folder_by_its_weights(tmp_path: Path) -> None:
    config, starts = replace(RESNET, weights="out"), Starts(tmp_path, print)
    tensors = torchvision_tensors(RESNET)
    import_weights("resnet", saved(tmp_path / "one.pth", tensors), tmp_path / "out", Extras())
    first = starts.content(config)
    import_weights("resnet", saved(tmp_path / "other_name.pth", tensors), tmp_path / "out", Extras())
    assert starts.content(config) == first
    tensors["conv1.weight"] += 1
    import_weights("resnet", saved(tmp_path / "one.pth", tensors), tmp_path / "out", Extras())
    assert starts.content(config) != first


def test_the_record_tells_where_every_tensor_went(tmp_path: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    tensors = prefixed("module.", torchvision_tensors(RESNET))
    file = saved(tmp_path / "resnet.pth", tensors)
    code, out, _ = run("import", "resnet", str(file), "--out", str(tmp_path / "out"))
    about = json.loads((tmp_path / "out" / "import.json").read_text())
    assert code == 0 and f"{len(about['mapped'])} tensors mapped" in out
    assert "left out: module.fc.weight and 1 more: the head for another task" in out
    assert (about["format"], about["kind"], about["source"]) == ("radscribe-import/1", "resnet", "resnet.pth")
    assert len(about["sha256"]) == 64 and about["radscribe_version"]
    row = ["module.conv1.weight", "image_encoder.blocks.0.embedder.convolution.weight", [8, 3, 7, 7]]
    assert row in about["mapped"]
    assert {source for source, _, _ in about["mapped"]} | {name for name, _ in about["left_out"]} == set(tensors)
