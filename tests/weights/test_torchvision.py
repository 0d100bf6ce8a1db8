"""Pickled ResNets under torchvision's names, MedCLIP's among them, against a forward pass written out beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from published import GREY, IMAGENET, resnet_forward, torchvision_tensors
from published_files import Harmful
from torch import Tensor

from radscribe.core.config import from_mapping, to_mapping
from radscribe.core.errors import RadscribeError
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.weights.published import load_torchvision_resnet
from radscribe.weights.starts import Starts

# Bottleneck: every stage's first block has a downsample. Basic, 8 -> 8: the first stage's has none.
BOTTLENECK = ImageEncoderConfig(embedding_size=8, hidden_sizes=(8, 16, 24, 32), depths=(1, 2, 3, 2))
BASIC = ImageEncoderConfig(embedding_size=8, hidden_sizes=(8, 8, 16, 24), depths=(2, 1, 2, 1), layer_type="basic")
MEDCLIP = replace(BOTTLENECK, normalization="medclip")


def saved(path: Path, content: Any, prefix: str = "") -> Path:
    torch.save({f"{prefix}{name}": value for name, value in content.items()} if prefix else content, path)
    return path


def begun(path: Path, config: ImageEncoderConfig, said: list[str]) -> ImageEncoder:
    """An encoder as a recipe's step begins it, from the file named in the folder of weights."""
    torch.manual_seed(1)
    starts = Starts(path.parent, said.append)
    return starts.begin(ImageEncoder(replace(config, weights=path.name)), None).eval()


@pytest.mark.parametrize("config", [BOTTLENECK, BASIC], ids=["bottleneck", "basic"])
@pytest.mark.parametrize("name", ["resnet.pth", "resnet.pt", "pytorch_model.bin"])
def test_the_file_gives_the_published_network(tmp_path: Path, config: ImageEncoderConfig, name: str) -> None:
    tensors, films, said = torchvision_tensors(config), torch.rand(2, 1, 96, 80), list[str]()
    encoder = begun(saved(tmp_path / name, tensors), config, said)
    expected = resnet_forward(tensors, films, IMAGENET)
    assert expected.std() > 0.05
    torch.testing.assert_close(encoder(films), expected, rtol=1e-4, atol=1e-4)
    assert said == [f"image encoder: {tmp_path / name}: unused and left out: fc"]


@pytest.mark.parametrize("prefix", ["module.", "visual.", "encoder.backbone."])
def test_a_prefix_is_found(tmp_path: Path, prefix: str) -> None:
    tensors, films = torchvision_tensors(BASIC), torch.rand(1, 1, 64, 64)
    encoder = begun(saved(tmp_path / "resnet.pt", tensors, prefix), BASIC, [])
    torch.testing.assert_close(encoder(films), resnet_forward(tensors, films, IMAGENET), rtol=1e-4, atol=1e-4)


def medclip_file(path: Path, tensors: dict[str, Tensor]) -> Path:
    content = {f"vision_model.model.{name}": value for name, value in tensors.items()}
    content["text_model.model.embeddings.word_embeddings.weight"] = torch.rand(4, 3)
    content["text_model.projection_head.weight"] = torch.rand(5, 3)
    return saved(path, content | {"logit_scale": torch.tensor(2.66)})


def test_medclip_sees_films_by_its_own_grey_levels_with_and_without_its_file(tmp_path: Path) -> None:
    tensors, films, said = torchvision_tensors(MEDCLIP), torch.rand(2, 1, 96, 96), list[str]()
    path = medclip_file(tmp_path / "pytorch_model.bin", tensors)
    encoder = begun(path, MEDCLIP, said)
    expected = resnet_forward(tensors, films, GREY)
    torch.testing.assert_close(encoder(films), expected, rtol=1e-4, atol=1e-4)
    assert said == [f"image encoder: {path}: unused and left out: fc, logit_scale, text_model"]
    # A checkpoint holds the configuration as JSON and the weights; the published file is gone.
    rebuilt = ImageEncoder(from_mapping(ImageEncoderConfig, to_mapping(encoder.config))).eval()
    rebuilt.load_state_dict(encoder.state_dict())
    assert torch.equal(rebuilt(films), encoder(films))


def test_medclip_by_the_grey_levels_of_imagenet_is_refused(tmp_path: Path) -> None:
    path = medclip_file(tmp_path / "pytorch_model.bin", torchvision_tensors(BOTTLENECK))
    with pytest.raises(RadscribeError, match=r"pytorch_model\.bin: MedCLIP's ResNet; write normalization: medclip"):
        begun(path, BOTTLENECK, [])


def test_a_step_does_not_go_on_from_one_of_other_grey_levels() -> None:
    later = ImageEncoder(replace(BOTTLENECK, start="previous"))
    with pytest.raises(RadscribeError, match=r"normalization: imagenet, but .* medclip; write the same in both"):
        Starts(Path(), print).begin(later, ImageEncoder(MEDCLIP))
    Starts(Path(), print).begin(later, ImageEncoder(BOTTLENECK))


def test_what_lies_behind_the_cut_is_left_out(tmp_path: Path) -> None:
    said: list[str] = []
    path = saved(tmp_path / "resnet.pth", torchvision_tensors(BASIC))
    whole = begun(path, BASIC, []).state_dict()
    middle = ImageEncoder(BASIC, stage="middle")
    load_torchvision_resnet(middle, path, said.append)
    assert all(torch.equal(value, whole[name]) for name, value in middle.state_dict().items())
    assert said == [f"image encoder: {path}: unused and left out: fc, layer4"]


def test_files_without_the_counters_of_batches_are_read(tmp_path: Path) -> None:
    tensors, films = torchvision_tensors(BASIC), torch.rand(1, 1, 64, 64)
    old = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    encoder = begun(saved(tmp_path / "resnet.pth", old), BASIC, [])
    torch.testing.assert_close(encoder(films), resnet_forward(tensors, films, IMAGENET), rtol=1e-4, atol=1e-4)


def test_code_in_a_pickle_is_refused_not_run(tmp_path: Path) -> None:
    path = saved(tmp_path / "harm.bin", torchvision_tensors(BASIC) | {"fc.weight": Harmful(tmp_path / "ran")})
    with pytest.raises(RadscribeError, match=r"harm\.bin: it cannot be read as a file of tensors \(.*mkdir") as told:
        begun(path, BASIC, [])
    assert "\n" not in str(told.value) and not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        b"<!DOCTYPE html>\n<html>",
        b"hello",
        b")t.",  # an IndexError of the unpickler
        b"c.b\x80j2)a\x80ub",  # a UnicodeDecodeError
    ],
)
def test_a_file_of_something_else_is_told_in_one_line(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "page.bin").write_bytes(text)
    with pytest.raises(RadscribeError, match=r"page\.bin: it cannot be read as .*; give MedCLIP's") as told:
        begun(tmp_path / "page.bin", BASIC, [])
    assert "\n" not in str(told.value) and "weights_only" not in str(told.value)


@pytest.mark.parametrize(
    ("missing", "added", "reason"),
    [
        ("layer3.1.conv2.weight", {}, r"it lacks module\.layer3\.1\.conv2\.weight; fix layer_type"),
        ("layer2.0.downsample.1.running_var", {}, r"it lacks module\.layer2\.0\.downsample\.1\.running_var; fix"),
        ("bn1.running_mean", {}, r"it lacks module\.bn1\.running_mean; fix"),
        (
            None,
            {"conv1.weight": (8, 1, 7, 7)},
            r"its module\.conv1\.weight has shape \(8, 1, 7, 7\), .* \(8, 3, 7, 7\)",
        ),
        (None, {"layer4.0.bn3.running_mean": (31,)}, r"bn3\.running_mean has shape \(31,\), .* \(32,\); fix"),
        (None, {"layer3.3.conv1.weight": (6, 24, 1, 1)}, r"module\.layer3\.3\.conv1\.weight has no place .*; fix"),
        (None, {"copy.layer1.0.conv1.weight": (1,)}, "it holds 2 ResNets"),
        ("layer1.0.conv1.weight", {}, "it holds 0 ResNets of torchvision's names, not one; give MedCLIP's"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(
    tmp_path: Path, missing: str | None, added: dict[str, tuple[int, ...]], reason: str
) -> None:
    content = torchvision_tensors(BOTTLENECK) | {name: torch.ones(shape) for name, shape in added.items()}
    content.pop(missing or "", None)
    before = ImageEncoder(BOTTLENECK)
    own = {name: value.clone() for name, value in before.state_dict().items()}
    path = saved(tmp_path / "resnet.pth", content, "module.")
    with pytest.raises(RadscribeError, match=rf"resnet\.pth: .*{reason}") as told:
        load_torchvision_resnet(before, path, print)
    assert "\n" not in str(told.value)
    assert all(torch.equal(value, own[name]) for name, value in before.state_dict().items())  # nothing half loaded


def test_other_networks_and_other_contents_are_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "resnet.pth", torchvision_tensors(BASIC))
    with pytest.raises(RadscribeError, match="image encoder is a mobilenet_v2"):
        begun(path, ImageEncoderConfig(architecture="mobilenet_v2"), [])
    for content in ({"state_dict": torchvision_tensors(BASIC), "epoch": 3}, [torch.ones(1)], {0: torch.ones(1)}):
        with pytest.raises(RadscribeError, match=r"resnet\.pth: it has no plain state dict of tensors; give"):
            begun(saved(path, content), BASIC, [])
    with pytest.raises(RadscribeError, match=r"absent\.bin: no such weights file; name its folder with --weights"):
        begun(tmp_path / "absent.bin", BASIC, [])


def test_the_cache_knows_a_file_by_its_content(tmp_path: Path) -> None:
    config, starts = replace(BASIC, weights="resnet.pth"), Starts(tmp_path, print)
    tensors = torchvision_tensors(BASIC)
    saved(tmp_path / "resnet.pth", tensors)
    first = starts.content(config)
    assert first == starts.content(config) and first != "random"
    saved(tmp_path / "resnet.pth", tensors | {"conv1.weight": tensors["conv1.weight"] + 1})
    assert starts.content(config) != first
