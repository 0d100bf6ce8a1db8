"""Triplets (entity, place, present) read from sentences of our own."""

from __future__ import annotations

import pytest

from radscribe.labels.entities import ENTITIES, PLACES
from radscribe.labels.places import MIRRORED
from radscribe.labels.triplets import extract_triplets

CASES = {
    "Small left pleural effusion.": {("effusion", "left_pleural", 1)},
    "No effusion or pneumothorax.": {("effusion", "pleural_unspec", 0), ("pneumothorax", "pleural_unspec", 0)},
    "Bilateral pleural effusions.": {("effusion", "left_pleural", 1), ("effusion", "right_pleural", 1)},
    "Left effusion but no pneumothorax.": {("effusion", "left_pleural", 1), ("pneumothorax", "pleural_unspec", 0)},
    "There is a left effusion and right lower lobe opacity.": {
        ("effusion", "left_pleural", 1),
        ("opacity", "lower_right_lobe", 1),
    },
    "Opacity in the left upper lobe.": {("opacity", "upper_left_lobe", 1)},
    "Bibasilar atelectasis.": {("atelectasis", "left_lower_lung", 1), ("atelectasis", "right_lower_lung", 1)},
    "Possible pneumonia in the right middle lobe.": {("pneumonia", "middle_right_lobe", 1)},
    "Cardiomegaly.": {("cardiomegaly", "heart_size", 1)},
    "The heart is not enlarged.": {("enlarge", "heart_size", 0)},
    "Heart size is normal.": {("normal", "heart_size", 1)},
    "Heart size and mediastinal contours are normal.": {("normal", "heart_size", 1), ("normal", "mediastinal", 1)},
    "Normal heart size and mediastinal contours.": {("normal", "heart_size", 1), ("normal", "mediastinal", 1)},
    "The lungs are clear.": {("clear", "pulmonary", 1)},
    "Displaced right rib fractures.": {("fracture", "rib", 1)},
    "Elevated right hemidiaphragm.": {("elevation", "right_diaphragm", 1)},
    "Blunting of the left costophrenic angle.": {("blunt", "left_costophrenic", 1)},
    "Degenerative changes of the spine.": {("degenerative", "spine", 1)},
    "The aorta is tortuous.": {("tortuous", "aorta", 1)},
    "Low lung volumes.": {("low", "lung_volumes", 1)},
    "The lungs are hyperinflated.": {("hyperinflate", "lung_volumes", 1)},
    "Catheter tip in the SVC.": {("catheter", "svc", 1), ("tip", "svc", 1)},
    "Retrocardiac opacity.": {("opacity", "retrocardiac", 1)},
    "Opacities are not seen.": {("opacity", "pulmonary", 0)},
    "": set(),
    "The patient was rotated.": set(),
}


@pytest.mark.parametrize(("text", "expected"), CASES.items(), ids=list(CASES))
def test_triplets(text: str, expected: set[tuple[str, str, int]]) -> None:
    assert {(ENTITIES[entity], PLACES[place], present) for entity, place, present in extract_triplets(text)} == expected


def test_an_affirmed_triplet_beats_a_denied_one_and_appears_once() -> None:
    triplets = extract_triplets("No left effusion. Left effusion. No left effusion.")
    assert triplets == [(ENTITIES.index("effusion"), PLACES.index("left_pleural"), 1)]


def test_every_entity_but_the_excluded_is_found_by_its_own_name() -> None:
    without_words = {"tail_abnorm_obs", "excluded_obs"}
    for index, name in enumerate(ENTITIES):
        if name not in without_words:
            assert index in {entity for entity, _, _ in extract_triplets(f"There is {name}.")}, name


def test_mirrored_places_are_the_other_side_and_come_back() -> None:
    for place, name in enumerate(PLACES):
        other = PLACES[MIRRORED[place]]
        assert MIRRORED[MIRRORED[place]] == place
        swapped = name.replace("left", "#").replace("right", "left").replace("#", "right")
        assert other == (swapped if swapped in PLACES else name)
