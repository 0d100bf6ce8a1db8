"""The evidence drawn on the film."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import ABSTAINING, DRAFT, DRAFTS, MAPLESS, MODEL, case_in
from pydicom import dcmread

from radscribe.clinic.overlay import LONGEST, _words, overlay_object, overlay_picture
from radscribe.core.records import NOTICE, Draft


def coloured(picture: np.ndarray, high: int) -> np.ndarray:
    """Where the film's part of a picture is no grey: rows x columns."""
    film = picture[:high].astype(int)
    return np.ptp(film, axis=-1) > 60


def test_the_box_is_drawn_where_the_geometry_puts_it(tmp_path: Path) -> None:
    case = case_in(tmp_path)
    ((_, _, box),) = case.shown
    assert box is not None
    picture, scale = overlay_picture(case), LONGEST / 60
    drawn = coloured(picture, LONGEST)
    left, top, right, bottom = (round(edge * scale) for edge in box)
    row = drawn[top + 20 : bottom - 20]
    assert row[:, left - 3 : left + 4].any(1).mean() > 0.5 and row[:, right - 3 : right + 4].any(1).mean() > 0.5
    column = drawn[:, left + 20 : right - 20]
    assert column[top - 3 : top + 4].any(0).mean() > 0.5 and column[bottom - 3 : bottom + 4].any(0).mean() > 0.5


def test_the_film_keeps_its_shape_and_its_greys(tmp_path: Path) -> None:
    case = case_in(tmp_path, MAPLESS)
    picture = overlay_picture(case)
    assert picture.shape[1] == round(40 * LONGEST / 60) and picture.shape[0] > LONGEST
    film = picture[:LONGEST].astype(float)
    assert not coloured(picture, LONGEST).any()
    assert abs(film.mean() - case.pixels.mean()) < 3


def test_a_map_without_a_box_is_outlined_alone(tmp_path: Path) -> None:
    sentence = DRAFT.sentences[0]
    assert sentence.evidence is not None
    boxless = replace(sentence, evidence=replace(sentence.evidence, box=None))
    whole = coloured(overlay_picture(case_in(tmp_path)), LONGEST).sum()
    contours = coloured(overlay_picture(case_in(tmp_path, replace(DRAFT, sentences=(boxless,)))), LONGEST).sum()
    assert 0 < contours < whole


def test_the_words_below_carry_notice_model_sentence_warnings_and_abstention(tmp_path: Path) -> None:
    words = " ".join(text for text, _ in _words(case_in(tmp_path)))
    assert "There is a possible left pleural effusion. pleural effusion possible 0.46" in words
    assert NOTICE in words and MODEL["fingerprint"] in words and "Warning: its WindowWidth" in words
    assert "No place of the film" in _words(case_in(tmp_path, MAPLESS))[0][0]
    assert _words(case_in(tmp_path, ABSTAINING))[0][0] == "No draft: This is a lateral film."


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=DRAFTS)
def test_the_object_shows_the_picture_in_the_film_s_study(tmp_path: Path, draft: Draft) -> None:
    case = case_in(tmp_path, draft)
    overlay_object(case).save_as(tmp_path / "overlay.sc.dcm")
    found = dcmread(tmp_path / "overlay.sc.dcm")
    assert np.array_equal(found.pixel_array, overlay_picture(case))
    assert (found.PhotometricInterpretation, found.StudyInstanceUID) == ("RGB", "1.2.3")
    assert found.ImageType == ["DERIVED", "SECONDARY"]
    assert found.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"


def test_the_same_draft_gives_the_same_picture(tmp_path: Path) -> None:
    assert overlay_object(case_in(tmp_path)) == overlay_object(case_in(tmp_path))
