"""The gate: it lets films through that the model can read, and says of others what is wrong with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.sources.phantom import phantom_source
from radscribe.drafting.gate import BLANK, MIRRORED_WARNING, READABLE, REASONS, Gate, Pixels
from radscribe.evaluation.gate import GateRow, coverage, gate_table, gate_text
from radscribe.imaging.crop import FilmConfig, centre_crop
from radscribe.training.gate import GateConfig, fit_gate

FILM = FilmConfig(resize=72, crop=64)
QUICK = GateConfig(films=120)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    folder = tmp_path_factory.mktemp("gate") / "data"
    prepare(phantom_source(90, seed=5, lateral_share=0.5), folder, size=64, workers=1)
    return PreparedDataset.open(folder)


@pytest.fixture(scope="module")
def gate(dataset: PreparedDataset) -> Gate:
    return fit_gate(dataset, FILM, config=QUICK)


@pytest.fixture(scope="module")
def films(dataset: PreparedDataset) -> Pixels:
    """Test films as the model sees them."""
    return np.stack([centre_crop(dataset.film(study), FILM) for study in dataset.split("test")])


def test_it_accepts_good_films_and_refuses_each_kind_of_wrong_one(gate: Gate, dataset: PreparedDataset) -> None:
    rows = {row.kind: row for row in gate_table(gate, dataset, FILM)}
    assert rows["good"].films >= 15 and rows["good"].refused <= 0.2  # of 77 training films
    for kind in ("lateral", "inverted", "turned left", "turned right", "upside down", "shuffled", "cloud"):
        assert rows[kind].refused >= 0.9, kind
        assert rows[kind].area is not None and rows[kind].area >= 0.9, kind
    assert rows["nearly blank"].refused == 1
    assert rows["mirrored"].refused <= 0.2
    assert rows["mirrored"].warned >= 0.5 > 0.1 >= rows["good"].warned
    text = gate_text(list(rows.values()))
    assert "| upside down |" in text and "| good films drafted | 99.5% |" in text


def test_a_stricter_gate_drafts_fewer_wrong_films() -> None:
    good = GateRow("good", 4, None, 0, 0, np.array([0.0, 1, 2, 3]))
    wrong = GateRow("lateral", 4, 1.0, 1, 0, np.array([-1, 0.1, -np.inf, -3]))
    mirrored = GateRow("mirrored", 1, 1.0, 0, 1, np.array([9.0]))
    found = coverage([good, wrong, mirrored])
    assert [share for share, _ in found] == sorted(share for share, _ in found)
    # The one wrong film at 0.1 is drafted until more than 0.1 / 3 of the good ones, interpolated, may be refused.
    assert [drafted for _, drafted in found] == [0.25, 0.25, 0.25, 0, 0]


def test_the_reason_names_what_is_wrong(gate: Gate, films: Pixels) -> None:
    spoiled = {
        "inverted": 255 - films,
        "turned left": np.rot90(films, 1, (1, 2)),
        "upside down": films[:, ::-1, ::-1],
        "turned right": np.rot90(films, 3, (1, 2)),
    }
    for kind, views in spoiled.items():
        named = [judgement.reasons == (REASONS[kind],) for judgement in gate.judge(views)]
        assert np.mean(named) >= 0.6, kind


def test_noise_is_no_film_and_a_blank_picture_is_blank(gate: Gate) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 64, 64), dtype=np.uint8)
    assert all(judgement.reasons for judgement in gate.judge(noise))
    assert [judgement.reasons for judgement in gate.judge(np.full((2, 64, 64), 90, np.uint8))] == [(BLANK,), (BLANK,)]


def test_a_mirrored_film_draws_a_warning_and_no_refusal(gate: Gate, films: Pixels) -> None:
    found = gate.judge(films[:, :, ::-1])
    assert MIRRORED_WARNING in {warning for judgement in found for warning in judgement.warnings}
    assert all(not (judgement.warnings and judgement.reasons) for judgement in found)


def test_exposure_changes_no_judgement(gate: Gate, films: Pixels) -> None:
    darker = np.round(films * 0.7 + 10).astype(np.uint8)
    pairs = zip(gate.judge(films), gate.judge(darker), strict=True)
    apart = [abs(one.log_odds[READABLE] - other.log_odds[READABLE]) for one, other in pairs]
    assert np.median(apart) < 0.3


def test_a_judgement_depends_on_its_film_alone(gate: Gate, films: Pixels) -> None:
    assert [gate.judge(view[None])[0] for view in films] == gate.judge(films)


def test_the_same_seed_gives_the_same_gate_and_the_tensors_give_it_back(gate: Gate, dataset: PreparedDataset) -> None:
    tensors, settings = gate.to_tensors()
    again = Gate.from_tensors(tensors, json.loads(json.dumps(settings)))
    for other in (again, fit_gate(dataset, FILM, config=QUICK)):
        other_tensors, other_settings = other.to_tensors()
        assert other_settings == settings
        assert all(np.array_equal(other_tensors[name], value) for name, value in tensors.items())
    views = np.stack([centre_crop(dataset.film(study), FILM) for study in dataset.split("validate")])
    assert again.judge(views) == gate.judge(views)


def test_without_laterals_there_is_no_such_kind(tmp_path: Path, dataset: PreparedDataset) -> None:
    prepare(phantom_source(16, seed=6, lateral_share=0.0), tmp_path / "data", size=64, workers=1)
    frontal = PreparedDataset.open(tmp_path / "data")
    small = GateConfig(films=20, axes=10)
    assert "lateral" not in fit_gate(frontal, FILM, config=small).kinds
    assert "lateral" in fit_gate(dataset, FILM, further=[frontal], config=small).kinds


def test_what_is_no_view_or_no_gate_is_refused(gate: Gate) -> None:
    for views in (np.zeros((64, 64), np.uint8), np.zeros((1, 20, 64), np.uint8), np.zeros((1, 64, 64), np.float32)):
        with pytest.raises(WrongUse, match="views of shape"):
            gate.judge(views)  # type: ignore[arg-type]
    tensors, settings = gate.to_tensors()
    for damaged in ({**tensors, "mean": tensors["mean"][:5]}, {"mean": tensors["mean"]}):
        with pytest.raises(RadscribeError, match="not the arrays and thresholds of a gate"):
            Gate.from_tensors(damaged, settings)
    with pytest.raises(ValueError, match="unknown here"):
        replace(gate, kinds=("sideways", *gate.kinds[1:]))
    with pytest.raises(ValueError, match="refused within"):
        GateConfig(refused=1.5)
