"""Counterfactual maps on toy models whose dependence on the film is known, and through the systems themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from makers import TINY_MCSAM
from radscribe.core.config import from_mapping
from radscribe.core.errors import WrongUse
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.counterfactual import (
    CENTRES,
    counterfactual_maps,
    exceeds_noise,
    falls,
    filling_of,
    sentence_log_probabilities,
    window_weights,
    with_filling,
)
from radscribe.drafting.evidence_maps import GRID
from radscribe.drafting.reporter import load_reporter
from radscribe.drafting.sentence_maps import kind_for, sentence_maps, states_finding
from radscribe.labels.rules import label_sentence
from radscribe.models.mcsam import Mcsam
from radscribe.models.report_model import ReportModel
from radscribe.models.systems import SYSTEMS
from radscribe.training.recipe import Recipe

SIDE = 112
Likely = Callable[[Tensor], Tensor]


def toy(*sentences: Likely, head: object = None) -> Any:
    """A system whose film is its own evidence; each sentence is one word of the log-probability that it is given."""
    model = SimpleNamespace(
        log_probabilities=lambda words, seen: torch.stack([likely(seen) for likely in sentences], 1)[:, : len(words)],
        state_head=head,
    )
    return SimpleNamespace(see=lambda films: films, model=model)


def spans(count: int) -> list[tuple[int, int]]:
    return [(number, number + 1) for number in range(count)]


def level_of(row: int, column: int) -> Likely:
    """A sentence that depends on one cell of the film, and on nothing else."""
    cell = SIDE // CENTRES
    return lambda films: (
        4 * films[:, 0, row * cell : (row + 1) * cell, column * cell : (column + 1) * cell].mean((1, 2))
    )


def constant(films: Tensor) -> Tensor:
    return torch.full((len(films),), -0.3)


def spotted(row: int, column: int, size: int = SIDE) -> Tensor:
    cell = size // CENTRES
    film = torch.full((1, 1, size, size), 0.2)
    film[..., row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = 0.9
    return film


@given(st.integers(0, CENTRES - 1), st.integers(0, CENTRES - 1))
def test_the_map_peaks_at_the_place_that_the_sentence_depends_on_and_nothing_else_has_one(
    row: int, column: int
) -> None:
    found = counterfactual_maps(toy(level_of(row, column), constant), spotted(row, column), [1, 2], spans(2))
    shown = found[0]
    assert found[1] is None and shown is not None and shown.kind == "counterfactual" and shown.box is not None
    down, across = np.unravel_index(np.array(shown.values).argmax(), (GRID, GRID))
    assert abs(down / 4 - row - 0.5) <= 1 and abs(across / 4 - column - 0.5) <= 1
    left, top, right, bottom = shown.box
    assert left <= (column + 0.5) / CENTRES <= right and top <= (row + 0.5) / CENTRES <= bottom


def test_the_fall_of_each_window_is_what_it_takes_from_the_place() -> None:
    film, place = spotted(4, 1), level_of(4, 1)
    found = falls(toy(place), film, [1], spans(1))
    weights = window_weights(SIDE)
    changed = with_filling(film, filling_of(film), weights)
    expected = (place(film) - place(changed)).view(CENTRES, CENTRES)
    torch.testing.assert_close(found.windows[0][found.tried], expected[found.tried])
    assert 16 < int(found.tried.sum()) <= 16 + 8 and bool(found.tried[4, 1])
    assert int(expected.argmax()) == int(found.windows[0].argmax()) == 4 * CENTRES + 1


def test_support_is_the_share_of_the_probability_that_the_film_carries() -> None:
    film = spotted(2, 3)
    other = 10 * level_of(2, 3)(film) - 10 * level_of(2, 3)(filling_of(film))
    system = toy(
        level_of(2, 3), lambda films: 40 * level_of(2, 3)(films), constant, lambda films: -level_of(2, 3)(films)
    )
    fall = float(falls(system, film, [1, 2, 3, 4], spans(4)).whole[0])
    assert fall == pytest.approx(float(other) / 10, abs=1e-5)
    found = counterfactual_maps(system, film, [1, 2, 3, 4], spans(4))
    assert found[0] is not None and found[0].support == pytest.approx(1 - math.exp(-fall), abs=1e-3)
    assert found[1] is not None and found[1].support == 1.0
    assert found[2] is None and found[3] is None  # what grows likelier without a place does not rest on it
    finding, normal = label_sentence("There is a left pleural effusion."), label_sentence("The lungs are clear.")
    attention = torch.full((2, 49), 1 / 49)
    shown = sentence_maps("attention", toy(constant, constant), film, [1, 2], spans(2), [finding, normal], attention)
    assert shown[0] is not None and shown[0].kind == "attention" and shown[0].support == 0.0 and shown[1] is None


def test_noise_has_a_peak_in_few_maps_and_what_stands_out_has_one() -> None:
    random = torch.Generator().manual_seed(0)
    tried = torch.rand(CENTRES, CENTRES, generator=random) < 0.6
    tried[2, 5] = True
    noise = torch.randn(200, CENTRES, CENTRES, generator=random)
    assert sum(exceeds_noise(each, tried) for each in noise) <= 10
    noise[:, 2, 5] = 9.0
    assert sum(exceeds_noise(each, tried) for each in noise) >= 190
    assert not any(exceeds_noise(each / 100, tried) for each in noise)  # a fall by 9 % is next to nothing
    assert not exceeds_noise(torch.full((CENTRES, CENTRES), 3.0), tried)  # it depends on every place, and so on none
    tried[2, 5] = False
    assert sum(exceeds_noise(each, tried) for each in noise) <= 10  # what was not replaced is no evidence


def test_of_two_films_the_frontal_one_is_replaced_and_its_copy() -> None:
    frontal, lateral = torch.rand(1, 1, 1, 32, 32), torch.rand(1, 1, 1, 32, 32)
    weights = window_weights(32)[:2]
    for views, kept in ((torch.cat((frontal, lateral), 1), True), (torch.cat((frontal, frontal), 1), False)):
        changed = with_filling(views, torch.zeros_like(views), weights)
        assert changed.shape == (2, 2, 1, 32, 32)
        torch.testing.assert_close(changed[:, 0], frontal[0] * (1 - weights[:, None]))
        assert torch.equal(changed[:, 1], views[:, 1].expand(2, -1, -1, -1)) == kept


def test_a_blur_keeps_a_flat_film_and_hides_a_spot() -> None:
    torch.testing.assert_close(filling_of(torch.full((1, 1, 32, 32), 0.4)), torch.full((1, 1, 32, 32), 0.4))
    film = spotted(3, 3)
    assert float(filling_of(film).max()) < 0.5 * float(film.max())


def log_probabilities_agree(model: ReportModel, evidence: Any, tokens: Sequence[int], off: float) -> None:
    together = model.log_probabilities(tokens, evidence)
    assert together.shape == (len(evidence), len(tokens))
    torch.testing.assert_close(together, ReportModel.log_probabilities(model, tokens, evidence), atol=off, rtol=0)
    assert not torch.allclose(together[0], together[1], atol=10 * off, rtol=0)  # the films tell


def test_films_together_give_what_each_gives_alone(checkpoint: Path, phantoms: PreparedDataset) -> None:
    reporter = load_reporter(checkpoint)
    views = [reporter.view(phantoms.film(study)) for study in phantoms.split("test")[:3]]
    films = reporter.films(views)
    log_probabilities_agree(reporter.system.model, reporter.see(views), list(range(20, 29)), 5e-6)
    together = sentence_log_probabilities(
        reporter.system, films.repeat(7, 1, 1, 1), list(range(20, 29)), [(0, 4), (5, 9)]
    )
    alone = [sentence_log_probabilities(reporter.system, film[None], list(range(20, 27)), [(0, 4)]) for film in films]
    torch.testing.assert_close(together[-3:, :1], torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_mcsam_gives_films_together_what_each_gives_alone(checkpoint: Path) -> None:
    recipe = from_mapping(Recipe, TINY_MCSAM)
    torch.manual_seed(0)
    model = SYSTEMS["mcsam"].model.build(recipe.model, 16, load_reporter(checkpoint).system.model.tokenizer).eval()
    assert isinstance(model, Mcsam)
    log_probabilities_agree(model, model.see(torch.rand(3, 1, 64, 64)), list(range(20, 29)), 2e-6)


def test_a_draft_shows_the_kind_of_map_that_is_asked_for(checkpoint: Path, phantoms: PreparedDataset) -> None:
    reporter = load_reporter(checkpoint)
    film = phantoms.film(phantoms.split("test")[0])
    drafts = {kind: reporter.draft(film, evidence=kind) for kind in ("best", "counterfactual", "attention", "none")}
    assert len({draft.report for draft in drafts.values()}) == 1
    for kind, draft in drafts.items():
        for sentence in draft.sentences:
            assert sentence.attention  # stands in every draft
            if sentence.evidence:
                assert states_finding(label_sentence(sentence.text))
                assert sentence.evidence.kind == ("activation" if kind == "best" else kind)
                assert sentence.evidence.support is not None and 0 <= sentence.evidence.support <= 1
    assert not any(sentence.evidence for sentence in drafts["none"].sentences)


def test_a_kind_of_map_that_a_model_does_not_have_is_refused_in_one_line(
    checkpoint: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    without: Any = SimpleNamespace(state_head=None)
    assert (kind_for(without, "best"), kind_for(without, "none")) == ("counterfactual", "none")
    with pytest.raises(WrongUse, match="tells no conditions; choose counterfactual or attention"):
        kind_for(without, "activation")
    out = tmp_path / "drafts.jsonl"
    code, _, error = run(
        "generate", str(tmp_path), "--checkpoint", str(checkpoint), "--out", str(out), "--evidence", "guess"
    )
    assert code == 2 and "--evidence guess: no such map; choose best, counterfactual" in error and not out.exists()
