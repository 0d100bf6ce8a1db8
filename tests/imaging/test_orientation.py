"""Films that lie on their side, on their head or are seen from behind, as their headers say."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from radiographs import dicom, pixels_of

from radscribe.imaging.orientation import upright

UPRIGHT = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)


def laid(right: str, down: str, across: str) -> np.ndarray:
    """The upright film, whose columns go to the letter ``across``, as its rows go to ``right`` and columns ``down``."""
    height, width = UPRIGHT.shape
    rows, columns = (width, height) if right in "HF" else (height, width)
    down_at, right_at = np.mgrid[:rows, :columns]
    if right in "HF":
        down_at, right_at, right, down = right_at, down_at, down, right
    row = down_at if down == "F" else height - 1 - down_at
    column = right_at if right == across else width - 1 - right_at
    return UPRIGHT[row, column]


def ways(letters: str) -> list[tuple[str, str]]:
    return [*product(letters, "HF"), *product("HF", letters)]


@pytest.mark.parametrize("view", ["frontal", None])
@pytest.mark.parametrize(("right", "down"), ways("LR"))
def test_a_frontal_film_is_brought_to_left_and_feet(right: str, down: str, view: str | None) -> None:
    film = laid(right, down, "L")
    brought = upright(film, [right, down], view)
    assert np.array_equal(brought, UPRIGHT)
    assert brought.flags.c_contiguous


@pytest.mark.parametrize("view", ["lateral", None])
@pytest.mark.parametrize(("right", "down"), ways("AP"))
def test_a_lateral_film_is_turned_and_never_mirrored(right: str, down: str, view: str | None) -> None:
    film = laid(right, down, "P")
    brought = upright(film, [right, down], view)
    assert any(np.array_equal(brought, np.rot90(film, quarter)) for quarter in range(4))
    assert np.array_equal(brought, UPRIGHT) or np.array_equal(brought, UPRIGHT[:, ::-1])


@pytest.mark.parametrize(
    ("orientation", "view"),
    [
        ([], None),
        (["R"], None),
        ("RF", None),
        (["R", "F", "H"], None),
        (["R", "L"], None),
        (["F", "H"], None),
        (["RP", "F"], None),
        (["R", "FA"], "frontal"),
        (["X", "F"], None),
        (["R", "F"], "lateral"),
        (["P", "H"], "frontal"),
        (["", ""], None),
    ],
)
def test_a_header_that_leaves_a_doubt_moves_nothing(orientation: Any, view: str | None) -> None:
    assert upright(UPRIGHT, orientation, view) is UPRIGHT


@pytest.mark.parametrize(
    ("fields", "moved"),
    [
        ({"PatientOrientation": ["L", "F"]}, lambda film: film),
        ({"PatientOrientation": ["R", "F"]}, lambda film: film[:, ::-1]),
        ({"PatientOrientation": ["L", "H"]}, lambda film: film[::-1]),
        ({"PatientOrientation": ["R", "H"], "ViewPosition": "AP"}, lambda film: film[::-1, ::-1]),
        ({"PatientOrientation": ["F", "L"], "ViewPosition": None}, lambda film: film.T),
        ({"PatientOrientation": ["A", "H"], "ViewPosition": "LL"}, lambda film: film[::-1, ::-1]),
        ({"PatientOrientation": ["R", "F"], "ViewPosition": "LL"}, lambda film: film),
        ({"PatientOrientation": "RF"}, lambda film: film),
        ({"PatientOrientation": ""}, lambda film: film),
    ],
)
def test_the_header_of_a_file_is_obeyed(fields: dict[str, Any], moved: Any) -> None:
    film = (np.add.outer(np.arange(40) * 20, np.arange(50) * 61)).astype(np.uint16)
    assert np.array_equal(pixels_of(dicom(film, **fields)), moved(pixels_of(dicom(film))))
