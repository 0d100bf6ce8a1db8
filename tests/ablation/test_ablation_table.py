"""The table of an ablation: means over seeds, paired tests against the full system, what is not finished."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radscribe.ablation.files import draw, further, markdown, save, tidy
from radscribe.ablation.table import MICRO, RARE, Finished, compared, rare_columns
from radscribe.core.errors import WrongUse
from radscribe.evaluation.scorecard.per_study import PerStudy
from radscribe.evaluation.scorecard.saved import SavedScorecard
from radscribe.metrics.clinical import condition_sums, macro, micro, outcomes, score_states
from radscribe.metrics.significance import Figure, Resampling, holm, paired_test

STUDIES = 60
RARE_COLUMNS = np.array([2, 5])
PATIENTS = Resampling(tuple(f"patient-{study // 2}" for study in range(STUDIES)))
TRUTH = np.random.default_rng(0).integers(0, 2, (STUDIES, 14))


def finished(row: str, seed: int, kept: float) -> Finished:
    """A run whose drafts state a share ``kept`` of what is true."""
    random = np.random.default_rng((seed, int(100 * kept)))
    stated = np.where(random.random(TRUTH.shape) < kept, TRUTH, 0)
    rows = PerStudy(tuple(f"study-{study:02}" for study in range(STUDIES)), stated, TRUTH, {}, PATIENTS)
    clinical = score_states(stated, TRUTH)
    language = Figure(kept / 2, 0.0, 1.0)
    figures = {"micro_f1": clinical.micro.f1, "macro_f1": clinical.macro.f1, "bleu_4": language, "rouge_l": language}
    more = {} if row == "same" else {"distinct_reports": 7.0, "mean_area": float(seed)}
    return Finished(row, seed, 3.5, 4.0 + seed, SavedScorecard(row, {}, figures, rows, more))


def runs() -> list[Finished]:
    shares = {"full": 0.9, "half": 0.5, "same": 0.88}
    return [finished(name, seed, share) for seed in (1, 0) for name, share in shares.items()][:-1]


def test_means_and_tests_are_those_of_the_runs() -> None:
    found = compared(runs(), ["full", "half", "same", "never"], "full", 2, RARE_COLUMNS)
    assert [row.name for row in found.rows] == ["full", "half", "same"] and found.unfinished == ("never",)
    assert [row.seeds for row in found.rows] == [(0, 1), (0, 1), (1,)]
    by_name = {(run.row, run.seed): run.card for run in runs()}

    def draws(name: str, seed: int, rare: bool) -> np.ndarray:
        sums = condition_sums(outcomes(by_name[name, seed].rows.hypothesis_states, TRUTH), PATIENTS)
        return macro(sums[:, RARE_COLUMNS])[:, 2] if rare else micro(sums)[:, 2]

    def exchanged(seeds: list[int], name: str, first: int | None = None) -> float:
        """Two-sided p when patients exchange the two systems, by the definition: the same patients in every seed."""
        names, patients = np.unique(PATIENTS.clusters or (), return_inverse=True)
        units = len(names)
        swaps = np.random.default_rng(0).integers(0, 2, (PATIENTS.resamples, units)).astype(bool)
        differences = []
        for swap in [np.zeros(units, bool), *swaps]:
            of_seeds = []
            for seed in seeds:
                pair = [by_name["full", seed if first is None else first], by_name[name, seed]]
                ours, theirs = (outcomes(card.rows.hypothesis_states, TRUTH)[:, RARE_COLUMNS] for card in pair)
                turned = swap[patients][:, None, None]
                sums = [np.where(turned, b, a).sum(axis=0) for a, b in ((ours, theirs), (theirs, ours))]
                of_seeds.append([macro(of_system)[2] for of_system in sums])
            differences.append(abs(np.subtract(*np.mean(of_seeds, axis=0))))
        return float((1 + (np.array(differences[1:]) >= differences[0] - 1e-9).sum()) / len(differences))

    for figure, rare in ((MICRO, False), (RARE, True)):
        full = (draws("full", 0, rare) + draws("full", 1, rare)) / 2
        expected = [
            paired_test(full, (draws("half", 0, rare) + draws("half", 1, rare)) / 2),
            paired_test(full, draws("same", 1, rare)),
        ]
        tests = [row.tests[figure] for row in found.rows[1:]]
        if rare:  # the bootstrap's p is not to be trusted there
            p_values = [exchanged([0, 1], "half"), exchanged([1], "same", first=0)]
            expected = [replace(test, p_value=p) for test, p in zip(expected, p_values, strict=True)]
        for test, wanted in zip(tests, expected, strict=True):
            assert test.test.p_value == wanted.p_value
            assert test.test.difference.value == pytest.approx(wanted.difference.value)
            assert test.test.difference.low == pytest.approx(wanted.difference.low)
        assert [test.adjusted for test in tests] == holm([test.p_value for test in expected])
        assert tests[0].test.difference.value > 0.2 and tests[0].adjusted < 0.01  # half says less than full
        assert found.rows[0].figures[figure] == pytest.approx((draws("full", 0, rare)[0], draws("full", 1, rare)[0]))
    assert found.rows[0].tests == {}


def test_the_table_tells_spread_rare_conditions_and_what_is_not_finished(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = compared(runs(), ["full", "half", "same", "never"], "full", 2, RARE_COLUMNS)
    text = save(found, tmp_path)
    more = further(found)
    assert text == f"{markdown(found)}\n{more}"
    assert [(tmp_path / f"{name}.md").read_text() for name in ("ablations", "ablations-more")] == [
        markdown(found),
        more,
    ]
    low, high = sorted(found.rows[1].figures[MICRO])
    deviation = (high - low) / np.sqrt(2)
    assert f"{(low + high) / 2:.3f} ({low:.3f} to {high:.3f}, sd {deviation:.3f})" in text
    assert "- same: 1 of 2 seeds finished\n- never: no seed finished" in text
    assert "lung opacity, consolidation" in text and "the patient as the unit" in text
    assert (tmp_path / "ablations.png").read_bytes()[:4] == b"\x89PNG"
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in more.splitlines() if line.startswith("|")]
    assert cells[0] == ["row", "ROC area, mean", "BLEU-4", "ROUGE-L", "distinct reports"]
    assert cells[2] == ["full", "0.500 (0.000 to 1.000)", *["0.450 (0.450 to 0.450)"] * 2, "7 (7 to 7)"]
    assert cells[4] == ["same", "", "0.440", "0.440", ""]  # its scorecards have no such figures
    lines = tidy(found)
    assert len(lines) == 1 + 5 * 8 + 4 * 2 and ("half", 1, "minutes", 5.0) in lines


def test_without_the_full_system_or_rare_conditions_there_is_a_table_still(tmp_path) -> None:  # type: ignore[no-untyped-def]
    others = [run for run in runs() if run.row != "full"]
    found = compared(others, ["full", "half", "same"], "full", 2, RARE_COLUMNS)
    assert found.unfinished == ("full",) and all(row.tests == {} for row in found.rows)
    draw(found, tmp_path / "picture.png")
    commoner = compared(runs(), ["full", "half", "same"], "full", 2, np.array([], dtype=np.int64))
    assert "rare macro-F1" not in markdown(commoner) and "training studies: none" in markdown(commoner)
    draw(commoner, tmp_path / "picture.png")


def test_runs_on_other_studies_are_refused() -> None:
    first, second = runs()[:2]
    rows = replace(second.card.rows, study_ids=tuple(reversed(second.card.rows.study_ids)))
    with pytest.raises(WrongUse, match="scored different studies"):
        compared([first, replace(second, card=replace(second.card, rows=rows))], ["full"], "full", 1, RARE_COLUMNS)


def test_rare_is_what_under_a_twentieth_of_training_studies_state() -> None:
    states = np.zeros((100, 18), dtype=np.int64)
    states[:4, 3] = 1
    states[:50, [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]] = 1
    states[:5, 13] = 1
    states[:, 15] = 1  # none of the 14
    assert rare_columns(states).tolist() == [3]
