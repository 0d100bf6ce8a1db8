"""Image encoders: shapes, where they are cut, and published weights against an independent forward pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import ResNetConfig, ResNetModel

from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig, blocks_in_common
from radscribe.weights.published import WeightsError, load_mobilenet_v2

SMALL = ImageEncoderConfig(embedding_size=4, hidden_sizes=(4, 4, 8, 8), depths=(1, 1, 1, 1), layer_type="basic")
MOBILENET = ImageEncoderConfig(architecture="mobilenet_v2", frozen_normalization=True)
# (channels, stride, repeats) behind the stem, expansion 6 everywhere: Sandler et al. 2018, table 2.
BLOCKS = ((24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1))


@pytest.mark.parametrize(("stride", "size"), [(32, 224), (16, 112)])
def test_a_film_has_7_by_7_patches_and_14_by_14_in_the_middle_of_a_full_one(stride: int, size: int) -> None:
    config = ImageEncoderConfig(**{**vars(SMALL), "stride": stride})
    film = torch.rand(2, 1, size, size)
    assert ImageEncoder(config)(film).shape == (2, 49, 8)
    middle = ImageEncoder(config, stage="middle")
    assert middle(film).shape[1:] == ((196 if stride == 32 else 49), 8)
    assert not any(name.startswith("blocks.4") for name in middle.state_dict())


def test_a_narrow_network_is_the_one_that_transformers_builds() -> None:
    network = ImageEncoder(ImageEncoderConfig(**{**vars(SMALL), "stride": 32})).eval()
    plain = ResNetModel(
        ResNetConfig(embedding_size=4, hidden_sizes=[4, 4, 8, 8], depths=[1, 1, 1, 1], layer_type="basic")
    ).eval()
    own = network.state_dict()
    plain.embedder.load_state_dict({name[9:]: value for name, value in own.items() if name.startswith("blocks.0.")})
    for stage in range(4):
        start = f"blocks.{stage + 1}."
        entries = {name[len(start) :]: value for name, value in own.items() if name.startswith(start)}
        plain.encoder.stages[stage].load_state_dict(entries)
    film = torch.rand(2, 1, 90, 70)  # odd sizes on the way
    expected = plain((film - network.mean) / network.deviation).last_hidden_state
    torch.testing.assert_close(network(film), expected.flatten(2).transpose(1, 2))
    strided = [
        module for module in network.modules() if isinstance(module, torch.nn.Conv2d) and module.stride == (2, 2)
    ]
    assert not any(module.kernel_size == (1, 1) for module in strided) and strided


def test_a_later_step_starts_from_the_blocks_it_shares() -> None:
    middle, last = ImageEncoder(SMALL, stage="middle"), ImageEncoder(SMALL)
    shared = blocks_in_common(middle, last)
    assert shared.keys() == middle.state_dict().keys()
    assert not blocks_in_common(
        middle, ImageEncoder(ImageEncoderConfig(**{**vars(SMALL), "embedding_size": 5}))
    ).keys() & {"blocks.0.embedder.convolution.weight"}


def mobilenet_file(path: Path, last: int = 1280) -> Path:
    """Random weights with folded batch norm in the published layout: 52 convolutions and the classifier."""
    random = np.random.default_rng(0)
    shapes: list[tuple[int, ...]] = [(32, 3, 3, 3), (1, 3, 3, 32), (16, 1, 1, 32)]
    channels = 16
    for width, _, repeats in BLOCKS:
        for _ in range(repeats):
            inner = 6 * channels
            shapes += [(inner, 1, 1, channels), (1, 3, 3, inner), (width, 1, 1, inner)]
            channels = width
    shapes += [(last, 1, 1, channels), (1001, 1, 1, last)]
    arrays = {}
    for position, shape in enumerate(shapes):
        depthwise = shape[0] == 1 and shape[1] == 3
        fan = shape[1] * shape[2] * (1 if depthwise else shape[3])
        kind = "depthwise_conv_2d" if depthwise else "conv_2d"
        arrays[f"{position:02d}_{kind}_w"] = random.normal(0, 1 / np.sqrt(fan), shape).astype(np.float32)
        arrays[f"{position:02d}_{kind}_b"] = random.normal(0, 0.1, shape[3] if depthwise else shape[0]).astype(
            np.float32
        )
    np.savez(path, **arrays)
    return path


def independent_forward(path: Path, film: Tensor) -> Tensor:
    """MobileNetV2 written out over the file's arrays, TensorFlow's "same" padding, ReLU6."""
    archive = np.load(path)
    pairs = iter([(archive[name], archive[name[:-1] + "b"]) for name in sorted(archive.files) if name.endswith("_w")])

    def convolve(x: Tensor, stride: int, active: bool) -> Tensor:
        weight, bias = (torch.from_numpy(array) for array in next(pairs))
        depthwise = weight.shape[0] == 1 and weight.shape[1] == 3
        kernel = weight[0].permute(2, 0, 1)[:, None] if depthwise else weight.permute(0, 3, 1, 2)
        total = [max((-(-side // stride) - 1) * stride + kernel.shape[2] - side, 0) for side in x.shape[2:]]
        x = functional.pad(x, (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2))
        x = functional.conv2d(x, kernel, bias, stride, groups=x.shape[1] if depthwise else 1)
        return x.clamp(0, 6) if active else x

    x = (film - 0.5) / 0.5
    x = convolve(convolve(convolve(x.expand(-1, 3, -1, -1), 2, True), 1, True), 1, False)
    for width, stride, repeats in BLOCKS:
        for position in range(repeats):
            y = convolve(x, 1, True)
            y = convolve(convolve(y, stride if position == 0 else 1, True), 1, False)
            x = x + y if position else y
            assert x.shape[1] == width
    return convolve(x, 1, True).flatten(2).transpose(1, 2)


def test_folded_mobilenet_weights_give_the_published_network(tmp_path: Path) -> None:
    path = mobilenet_file(tmp_path / "weights.npz")
    encoder = ImageEncoder(MOBILENET)
    assert load_mobilenet_v2(encoder, path) == 52
    film = torch.rand(2, 1, 96, 96)
    expected = independent_forward(path, film)
    assert expected.std() > 0.05
    torch.testing.assert_close(encoder.train()(film), expected, rtol=1e-3, atol=1e-3)


def test_the_real_file_gives_the_published_network(shared_data: Path) -> None:
    path = shared_data / "weights" / "mobilenet_v2_imagenet.npz"
    encoder = ImageEncoder(MOBILENET).eval()
    load_mobilenet_v2(encoder, path)
    film = torch.rand(1, 1, 224, 224)
    torch.testing.assert_close(encoder(film), independent_forward(path, film), rtol=1e-3, atol=1e-3)


def test_a_weights_file_of_another_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights file"):
        load_mobilenet_v2(ImageEncoder(MOBILENET), tmp_path / "absent.npz")
    (tmp_path / "junk.npz").write_bytes(b"junk")
    with pytest.raises(WeightsError, match="not a readable"):
        load_mobilenet_v2(ImageEncoder(MOBILENET), tmp_path / "junk.npz")
    with pytest.raises(WeightsError, match=r"has shape \(1000"):
        load_mobilenet_v2(ImageEncoder(MOBILENET), mobilenet_file(tmp_path / "narrow.npz", last=1000))
    with pytest.raises(WeightsError, match="is a resnet"):
        load_mobilenet_v2(ImageEncoder(SMALL), tmp_path / "narrow.npz")
