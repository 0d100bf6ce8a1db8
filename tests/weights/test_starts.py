"""What image encoders start from, and that the cache knows it by content."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import ResNetConfig, ResNetModel

from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.weights.published import WeightsError
from radscribe.weights.starts import Starts

SIZES = {"embedding_size": 4, "hidden_sizes": (4, 4, 8, 8), "depths": (1, 1, 1, 1), "layer_type": "basic"}


def published(folder: Path, seed: int = 0) -> ResNetModel:
    torch.manual_seed(seed)
    network = ResNetModel(ResNetConfig(**{**SIZES, "hidden_sizes": [4, 4, 8, 8], "depths": [1, 1, 1, 1]})).eval()
    network.save_pretrained(folder)
    return network


def test_a_published_resnet_gives_the_same_features_through_our_encoder(tmp_path: Path) -> None:
    network = published(tmp_path)
    said: list[str] = []
    encoder = ImageEncoder(ImageEncoderConfig(**SIZES, weights=str(tmp_path)))  # type: ignore[arg-type]
    Starts(Path(), said.append).begin(encoder, None)
    films = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        normalized = (films.expand(-1, 3, -1, -1) - encoder.mean) / encoder.deviation
        expected = network(normalized).last_hidden_state.flatten(2).transpose(1, 2)
        torch.testing.assert_close(encoder.eval()(films), expected)
    assert said == []


def test_a_network_of_other_sizes_is_refused_by_its_name(tmp_path: Path) -> None:
    published(tmp_path)
    sizes = {**SIZES, "hidden_sizes": (4, 4, 8, 16)}
    encoder = ImageEncoder(ImageEncoderConfig(**sizes, weights=str(tmp_path)))  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=str(tmp_path)):
        Starts(Path(), print).begin(encoder, None)


def test_the_cache_tells_other_weights_and_no_weights_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ImageEncoderConfig(**SIZES, weights=str(tmp_path))  # type: ignore[arg-type]
    published(tmp_path, seed=0)
    first = Starts(Path(), print).content(config)
    assert Starts(Path(), print).content(config) == first
    published(tmp_path, seed=1)
    assert Starts(Path(), print).content(config) != first

    def unreachable(*arguments: object, **options: object) -> None:
        raise OSError("no hub here")

    monkeypatch.setattr(ResNetModel, "from_pretrained", unreachable)
    said: list[str] = []
    starts = Starts(Path(), said.append)
    assert starts.content(config) == starts.content(config) == "random"
    assert len(said) == 1 and "it starts from random weights" in said[0]
