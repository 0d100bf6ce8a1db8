"""The memory bank: top-k against a full sort and against dense attention, and what reaches its slots."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from radscribe.models.knowledge.memory import MemoryBank, MemoryConfig, chosen_softmax
from radscribe.models.knowledge.slots import SlotsConfig


def bank(nearest: int = 3, slots: int = 10, width: int = 8) -> MemoryBank:
    torch.manual_seed(0)
    return MemoryBank(MemoryConfig(SlotsConfig(count=slots), slot_width=6, heads=2, nearest=nearest), width)


def queries() -> Tensor:
    return torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1))


def test_the_chosen_are_those_of_a_full_sort_and_sum_to_one() -> None:
    scores = torch.randn(4, 7, 20, generator=torch.Generator().manual_seed(2))
    weights = chosen_softmax(scores, 5)
    order = scores.argsort(-1, descending=True)
    kept = scores.gather(-1, order[..., :5]).softmax(-1)
    torch.testing.assert_close(weights.gather(-1, order[..., :5]), kept)
    assert not weights.gather(-1, order[..., 5:]).any()


def test_what_was_not_chosen_gets_no_gradient_at_all() -> None:
    scores = torch.randn(1, 12, generator=torch.Generator().manual_seed(3)).requires_grad_()
    values = torch.randn(12, 4).requires_grad_()
    (chosen_softmax(scores, 4) @ values).square().sum().backward()
    left_out = scores[0].argsort(descending=True)[4:]
    assert scores.grad is not None and values.grad is not None
    assert not scores.grad[0, left_out].any() and not values.grad[left_out].any()
    assert scores.grad.any() and values.grad.any()


def test_all_slots_chosen_is_dense_attention() -> None:
    """Against torch's own multi-head attention with the same projections."""
    own = bank(nearest=10)
    dense = nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True)
    with torch.no_grad():
        dense.q_proj_weight.copy_(own.query.weight)
        dense.k_proj_weight.copy_(own.key.weight)
        dense.v_proj_weight.copy_(own.value.weight)
        dense.in_proj_bias.copy_(torch.cat((own.query.bias, own.key.bias, own.value.bias)))
        dense.out_proj.load_state_dict(own.output.state_dict())
    slots = 6**0.5 * own.slots.expand(2, -1, -1)
    expected, weights = dense(queries(), slots, slots)
    found = own(queries())
    torch.testing.assert_close(found.values, expected)
    torch.testing.assert_close(found.weights, weights)


def test_the_slots_learn_and_their_order_means_nothing() -> None:
    own = bank()
    found = own(queries())
    found.values.square().sum().backward()
    assert own.slots.grad is not None and own.slots.grad.any()
    order = torch.randperm(10, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        own.slots.copy_(own.slots[order])
    permuted = own(queries())
    torch.testing.assert_close(permuted.values, found.values)
    torch.testing.assert_close(permuted.weights, found.weights[..., order])
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(2, 5))


@pytest.mark.parametrize("nearest", [0, 11])
def test_more_slots_than_there_are_cannot_be_read(nearest: int) -> None:
    with pytest.raises(ValueError, match="between 1 and the 10 slots"):
        bank(nearest=nearest)


def test_a_lower_temperature_gives_the_nearest_slots_more_weight() -> None:
    torch.manual_seed(0)
    banks = [
        MemoryBank(MemoryConfig(SlotsConfig(count=10), 6, 2, 10, temperature), 8) for temperature in (1.0, 0.2, 5.0)
    ]
    for other in banks[1:]:
        other.load_state_dict(banks[0].state_dict())
    plain, sharp, flat = (torch.special.entr(bank(20 * queries()).weights).sum(-1).mean() for bank in banks)
    assert sharp < plain < flat
    with pytest.raises(ValueError, match="temperature"):
        MemoryConfig(temperature=0.0)
