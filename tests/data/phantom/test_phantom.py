"""Phantom films: repeatable, true to their plan, and marked where their masks say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radscribe.data.phantom import Finding, PatientPlan, generate, has_lateral, patients, render_study
from radscribe.data.phantom.anatomy import compose, plain_form, sample_thorax
from radscribe.data.phantom.cohort import MOST_FINDINGS
from radscribe.data.phantom.exposure import Frame, sample_pose
from radscribe.data.phantom.lesions import MARKS
from radscribe.data.phantom.render import midline
from radscribe.labels.conditions import CHEXBERT_CONDITIONS, CONDITIONS, NO_FINDING, POSITIVE, UNCERTAIN

SIDED = (
    "lung opacity",
    "lung lesion",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural effusion",
    "pleural other",
    "fracture",
)


def plan_of(*findings: Finding, number: int = 0) -> PatientPlan:
    return PatientPlan(seed=5, number=number, visits=(findings,))


def finding_of(condition: str, severity: int = 2, side: str = "left") -> Finding:
    kind = {"support devices": "central line", "lung volume abnormal": "low"}.get(condition, "")
    return Finding(condition, severity, side, "mid", kind)


def test_the_same_seed_gives_the_same_studies_in_any_order() -> None:
    first = {study.study_id: study for study in generate(6, seed=3, lateral_share=0.5)}
    plans = patients(6, seed=3)
    for plan in reversed(plans):
        for visit in reversed(range(len(plan.visits))):
            again = render_study(plan, visit, lateral=has_lateral(plan, visit, 0.5))
            before = first[again.study_id]
            assert again.findings == before.findings
            assert again.labels == before.labels
            assert [view for view, _ in again.films] == [view for view, _ in before.films]
            for (_, film), (_, earlier) in zip(again.films, before.films, strict=True):
                np.testing.assert_array_equal(film, earlier)


def test_another_seed_gives_other_films() -> None:
    first, second = (next(generate(1, seed=seed)) for seed in (0, 1))
    assert (first.films[0][1] != second.films[0][1]).mean() > 0.5


@pytest.mark.parametrize("studies", [1, 2, 57, 400])
def test_visits_sum_to_the_studies_asked_for(studies: int) -> None:
    plans = patients(studies, seed=9)
    assert sum(len(plan.visits) for plan in plans) == studies
    assert all(plan.visits for plan in plans)
    assert len({plan.patient_id for plan in plans}) == len(plans)


def test_a_larger_cohort_begins_with_the_smaller_one() -> None:
    assert patients(300, seed=2)[:100] == patients(200, seed=2)[:100]


def test_films_are_square_bytes_of_good_contrast_and_the_frontal_comes_first() -> None:
    study = render_study(plan_of(), 0, lateral=True)
    assert [view for view, _ in study.films] == ["frontal", "lateral"]
    for _, film in study.films:
        assert film.shape == (256, 256)
        assert film.dtype == np.uint8
        assert film.std() > 30


def test_lungs_are_darker_than_the_heart_and_the_liver() -> None:
    random = np.random.default_rng(0)
    thorax, pose = sample_thorax(random), sample_pose(random)
    layers = compose(thorax, plain_form(thorax, pose), pose, Frame(pose, 256))
    lung = layers.attenuation[layers.air > 0.8].mean()
    assert lung < 0.6 * layers.attenuation[layers.heart > 0.6].mean()
    assert lung < 0.6 * layers.attenuation[(layers.frame.y > 0.6) & (np.abs(layers.frame.x) < 0.4)].mean()


def test_anatomy_stays_over_visits_while_the_pose_changes() -> None:
    nodule = finding_of("lung lesion", severity=3)
    plan = PatientPlan(seed=5, number=1, visits=((nodule,), (nodule,)))
    earlier, later = (render_study(plan, visit) for visit in (0, 1))
    assert (earlier.films[0][1] != later.films[0][1]).any()
    # The nodule's place in the patient is fixed; only pose and breathing move it on the film.
    places = [np.argwhere(study.masks["lung lesion"]).mean(axis=0) for study in (earlier, later)]
    assert np.abs(places[0] - places[1]).max() < 60
    other = render_study(replace(plan, number=2), 0)
    assert other.masks["lung lesion"].any()


@pytest.mark.parametrize("condition", [name for name in CONDITIONS if name in MARKS])
@pytest.mark.parametrize("severity", [1, 3])
def test_each_condition_changes_the_film_inside_its_mask(condition: str, severity: int) -> None:
    """Same patient, pose and noise, with and without the condition."""
    finding = finding_of(condition, severity)
    changes = []
    for number in range(3):
        ill = render_study(plan_of(finding, number=number), 0)
        well = render_study(plan_of(number=number), 0)
        mask = ill.masks[condition]
        assert mask.dtype == np.bool_
        assert mask.shape == (256, 256)
        assert 10 < mask.sum() < 0.5 * mask.size
        difference = np.abs(ill.films[0][1].astype(float) - well.films[0][1].astype(float))
        changes.append((difference[mask].mean(), difference[~mask].mean()))
    inside, outside = np.mean(changes, axis=0)
    assert inside > 4
    assert inside > 1.5 * outside


@pytest.mark.parametrize("condition", SIDED)
@pytest.mark.parametrize("side", ["left", "right"])
def test_masks_lie_on_the_stated_side(condition: str, side: str) -> None:
    """The patient's right is the image's left."""
    for number in range(4):
        plan = plan_of(finding_of(condition, side=side), number=number)
        study = render_study(plan, 0)
        rows, columns = np.nonzero(study.masks[condition])
        on_image_right = columns > midline(plan, 0)[rows]
        assert (on_image_right if side == "left" else ~on_image_right).mean() > 0.95
        assert study.sides[condition] == side


def test_a_bilateral_mask_lies_on_both_sides() -> None:
    plan = plan_of(finding_of("pleural effusion", side="bilateral"))
    rows, columns = np.nonzero(render_study(plan, 0).masks["pleural effusion"])
    share = (columns > midline(plan, 0)[rows]).mean()
    assert 0.2 < share < 0.8


def test_masks_grow_with_severity() -> None:
    for condition in ("pleural effusion", "pneumothorax", "lung lesion", "cardiomegaly", "consolidation"):
        sizes = [
            np.mean(
                [
                    render_study(plan_of(finding_of(condition, grade), number=number), 0).masks[condition].sum()
                    for number in range(3)
                ]
            )
            for grade in (1, 2, 3)
        ]
        assert sizes[0] < sizes[1] < sizes[2], condition


def test_airspace_disease_is_a_lung_opacity_too() -> None:
    study = render_study(plan_of(finding_of("pneumonia", 2, "left"), finding_of("consolidation", 3, "right")), 0)
    assert study.severities["lung opacity"] == 3
    assert study.sides["lung opacity"] == "bilateral"
    np.testing.assert_array_equal(study.masks["lung opacity"], study.masks["pneumonia"] | study.masks["consolidation"])


def test_labels_agree_with_the_film() -> None:
    for study in generate(60, seed=8, lateral_share=0.0):
        stated = {
            name
            for name, state in zip(CHEXBERT_CONDITIONS, study.labels, strict=False)
            if state in (POSITIVE, UNCERTAIN) and name != CONDITIONS[NO_FINDING]
        }
        assert stated == set(study.severities) & set(CHEXBERT_CONDITIONS)
        assert set(study.masks) == set(study.severities) == set(study.sides)


def test_rates_have_a_long_tail() -> None:
    visits = [visit for plan in patients(6000, seed=4) for visit in plan.visits]
    rates = {
        name: np.mean([any(finding.condition == name for finding in visit) for visit in visits])
        for name in CHEXBERT_CONDITIONS
    }
    counted = set(CHEXBERT_CONDITIONS) - {"support devices"}
    normal = np.mean([not any(finding.condition in counted for finding in visit) for visit in visits])
    assert normal == pytest.approx(0.33, abs=0.05)
    assert rates["support devices"] == pytest.approx(0.25, abs=0.03)
    assert rates["pleural effusion"] == pytest.approx(0.22, abs=0.03)
    assert rates["cardiomegaly"] == pytest.approx(0.21, abs=0.03)
    assert 0.006 < rates["pleural other"] < 0.018
    assert 0.01 < rates["fracture"] < 0.04
    assert max(len(visit) for visit in visits) <= MOST_FINDINGS
    assert {finding.severity for visit in visits for finding in visit} == {1, 2, 3}


def test_heart_failure_brings_edema_with_it() -> None:
    visits = [{finding.condition for finding in visit} for plan in patients(4000, seed=4) for visit in plan.visits]
    with_heart = np.mean(["edema" in visit for visit in visits if "cardiomegaly" in visit])
    without = np.mean(["edema" in visit for visit in visits if "cardiomegaly" not in visit])
    assert with_heart > 4 * without
