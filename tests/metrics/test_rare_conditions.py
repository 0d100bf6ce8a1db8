"""Equal systems on simulated studies: how often each test calls their macro-F1 and micro-F1 different."""

from __future__ import annotations

import numpy as np
import pytest

from radscribe.metrics.clinical import Outcomes, f1_parts, outcomes
from radscribe.metrics.significance import Floats, Resampling, paired_test, randomization_test

TRIES, STUDIES, DRAWS = 300, 150, 99
LEVEL = 0.05
# More than three standard errors of a share of 0.05 of the tries.
MOST = LEVEL + 3.2 * (LEVEL * (1 - LEVEL) / TRIES) ** 0.5
RATES = np.array([0.3] * 7 + [0.01] * 7)


def two_equal_systems(seed: int, patients: int = STUDIES) -> tuple[Outcomes, Outcomes]:
    """Outcomes of two systems that are as often right; the studies of one patient are copies of one another."""
    draw = np.random.default_rng(seed)
    rows = np.arange(STUDIES) % patients
    true = (draw.random((patients, 14)) < RATES)[rows]

    def system() -> Outcomes:
        said = np.where(
            true, (draw.random((patients, 14)) < 0.6)[rows], (draw.random((patients, 14)) < RATES / 2)[rows]
        )
        return outcomes(said.astype(int), true.astype(int))

    return system(), system()


def p_values(pair: tuple[Outcomes, Outcomes], name: str, resampling: Resampling) -> tuple[float, float]:
    parts = [f1_parts(of_one) for of_one in pair]

    def figure(sums: Floats) -> Floats:
        return parts[0].of_sums(sums)[:, parts[0].names.index(name)]

    drawn = [figure(resampling.sums(part.counts)) for part in parts]
    exchanged = [figure(sums) for sums in resampling.swapped_sums(parts[0].counts, parts[1].counts)]
    return paired_test(*drawn).p_value, randomization_test(*exchanged)


@pytest.fixture(scope="module")
def rejected() -> dict[str, np.ndarray]:
    """The p-values of each try, bootstrap and randomization, by figure."""
    pairs = [two_equal_systems(seed) for seed in range(TRIES)]
    return {
        name: np.array([p_values(pair, name, Resampling(None, DRAWS, seed)) for seed, pair in enumerate(pairs)])
        for name in ("macro_f1", "micro_f1")
    }


def test_randomization_keeps_its_level_for_macro_f1_where_the_bootstrap_does_not(
    rejected: dict[str, np.ndarray],
) -> None:
    bootstrap, randomization = (rejected["macro_f1"] <= LEVEL).mean(axis=0)
    assert randomization <= MOST < bootstrap


def test_both_tests_agree_on_micro_f1(rejected: dict[str, np.ndarray]) -> None:
    found = rejected["micro_f1"]
    assert ((found <= LEVEL).mean(axis=0) <= MOST).all()
    assert np.abs(found[:, 0] - found[:, 1]).mean() < 0.06
    assert np.corrcoef(found.T)[0, 1] > 0.95


def test_patients_are_exchanged_whole_for_macro_f1_too() -> None:
    patients = 50
    names = tuple(str(row % patients) for row in range(STUDIES))
    alone, whole = (
        np.mean(
            [
                p_values(two_equal_systems(seed, patients), "macro_f1", Resampling(unit, DRAWS, seed))[1] <= LEVEL
                for seed in range(TRIES)
            ]
        )
        for unit in (None, names)
    )
    assert whole <= MOST < alone
