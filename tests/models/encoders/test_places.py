"""Patches are standardised place by place, by the films of training."""

from __future__ import annotations

import pytest
import torch

from radscribe.models.encoders.places import PlaceStandardisation


def films(count: int) -> torch.Tensor:
    """Patches of 4 places, the last of which is far larger and lies elsewhere."""
    scale = torch.tensor([1.0, 2.0, 1.0, 25.0]).view(1, 4, 1)
    return torch.randn(count, 4, 6) * scale + torch.tensor([0.0, 1.0, 0.0, 40.0]).view(1, 4, 1)


def test_no_place_stands_out_any_more() -> None:
    torch.manual_seed(0)
    places = PlaceStandardisation(4, 6).train()
    for _ in range(300):
        places(films(32))
    found = places.eval()(films(2000))
    assert found.mean(0).abs().max() < 0.3
    torch.testing.assert_close(found.square().mean((0, 2)), torch.ones(4), atol=0.15, rtol=0)


def test_films_of_evaluation_change_nothing_and_the_first_batch_counts_whole() -> None:
    torch.manual_seed(0)
    places, batch = PlaceStandardisation(4, 6), films(64)
    places.train()(batch)
    torch.testing.assert_close(places.mean, batch.mean(0))
    torch.testing.assert_close(places.variance, batch.var(0, correction=0).mean(-1))
    before = {name: value.clone() for name, value in places.state_dict().items()}
    places.eval()(films(8))
    assert all(torch.equal(value, before[name]) for name, value in places.state_dict().items())


def test_another_grid_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\(9, 6\), but \(4, 6\) are expected"):
        PlaceStandardisation(4, 6)(torch.zeros(1, 9, 6))
