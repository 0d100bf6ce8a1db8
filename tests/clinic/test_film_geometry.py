"""Places of the model's view in the film's own pixels, by the pipeline itself as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from radscribe.clinic.geometry import Box, FilmGeometry
from radscribe.imaging.crop import FilmConfig, centre_crop
from radscribe.imaging.film import fit
from radscribe.imaging.orientation import upright

FRONTAL = [(), *[(a, b) for pair in (("LR", "HF"), ("HF", "LR")) for a in pair[0] for b in pair[1]]]
LATERAL = [(a, b) for pair in (("AP", "HF"), ("HF", "AP")) for a in pair[0] for b in pair[1]]
CASES = [*((each, "frontal") for each in FRONTAL), *((each, "lateral") for each in LATERAL), (("L", "F"), "lateral")]
SIDES = st.integers(40, 400)
CONFIGS = st.sampled_from([FilmConfig(256, 224), FilmConfig(64, 48), FilmConfig(96, 96), FilmConfig(97, 64)])
EDGES = st.tuples(st.floats(0, 0.85), st.floats(0, 0.85), st.floats(0.1, 0.9), st.floats(0.1, 0.9))


def box_of(edges: tuple[float, float, float, float]) -> Box:
    left, top, wide, high = edges
    return left, top, min(1.0, left + wide), min(1.0, top + high)


@given(SIDES, SIDES, CONFIGS, st.sampled_from(CASES), EDGES)
def test_what_is_painted_at_the_place_on_the_film_appears_at_the_box_of_the_view(
    rows: int, columns: int, config: FilmConfig, how: tuple[tuple[str, ...], str], edges: tuple[float, ...]
) -> None:
    orientation, view = how
    geometry = FilmGeometry(rows, columns, config, orientation, view)
    box = box_of(edges)  # type: ignore[arg-type]
    placed = geometry.on_film(box)
    assume(placed is not None)
    assert placed is not None
    left, top, right, bottom = (round(edge) for edge in placed)
    assume(right > left and bottom > top)
    film = np.zeros((rows, columns), np.uint8)
    film[top:bottom, left:right] = 255
    seen = centre_crop(fit(upright(film, orientation, view), config.resize), config) > 127
    assume(seen.any())
    down, across = np.nonzero(seen)
    # What the view shows of the box: without the padding, where there is no film.
    upright_box = geometry.on_upright(box)
    assert upright_box is not None
    shown = []
    for edge, (begin, end) in zip(upright_box, geometry.spans * 2, strict=True):
        shown.append((edge - begin) / (end - begin) * config.crop)
    # Half a pixel of the film, as edges were rounded to pixels, and one of the view.
    tolerance = 1 + 0.51 * config.resize / max(rows, columns)
    found = (across.min(), down.min(), across.max() + 1, down.max() + 1)
    for at, expected in zip(found, shown, strict=True):
        assert abs(at - min(max(expected, 0), config.crop)) <= tolerance


@given(SIDES, SIDES, CONFIGS, st.sampled_from(CASES), EDGES)
def test_a_place_lies_on_the_film_and_keeps_its_share_of_it(
    rows: int, columns: int, config: FilmConfig, how: tuple[tuple[str, ...], str], edges: tuple[float, ...]
) -> None:
    geometry = FilmGeometry(rows, columns, config, *how)
    box = box_of(edges)  # type: ignore[arg-type]
    placed, before = geometry.on_film(box), geometry.on_upright(box)
    assert (placed is None) == (before is None)
    if placed is None or before is None:
        return
    left, top, right, bottom = placed
    assert 0 <= left < right <= columns and 0 <= top < bottom <= rows
    area = (before[2] - before[0]) * (before[3] - before[1])
    assert (right - left) * (bottom - top) == pytest.approx(area)


def test_the_whole_of_an_uncut_square_is_the_whole_film_exactly() -> None:
    geometry = FilmGeometry(1000, 1000, FilmConfig(256, 256))
    assert geometry.on_film((0, 0, 1, 1)) == (0, 0, 1000, 1000)
    assert geometry.on_film((0.25, 0.5, 0.5, 0.75)) == (250, 500, 500, 750)


def test_a_tall_film_is_measured_by_hand() -> None:
    # 1955 x 1841 in 256: 241 columns of it, 7 of padding at the left; 224 of them from the 16th pixel on.
    geometry = FilmGeometry(1955, 1841, FilmConfig(256, 224))
    left, top, right, bottom = geometry.on_film((0.1, 0.5, 0.4, 0.8)) or ()
    assert left == pytest.approx((16 + 22.4 - 7) / 241 * 1841)
    assert right == pytest.approx((16 + 89.6 - 7) / 241 * 1841)
    assert top == pytest.approx(1955 * 0.5) and bottom == pytest.approx((16 + 0.8 * 224) / 256 * 1955)


def test_a_film_mirrored_by_its_header_is_measured_from_its_other_edge() -> None:
    geometry = FilmGeometry(100, 100, FilmConfig(64, 64), ("R", "F"), "frontal")
    assert geometry.on_film((0.0, 0.0, 0.25, 0.5)) == (75, 0, 100, 50)
    on_its_side = FilmGeometry(100, 200, FilmConfig(64, 64), ("F", "L"), "frontal")
    assert on_its_side.shape == (200, 100)
    assert on_its_side.on_film((0.25, 0.0, 0.75, 0.25)) == (0, 0, 50, 100)


def test_a_box_in_the_padding_is_nowhere_on_the_film() -> None:
    assert FilmGeometry(100, 10, FilmConfig(64, 64)).on_film((0.0, 0.0, 0.2, 1.0)) is None
    with pytest.raises(ValueError, match="0 x 5"):
        FilmGeometry(0, 5, FilmConfig(64, 64))
