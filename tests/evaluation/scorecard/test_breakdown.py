"""Scores by severity, frequency and group, against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from radscribe.core.errors import WrongUse
from radscribe.evaluation.scorecard.breakdown import (
    agreement,
    agreement_by_group,
    by_frequency,
    by_normality,
    by_severity,
    mentions,
)
from radscribe.evaluation.scorecard.card import score
from radscribe.labels.conditions import CONDITIONS
from radscribe.metrics.clinical import score_states
from radscribe.metrics.significance import Resampling

FEW = Resampling(resamples=20)
EDEMA, EFFUSION, AORTA = (CONDITIONS.index(name) for name in ("edema", "pleural effusion", "aorta"))
PNEUMONIA, OPACITY = CONDITIONS.index("pneumonia"), CONDITIONS.index("lung opacity")


def states(*positives: tuple[int, ...]) -> np.ndarray:
    found = np.zeros((len(positives), 18), dtype=int)
    for row, columns in enumerate(positives):
        found[row, list(columns)] = 1
    return found


def test_severity_splits_the_positives_and_shares_false_alarms() -> None:
    true = states((EDEMA,), (EDEMA,), (EDEMA, EFFUSION), ())
    said = states((), (EDEMA,), (EDEMA, EFFUSION), (EDEMA, AORTA))
    severities = {"a": {"edema": 1}, "b": {"edema": 2}, "c": {"edema": 3, "pleural effusion": 3, "aorta": 1}}
    bands = by_severity("abcd", said, true, severities, FEW)
    assert [band.support for band in bands.values()] == [1, 1, 2]
    assert [band.recall.value for band in bands.values()] == [0, 1, 1]
    # one false alarm, shared 1 : 1 : 2
    assert [band.f1.value for band in bands.values()] == pytest.approx([0, 1 / (1 + 0.125), 2 / (2 + 0.25)])


def test_one_severity_for_all_gives_the_micro_average() -> None:
    rng = np.random.default_rng(0)
    said, true = (rng.integers(0, 4, (30, 14)) for _ in range(2))
    ids = [str(row) for row in range(30)]
    severities = {ids[row]: {CONDITIONS[column]: 2 for column in np.flatnonzero(true[row] == 1)} for row in range(30)}
    band = by_severity(ids, said, true, severities, FEW)["2"]
    micro = score_states(said, true, FEW).micro
    assert (band.recall.value, band.f1.value) == pytest.approx((micro.recall.value, micro.f1.value))


def test_frequency_bands_hold_each_condition_once() -> None:
    train = np.zeros((100, 18), dtype=int)
    train[:2, EDEMA], train[:10, EFFUSION], train[:60, PNEUMONIA] = 1, 1, 1
    true = states((EDEMA,), (EFFUSION,), (PNEUMONIA,))
    said = states((EDEMA,), (), (PNEUMONIA, EDEMA))
    bands = by_frequency(said, true, train, FEW)
    rare, middling, common = bands.values()
    assert [len(band.conditions) for band in bands.values()] == [12, 1, 1]
    assert (rare.support, rare.micro_f1.value, rare.macro_f1.value) == (1, pytest.approx(2 / 3), pytest.approx(2 / 36))
    assert (middling.micro_f1.value, common.micro_f1.value) == (0, 1)


def test_positive_and_uncertain_both_count_as_a_mention() -> None:
    found = np.zeros((4, 18), dtype=int)
    found[0, PNEUMONIA], found[1, OPACITY], found[2, PNEUMONIA], found[3, EDEMA] = 1, 3, 2, 1
    assert mentions(found).tolist() == [True, True, False, False]
    assert agreement(found, np.array([True, True, False, False]), resampling=FEW).value == 1


def test_agreement_within_groups() -> None:
    found = states((PNEUMONIA,), (), (), (PNEUMONIA,), ())
    actual = np.array([True, False, True, False, False])
    names = ("AP", "AP", "PA", "PA", "LL")
    by_group = agreement_by_group(found, actual, names, resampling=Resampling(tuple("vwxyz"), 20))
    assert by_group["LL"] is None
    assert (by_group["AP"].value, by_group["PA"].value) == (1, 0)
    with pytest.raises(WrongUse):
        agreement_by_group(found, actual, names[:2])


def test_normal_and_abnormal_studies_are_scored_apart() -> None:
    clear, sick = "The lungs are clear. The heart is normal.", "There is a small left pleural effusion."
    true = {"a": clear, "b": clear, "c": sick, "d": sick}
    said = {"a": clear, "b": sick, "c": sick, "d": clear}
    whole = score(said, true, metrics=("bleu", "rouge_l"))
    groups = whole.normality
    assert {name: group.studies for name, group in groups.items()} == {"normal": 2, "abnormal": 2}
    assert [group.called_normal.value for group in groups.values()] == [0.5, 0.5]
    assert groups["abnormal"].micro_f1_13.value == pytest.approx(2 / 3)  # one hit, one miss
    assert groups["normal"].micro_f1_13.value == 0
    for name, ids in (("normal", "ab"), ("abnormal", "cd")):
        alone = score({key: said[key] for key in ids}, {key: true[key] for key in ids}, metrics=("bleu", "rouge_l"))
        assert {figure: alone.nlg[figure] for figure in ("bleu_4", "rouge_l")} == dict(groups[name].language)
    assert set(by_normality(score(said, dict.fromkeys(true, sick)).per_study)) == {"abnormal"}
    always = score(dict.fromkeys(true, clear), true, metrics=()).normality
    assert always["normal"].called_normal.value == always["abnormal"].called_normal.value == 1
    assert not always["normal"].language
