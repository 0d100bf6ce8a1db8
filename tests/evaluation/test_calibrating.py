"""Fitting a calibration: what it learns of made studies, and what a calibrated checkpoint does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.calibration import CALIBRATION, Calibration, load_calibration, signs_of
from radscribe.drafting.reporter import load_reporter
from radscribe.evaluation.calibrating import (
    LEAST_SIZES,
    best_threshold,
    fit_presence,
    held_out,
    sign_areas,
    sizes_are_right,
)
from radscribe.evaluation.doubts import FORMS, doubts_of
from radscribe.evaluation.statements import DraftedSplit
from radscribe.labels.conditions import BLANK, CONDITIONS, NEGATIVE, POSITIVE
from radscribe.metrics.significance import Resampling
from radscribe.metrics.statement_scores import score_statements

EFFUSION = CONDITIONS.index("pleural effusion")


def made(count: int, seed: int = 0) -> tuple[DraftedSplit, np.ndarray]:
    """Studies whose conditions are drawn by the model's own probability squared, and these true probabilities.

    What a report states is drawn by chance.
    """
    generator = np.random.default_rng(seed)
    likely = generator.uniform(0.02, 0.98, (count, 18))
    true = likely**2
    shown = generator.random(true.shape) < true
    states = generator.choice([BLANK, POSITIVE, NEGATIVE], true.shape)
    studies = [Study(f"s{row}", f"p{row // 2}", "validate", ()) for row in range(count)]
    sentences = [["There is a left pleural effusion."] if row[EFFUSION] == POSITIVE else [] for row in states]
    return DraftedSplit(studies, sentences, states, signs_of(likely, None, count), shown), true


def test_the_regression_learns_how_likely_conditions_are_and_what_it_has_not_seen_is_as_well_known() -> None:
    drafted, true = made(1500)
    calibration = Calibration("abc", fit_presence(drafted))
    assert np.abs(calibration.presence.probabilities(drafted.states, drafted.signs) - true).mean() < 0.03
    unseen = held_out(drafted, calibration)
    for present in (True, False):
        found = score_statements(drafted.statements(unseen, present), 1500, Resampling(resamples=20))
        assert found.calibration_error is not None and found.calibration_error.value < 0.03


def test_a_study_is_judged_without_any_of_its_patient() -> None:
    drafted, _ = made(60)
    before = held_out(drafted, Calibration("abc", fit_presence(drafted)))
    changed = DraftedSplit(drafted.studies, drafted.sentences, drafted.states, drafted.signs, drafted.shown.copy())
    changed.shown[:2] = ~changed.shown[:2]  # both studies of the first patient
    after = held_out(changed, Calibration("abc", fit_presence(changed)))
    assert np.array_equal(before[:2], after[:2], equal_nan=True)
    assert not np.array_equal(before, after, equal_nan=True)


def test_a_condition_is_not_assessed_where_few_show_it_or_the_sign_tells_nothing() -> None:
    drafted, _ = made(400)
    drafted.shown[:, 0] = False
    drafted.signs[:, 1] = np.random.default_rng(1).normal(size=drafted.signs[:, 1].shape)
    areas = sign_areas(drafted)
    assert areas[CONDITIONS[0]] is None
    assert areas[CONDITIONS[1]] == pytest.approx(0.5, abs=0.1)
    assert areas[CONDITIONS[2]] is not None and areas[CONDITIONS[2]] > 0.8


def test_a_model_without_probabilities_or_draws_is_known_by_what_it_states() -> None:
    drafted, _ = made(400)
    drafted.signs[:] = 0
    drafted.states[:, 0] = np.where(drafted.shown[:, 0], POSITIVE, NEGATIVE)
    areas = sign_areas(drafted)
    assert areas[CONDITIONS[0]] == 1
    assert areas[CONDITIONS[1]] == pytest.approx(0.5, abs=0.1)  # stated by chance
    fitted = Calibration("abc", fit_presence(drafted))
    likely = fitted.presence.probabilities(drafted.states, drafted.signs)[:, 0]
    assert likely[drafted.shown[:, 0]].min() > likely[~drafted.shown[:, 0]].max()


def test_the_threshold_gives_up_findings_that_are_nearly_all_wrong_and_no_others() -> None:
    drafted, true = made(2000)
    threshold = best_threshold(drafted, true, ())
    assert 0.05 < threshold < 0.45
    drafted.shown[:] = True
    assert best_threshold(drafted, np.ones_like(true), ()) == pytest.approx(0.48)  # nothing lies below any


def test_sizes_are_said_where_they_are_right() -> None:
    study = Study("s", "p", "validate", (), findings="A nodule of 2.1 cm.")
    empty = np.zeros((1, 18), np.int64)

    def right(text: str, count: int = LEAST_SIZES) -> bool:
        return sizes_are_right(DraftedSplit([study], [[text] * count], empty, np.zeros((1, 18, 2)), empty > 0))

    assert right("A 20 mm nodule.") and not right("A 4 cm mass.") and not right("A nodule.")
    assert not right("A 20 mm nodule.", LEAST_SIZES - 1)


def test_doubts_raise_precision_where_the_probabilities_tell() -> None:
    drafted, _ = made(600)
    calibration = Calibration("abc", fit_presence(drafted), withheld_below=0.3)
    drafted.states[:, [column for column in range(18) if column != EFFUSION]] = BLANK
    found = doubts_of(calibration, drafted)
    written, doubted, sure = (found.findings[form] for form in FORMS)
    assert written[0] > doubted[0] > sure[0] > 0
    assert written[1].value < doubted[1].value < sure[1].value
    assert found.hedged == doubted[0] - sure[0]
    assert found.withheld == {"Its finding is unlikely": written[0] - doubted[0]}
    assert json.loads(json.dumps(found.to_dict()))["findings"][FORMS[2]]["number"] == sure[0]


def test_the_verb_calibrates_a_checkpoint_and_its_drafts_say_what_is_not_assessed(
    checkpoint: Path, phantoms: PreparedDataset, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint, folder)
    split = "train"  # the others have too few patients here
    code, out, _ = run("calibrate", str(folder), "--data", str(phantoms.folder), "--split", split)
    assert code == 0 and "not assessed" not in out and "| assessed" in out
    reporter = load_reporter(folder)
    assert reporter.calibration is not None
    assert reporter.calibration == load_calibration(folder, reporter.fingerprint)
    means = reporter.calibration.measured["mean_probabilities"]
    assert list(means) == list(CONDITIONS) and all(0 < value < 1 for value in means.values())
    assert (folder / "calibration.png").stat().st_size > 1000
    card = (folder / "MODEL_CARD.md").read_text()
    run("calibrate", str(folder), "--data", str(phantoms.folder), "--split", split)
    assert (folder / "MODEL_CARD.md").read_text() == card and card.count("## What its drafts stand by") == 1
    view = reporter.view(phantoms.film(phantoms.split("test")[0]))
    draft = reporter.drafts([view], ["one"])[0]
    states = {finding.condition: finding.state for finding in draft.findings}
    assert reporter.calibration is not None and reporter.calibration.not_assessed
    assert {name for name, state in states.items() if state == "not assessed"} == set(reporter.calibration.not_assessed)
    for sentence in draft.sentences:
        assert not set(sentence.conditions) & set(reporter.calibration.not_assessed)
    # It goes with the weights, and is gone where these are trained again.
    reporter.save_pretrained(tmp_path / "saved")
    assert load_reporter(tmp_path / "saved").calibration == reporter.calibration


def test_too_few_patients_are_refused_in_one_line(
    checkpoint: Path, phantoms: PreparedDataset, run: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, error = run("calibrate", str(checkpoint), "--data", str(phantoms.folder), "--split", "validate")
    assert code == 1 and "too few patients to calibrate on; prepare more" in error
    assert not (checkpoint / CALIBRATION).exists()
