"""Maps of where a finding is: they point to what its probability depends on; nothing stated has none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from radscribe.core.records import Draft, DraftSentence
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.evidence_maps import (
    BOX_LEVEL,
    GRID,
    attention_map,
    blurred,
    evidence_map,
    film_activations,
    peak_box,
    stated_map,
)
from radscribe.drafting.picture import draw_draft, draw_maps
from radscribe.drafting.reporter import load_reporter
from radscribe.imaging.drawing import is_drawing
from radscribe.labels.conditions import CONDITIONS, NEGATIVE, POSITIVE, UNCERTAIN
from radscribe.labels.rules import label_sentence
from radscribe.models.activation import StateHead, activation_maps
from radscribe.models.revtaf import Revtaf

EFFUSION, OPACITY = CONDITIONS.index("pleural effusion"), CONDITIONS.index("lung opacity")


class Levels(nn.Module):
    """An encoder whose patches are the mean grey level of 32 x 32 pixels, and one minus it."""

    def forward(self, films: Tensor) -> Tensor:
        level = nn.functional.avg_pool2d(films, 32).flatten(2).mT
        return torch.cat((level, 1 - level), -1)


def head_of(condition: int, weight: float = 1.0) -> StateHead:
    """A head that holds a condition likelier the brighter the film is."""
    weights = torch.zeros(18, 4, 2)
    weights[condition, POSITIVE, 0] = weight
    return StateHead(weights)


def toy(head: StateHead | None) -> Any:
    return SimpleNamespace(image_encoder=Levels(), state_head=head)


@given(st.integers(0, 10**6))
def test_the_mean_of_a_map_is_what_the_film_adds_to_the_margin(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    films = torch.rand(2, 1, 224, 224, generator=generator)
    head = StateHead(torch.randn(18, 4, 2, generator=generator))
    encoder: Any = Levels()
    maps = activation_maps(encoder, head, films)
    assert maps.shape == (2, 18, 7, 7)
    logits = torch.einsum("bd,csd->bcs", encoder(films).mean(1), head.weights)
    margin = logits[..., POSITIVE] - logits[..., [0, 2, 3]].mean(-1)
    torch.testing.assert_close(maps.mean((-2, -1)), margin, atol=1e-5, rtol=1e-4)


def test_what_a_place_adds_on_average_is_taken_away_where_places_are_known() -> None:
    films = torch.rand(1, 1, 224, 224)
    encoder: Any = Levels()
    means = encoder(films)[0]
    head = head_of(EFFUSION)._replace(place_means=means)
    assert float(activation_maps(encoder, head, films).abs().max()) < 1e-6  # this film is the average one
    larger = activation_maps(encoder, head, nn.functional.interpolate(films, size=(384, 384)))
    assert larger.shape[-2:] == (12, 12) and float(larger.abs().max()) > 0  # of other places nothing is known


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 5), (6, 1), (2, 2)])
def test_the_peak_lies_where_the_probability_comes_from(row: int, column: int) -> None:
    films = torch.full((1, 1, 224, 224), 0.3)
    films[..., row * 32 : (row + 1) * 32, column * 32 : (column + 1) * 32] = 0.9
    found = film_activations(toy(head_of(EFFUSION)), films)
    assert found is not None and found.shape == (1, 18, GRID, GRID)
    shown = stated_map(found[0].numpy(), [POSITIVE if number == EFFUSION else 0 for number in range(18)])
    assert shown is not None and shown.kind == "activation" and shown.box is not None
    down, across = np.unravel_index(np.array(shown.values).argmax(), (GRID, GRID))
    assert (down // 4, across // 4) == (row, column)
    left, top, right, bottom = shown.box
    assert left <= (column + 0.5) / 7 <= right and top <= (row + 0.5) / 7 <= bottom
    assert (right - left) * (bottom - top) < 0.25
    against = film_activations(toy(head_of(EFFUSION, -1.0)), films)  # now the bright cell speaks against it
    assert against is not None
    torch.testing.assert_close(against, -found)


def test_a_sentence_shows_the_conditions_that_it_holds_present_or_possible_alone() -> None:
    maps = np.random.default_rng(0).random((18, 4, 4))
    states = [0] * 18
    assert stated_map(maps, states) is None
    states[EFFUSION] = NEGATIVE
    assert stated_map(maps, states) is None
    assert stated_map(maps, label_sentence("No acute cardiopulmonary abnormality.")) is None  # it states "no finding"
    states[OPACITY] = UNCERTAIN
    alone = stated_map(maps, states)
    assert alone == evidence_map("activation", maps[OPACITY])
    states[EFFUSION] = POSITIVE
    assert stated_map(maps, states) == evidence_map("activation", maps[[OPACITY, EFFUSION]].mean(0))


def test_a_map_runs_from_nought_to_one_and_a_flat_one_points_nowhere() -> None:
    values = np.array(evidence_map("activation", np.array([[2.0, 3.0], [4.0, 6.0]])).values)
    assert values.tolist() == [[0.0, 0.25], [0.5, 1.0]]
    flat = evidence_map("activation", np.full((3, 3), 0.7))
    assert flat.box is None and not np.any(flat.values)
    assert attention_map(torch.tensor([[0.1, 0.9]])).kind == "attention"


def test_a_box_holds_the_region_of_the_peak_and_no_other() -> None:
    values = np.zeros((10, 10))
    values[1:3, 1:4], values[7, 7] = BOX_LEVEL, 0.95
    values[2, 3] = 1.0
    assert peak_box(values) == (0.1, 0.1, 0.4, 0.3)


@given(st.floats(0.3, 4.0), st.integers(4, 30), st.integers(0, 10**6))
def test_blurring_keeps_a_flat_map_and_never_exceeds_the_values(deviation: float, size: int, seed: int) -> None:
    maps = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed))
    soft = blurred(maps, deviation)
    assert soft.shape == maps.shape
    assert float(soft.max()) <= float(maps.max()) + 1e-5 and float(soft.min()) >= float(maps.min()) - 1e-5
    torch.testing.assert_close(blurred(torch.full((1, size, size), 0.4), deviation), torch.full((1, size, size), 0.4))
    torch.testing.assert_close(blurred(maps.flip(-1), deviation), soft.flip(-1))


def test_a_model_without_states_has_no_activations() -> None:
    assert film_activations(toy(None), torch.rand(1, 1, 224, 224)) is None


def test_a_draft_shows_findings_alone_and_each_map_depends_on_the_film(
    checkpoint: Path, phantoms: PreparedDataset, tmp_path: Path
) -> None:
    reporter = load_reporter(checkpoint)
    assert isinstance(reporter.system.model, Revtaf)
    views = [reporter.view(phantoms.film(study)) for study in phantoms.split("test")[:2]]
    maps = reporter.activations(reporter.films(views))
    assert maps is not None and maps.shape == (2, 18, GRID, GRID) and not np.allclose(maps[0], maps[1])
    np.testing.assert_allclose(maps[1], reporter.activations(reporter.films(views[1:]))[0], atol=1e-4)  # type: ignore[index]
    for draft in reporter.drafts(views, ["a", "b"]):
        for sentence in draft.sentences:
            held = {"positive", "uncertain"} & set(sentence.conditions.values())
            assert (sentence.evidence is not None) == bool(held)
    said = DraftSentence("An effusion.", {"pleural effusion": "positive"}, 0.5, ((1.0,),), None)
    finding = stated_map(maps[0], [POSITIVE if number == EFFUSION else 0 for number in range(18)])
    model = {"name": "tiny", "fingerprint": "0" * 64}
    sentences = (
        said,
        DraftSentence("Clear.", {}, 0.5, ((1.0,),), None),
        DraftSentence(**{**vars(said), "evidence": finding}),
    )
    drawn = draw_maps(Draft("a", "", sentences, (), None, model), views[0], tmp_path)
    assert [sentence.map and Path(sentence.map).name for sentence in drawn.sentences] == [None, None, "a-map-3.png"]
    draw_draft(drawn, views[0], tmp_path / "a.png")
    assert is_drawing(tmp_path / "a.png") and is_drawing(tmp_path / "a-map-3.png")
