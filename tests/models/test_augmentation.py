"""Training augmentation: each share is what it says, and nothing changes where it is 0."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from radscribe.labels.conditions import CONDITIONS
from radscribe.models.augmentation import augmented, borrowed_entities, doubtful_states, swapped_patches
from radscribe.models.encoders.entity import FilmEntities
from radscribe.models.revtaf import RevtafConfig

CONFIG = RevtafConfig()


def entities_of(count: int) -> FilmEntities:
    return FilmEntities(torch.rand(count, 75), torch.randint(0, 51, (count, 75)), torch.rand(count, 8))


def test_doubtful_states_are_true_predicted_and_borrowed_in_their_shares() -> None:
    true = torch.tensor([0, 1]).repeat(500)[:, None].expand(-1, 18)  # its neighbour's states are the other ones
    predicted = torch.nn.functional.one_hot(torch.full((1000, 18), 3), 4).float()
    torch.manual_seed(0)
    found = doubtful_states(true, predicted, 0.3, 0.2)
    shares = [float((found == state).float().mean()) for state in (true, 3 * torch.ones_like(true), 1 - true)]
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.02)
    assert torch.equal(doubtful_states(true, predicted, 0.0, 0.0), true)
    with pytest.raises(ValueError, match="at most 1 together"):
        replace(CONFIG, predicted_states=0.9, borrowed_states=0.2)


def test_borrowed_entities_are_whole_and_another_studys() -> None:
    own = entities_of(400)
    found = borrowed_entities(own, 0.5)
    lent = [(theirs != ours).any(1) for theirs, ours in zip(found, own, strict=True)]
    assert torch.equal(lent[0], lent[1]) and torch.equal(lent[0], lent[2])
    assert float(lent[0].float().mean()) == pytest.approx(0.5, abs=0.1)
    assert torch.equal(found.presence[lent[0]], own.presence.roll(2, 0)[lent[0]])
    assert borrowed_entities(own, 0.0) is own


def test_swapped_patches_are_the_own_ones_or_a_healthy_studys_at_the_same_place() -> None:
    patches = torch.randn(400, 16, 8)
    states = torch.zeros(400, 18, dtype=torch.long)
    states[[3, 7], CONDITIONS.index("no finding")] = 1
    torch.manual_seed(0)
    found = swapped_patches(patches, states, 1.0)
    own = (found == patches).all(-1)
    lent = (found == patches[3]).all(-1) | (found == patches[7]).all(-1)
    assert bool((own | lent).all())
    shares = 1 - own.float().mean(1)  # between none and all of a study's patches, one half on average
    assert (
        float(shares.min()) < 0.1 and float(shares.max()) > 0.9 and float(shares.mean()) == pytest.approx(0.5, abs=0.05)
    )
    assert torch.equal(swapped_patches(patches, torch.zeros_like(states), 1.0), patches)  # nobody to lend
    assert torch.equal(swapped_patches(patches, states, 0.0), patches)
    with pytest.raises(ValueError, match="healthy_patches must be between 0 and 1"):
        replace(CONFIG, healthy_patches=1.5)


def test_the_paper_augments_nothing() -> None:
    entities, patches, labels = entities_of(6), torch.randn(6, 16, 8), torch.randint(0, 4, (6, 18))
    read = augmented(CONFIG, entities, patches, labels, torch.randn(6, 18, 4))
    assert read.entities is entities
    assert torch.equal(read.patches, patches) and torch.equal(read.states, labels)


def test_augmentation_is_called_once_with_the_shares_of_the_configuration() -> None:
    shares = replace(CONFIG, predicted_states=0.5, borrowed_states=0.5, healthy_patches=1.0, borrowed_local=1.0)
    entities, patches = entities_of(50), torch.randn(50, 16, 8)
    labels = torch.zeros(50, 18, dtype=torch.long)
    labels[:25, CONDITIONS.index("no finding")] = 1
    logits = torch.nn.functional.one_hot(torch.full((50, 18), 2), 4).float()
    torch.manual_seed(0)
    read = augmented(shares, entities, patches, labels, logits)
    assert torch.equal(read.entities.presence, entities.presence.roll(2, 0))
    assert not torch.equal(read.patches, patches)
    predicted = read.states == 2
    assert 0.4 < float(predicted.float().mean()) < 0.6
    assert torch.equal(read.states[~predicted], labels.roll(1, 0)[~predicted])
