"""The classification branch: long-tail rates and masked labels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from radscribe.labels.conditions import POSITIVE
from radscribe.models.classification import (
    ClassificationBranch,
    ClassificationConfig,
    class_rates,
    refreshed_rates,
    start_states,
)

SMALL = ClassificationConfig(width=8, layers=1, heads=2, feed_forward=8, neighbours=3)


def states_with(positives: dict[int, int], studies: int = 10) -> torch.Tensor:
    states = torch.zeros(studies, 18, dtype=torch.long)
    for condition, count in positives.items():
        states[:count, condition] = 1
    return states


@pytest.mark.parametrize("shifted", [False, True])
def test_states_begin_with_the_probabilities_of_a_head_that_knows_them(shifted: bool) -> None:
    torch.manual_seed(0)
    branch = ClassificationBranch(ClassificationConfig(width=8, layers=1, heads=2, feed_forward=16), 6, 5).eval()
    head, film = nn.Linear(6, 14), torch.randn(3, 6)
    branch.positive_rates[:14] = torch.linspace(0.01, 1, 14) if shifted else torch.ones(14)
    start_states(branch.head, head, branch.positive_rates if shifted else None)
    for reports in (torch.randn(3, 2, 5), torch.randn(3, 2, 5)):  # whatever these say
        found = branch.probabilities(branch(film, reports))
        torch.testing.assert_close(found[:, :14, POSITIVE], head(film).sigmoid())
    assert branch.head.weight.view(18, 4, -1)[14:].all()  # the others are as they were


def test_rates_are_relative_to_the_commonest_and_one_for_the_auxiliary_conditions() -> None:
    rates = class_rates(states_with({0: 8, 1: 2, 15: 1}))
    assert rates[0] == 1.0
    assert rates[1] == 0.25
    assert (rates[14:] == 1.0).all()


def test_a_class_never_positive_has_a_finite_logarithm() -> None:
    assert torch.isfinite(class_rates(states_with({0: 8, 1: 2})).log()).all()
    assert torch.isfinite(class_rates(states_with({})).log()).all()


def test_a_condition_that_validation_hardly_has_is_called_by_its_likelihood() -> None:
    last = class_rates(states_with({0: 8, 1: 2, 2: 4}))
    states, probabilities = states_with({0: 5, 1: 2}), torch.full((10, 18), 0.9)
    probabilities[:, 1] = 0.3
    assert float(refreshed_rates(probabilities, states, last)[1]) < 0.5
    found = refreshed_rates(probabilities, states, last, least=3)
    assert found[[1, 2]].tolist() == [1.0, 1.0] and found[0] == 1.0
    assert torch.equal(found, refreshed_rates(probabilities, states, found, least=3))


@pytest.mark.parametrize("steady", [False, True])
def test_new_rates_leave_what_is_held_likely_where_they_shall(steady: bool) -> None:
    torch.manual_seed(0)
    branch = ClassificationBranch(replace(SMALL, steady_rates=steady), 6, 5).eval()
    film, reports = torch.randn(3, 6), torch.randn(3, 2, 5)
    branch.take_rates(class_rates(states_with({0: 8, 1: 2, 2: 4})))
    before, logits = branch.probabilities(branch(film, reports)), branch(film, reports)
    rates = branch.positive_rates.clone()
    rates[1] = 0.8
    branch.take_rates(rates)
    assert torch.equal(branch.positive_rates, rates)
    after = branch.probabilities(branch(film, reports))
    assert torch.allclose(after, before, atol=1e-6) == steady
    # What the decoder is told moves instead: a larger rate asks for more.
    assert (float((logits - branch(film, reports))[:, 1, POSITIVE].min()) > 1) == steady
    branch.take_rates(rates)  # a resumed run begins its epoch again
    torch.testing.assert_close(branch.probabilities(branch(film, reports)), after)


def test_refreshed_rates_keep_the_last_value_where_validation_has_no_positive() -> None:
    last = class_rates(states_with({0: 8, 1: 2, 2: 4}))
    states = states_with({0: 5, 1: 2})
    probabilities = torch.full((10, 18), 0.9)
    probabilities[:, 1] = 0.3
    fresh = refreshed_rates(probabilities, states, last)
    torch.testing.assert_close(fresh[:2], torch.tensor([1.0, (last[1] + 1 / 3) / 2]))  # half of it is the last value
    assert fresh[2] == last[2]
    assert torch.isfinite(fresh).all()


def test_the_shift_makes_the_loss_of_a_rare_positive_larger_and_leaves_other_states() -> None:
    branch = ClassificationBranch(SMALL, visual_width=6, text_width=5)
    logits = torch.zeros(1, 18, 4)
    positive = torch.ones(1, 18, dtype=torch.long)
    plain = branch.loss(logits, positive)
    branch.positive_rates[0] = 0.01
    assert branch.loss(logits, positive) > plain
    assert branch.loss(logits, torch.zeros_like(positive)) < plain  # the others gain what the positive loses


def test_probabilities_are_those_that_training_fits() -> None:
    """A branch that knows only how often a rare condition is positive tells just that, not what its logits favour."""
    branch = ClassificationBranch(SMALL, visual_width=6, text_width=5)
    branch.positive_rates[1] = 0.05
    states = states_with({0: 120, 1: 6}, studies=200)
    logits = torch.zeros(18, 4, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=100)

    def closure() -> float:
        optimizer.zero_grad()
        loss = branch.loss(logits.expand(200, 18, 4), states)
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    probabilities = branch.probabilities(logits.detach())
    torch.testing.assert_close(probabilities[:2, 1], torch.tensor([0.6, 0.03]), atol=2e-3, rtol=0)
    assert float(logits.detach().softmax(-1)[1, 1]) > 0.3
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(18))


def test_unknown_labels_have_no_gradient() -> None:
    branch = ClassificationBranch(SMALL, visual_width=6, text_width=5)
    logits = torch.randn(2, 18, 4, requires_grad=True)
    known = torch.ones(2, 18, dtype=torch.bool)
    known[:, 14:] = False
    branch.loss(logits, torch.ones(2, 18, dtype=torch.long), known).backward()
    assert logits.grad is not None
    assert (logits.grad[:, 14:] == 0).all() and (logits.grad[:, :14] != 0).any()


def test_the_order_of_the_similar_reports_does_not_matter() -> None:
    branch = ClassificationBranch(SMALL, visual_width=6, text_width=5).eval()
    film, reports = torch.randn(2, 6), torch.randn(2, 3, 5)
    torch.testing.assert_close(branch(film, reports), branch(film, reports[:, [2, 0, 1]]), rtol=1e-4, atol=1e-5)
