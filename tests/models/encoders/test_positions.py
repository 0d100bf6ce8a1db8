"""Positions of patches: DETR's sine embedding, and a model that can tell left from right by them."""

from __future__ import annotations

import pytest
import torch
from transformers.models.detr.modeling_detr import DetrSinePositionEmbedding

from radscribe.models.encoders.entity import EntityModel, EntityModelConfig
from radscribe.models.encoders.image import ImageEncoderConfig
from radscribe.models.encoders.positions import grid_positions


@pytest.mark.parametrize(("side", "width"), [(7, 256), (14, 128), (4, 8), (1, 4)])
def test_positions_are_those_of_detr(side: int, width: int) -> None:
    oracle = DetrSinePositionEmbedding(width // 2, normalize=True)
    shape = torch.Size((1, width, side, side))
    expected = oracle(shape, torch.device("cpu"), torch.float32)
    expected = expected if expected.ndim == 3 else expected.flatten(2).mT
    torch.testing.assert_close(grid_positions(torch.zeros(1, side * side, width)), expected[0], atol=1e-5, rtol=0)


def test_every_patch_has_a_place_of_its_own() -> None:
    positions = grid_positions(torch.zeros(1, 49, 32))
    apart = torch.cdist(positions, positions) + torch.eye(49) * 9
    assert apart.min() > 0.1


@pytest.mark.parametrize("shape", [(1, 48, 32), (1, 49, 30)])
def test_what_has_no_square_grid_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="square"):
        grid_positions(torch.zeros(shape))


@pytest.mark.parametrize("told", [True, False])
def test_entity_queries_see_the_order_of_patches_only_when_told(told: bool) -> None:
    torch.manual_seed(0)
    encoder = ImageEncoderConfig(embedding_size=8, hidden_sizes=(8, 8, 8, 8), depths=(1, 1, 1, 1), layer_type="basic")
    config = EntityModelConfig(8, 1, 2, 16, 0.0, patch_positions=told, image_encoder=encoder)
    model = EntityModel(config, text_width=8).eval()
    model.descriptions.normal_()
    patches = torch.randn(1, 16, 8)
    model.image_encoder.forward = lambda films: films  # type: ignore[method-assign]
    with torch.no_grad():
        there, mirrored = (model(seen).presence for seen in (patches, patches.view(1, 4, 4, 8).flip(2).flatten(1, 2)))
    assert torch.allclose(there, mirrored, atol=1e-6) != told
