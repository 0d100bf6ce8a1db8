"""The drift figures: nothing where the checkpoint knows nothing, small for its own kind of films, large for others."""

from __future__ import annotations

import numpy as np
import pytest

from radscribe.core.records import Draft, Finding
from radscribe.drafting.calibration import Calibration, PresenceFit
from radscribe.drafting.gate import Gate
from radscribe.drafting.gate_files import load_gate
from radscribe.drafting.reporter import packaged_checkpoint
from radscribe.serve.drift import WINDOW, Drift

FIT = PresenceFit(0.0, (0.0, 0.0), (0.0, 0.0), (0.0,) * 18)


def draft(effusion: float, abstain: bool = False) -> Draft:
    held = effusion >= 0.5
    finding = Finding("pleural effusion", "positive" if held else "negative", effusion if held else 1 - effusion)
    return Draft("x", "", (), (finding, Finding("edema", "not assessed", None)), None, {}, abstain=abstain)


def figures(drift: Drift) -> dict[tuple[str, str], float]:
    return {(name, condition): value for name, condition, value in drift.figures()}


@pytest.fixture
def gate() -> Gate:
    found = load_gate(packaged_checkpoint())
    assert found is not None
    return found


def films(gate: Gate, shift: float, count: int) -> list[np.ndarray]:
    """Films (32 x 32) that lie among the training films of ``gate``, moved by ``shift`` deviations along all axes."""
    random = np.random.default_rng(0)
    made = []
    for _ in range(count):
        places = (random.normal(size=len(gate.spread)) + shift) * gate.spread
        ranks = gate.mean + gate.axes @ places
        made.append((255 * ranks.argsort().argsort() / 1023).astype(np.uint8).reshape(32, 32))
    return made


def test_a_checkpoint_that_knows_nothing_has_no_figures() -> None:
    drift = Drift(None, None)
    drift.add(np.zeros((64, 64), np.uint8), draft(0.9))
    assert figures(drift) == {("films", ""): 0}


def test_films_of_another_kind_are_farther_away(gate: Gate) -> None:
    found = {}
    for name, shift in (("same", 0.0), ("other", 2.0)):
        drift = Drift(gate, None)
        for film in films(gate, shift, 100):
            drift.add(film, draft(0.5))
        assert figures(drift)[("films", "")] == 100
        found[name] = figures(drift)[("film_distance", "")]
    assert found["same"] < 0.5 < 1.0 < found["other"]


def test_rates_are_compared_where_validation_knows_them() -> None:
    known = Calibration("x", FIT, measured={"mean_probabilities": {"pleural effusion": 0.25, "edema": 0.1}})
    drift = Drift(None, known)
    assert ("probability_difference", "pleural effusion") not in figures(drift)
    for value in (0.9, 0.3):
        drift.add(np.zeros((64, 64), np.uint8), draft(value))
    drift.add(np.zeros((64, 64), np.uint8), draft(0.99, abstain=True))
    found = figures(drift)
    assert found[("probability_difference", "pleural effusion")] == pytest.approx(0.6 - 0.25)
    assert ("probability_difference", "edema") not in found


def test_only_the_last_films_count(gate: Gate) -> None:
    drift = Drift(gate, None)
    (film,) = films(gate, 0.0, 1)
    for _ in range(WINDOW + 7):
        drift.add(film, draft(0.5))
    assert figures(drift)[("films", "")] == WINDOW
