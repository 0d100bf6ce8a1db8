"""Where the model's view, its maps and its boxes lie on a film, held against what the model is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from radscribe.imaging.crop import FilmConfig, centre_crop
from radscribe.imaging.film import fit

Logic = Callable[..., Any]
PACKAGED, TINY, ODD = FilmConfig(), FilmConfig(resize=72, crop=64), FilmConfig(resize=129, crop=112)


@pytest.mark.parametrize("config", [PACKAGED, TINY, ODD], ids=["packaged", "tiny", "odd"])
@pytest.mark.parametrize("shape", [(2000, 2000), (2400, 1900), (1500, 2800)])
def test_a_mark_on_the_film_is_found_where_the_model_sees_it(
    shape: tuple[int, int], config: FilmConfig, logic: Logic
) -> None:
    height, width = shape
    size = round(0.04 * max(shape))
    for across, down in ((0.4, 0.5), (0.6, 0.3), (0.5, 0.7)):
        film = np.zeros(shape, np.uint8)
        left, top = round(across * width), round(down * height)
        film[top : top + size, left : left + size] = 255
        view = centre_crop(fit(film, config.resize), config).astype(float)
        rows, columns = np.mgrid[0 : config.crop, 0 : config.crop] + 0.5
        middle = [float((place * view).sum() / view.sum() / config.crop) for place in (columns, rows)]
        given = {
            "film": {"width": width, "height": height},
            "view": {"resize": config.resize, "crop": config.crop},
            "point": middle,
        }
        found = logic("geometry", "m.pointOnFilm(given.point, m.viewOnFilm(given.film, given.view))", given)
        pixel = max(shape) / config.resize
        assert found == pytest.approx([left + size / 2, top + size / 2], abs=0.3 * pixel)


def test_a_box_is_cut_at_the_edge_of_the_film_and_is_none_beside_it(logic: Logic) -> None:
    # The view of a narrow film is padded to the left and right: the film fills the middle half of 256 pixels.
    given = {"film": {"width": 1000, "height": 2000}, "view": {"resize": 256, "crop": 224}}
    call = "m.boxOnFilm({}, m.viewOnFilm(given.film, given.view), given.film)"
    square = logic("geometry", "m.viewOnFilm(given.film, given.view)", given)
    assert square == pytest.approx({"left": -375, "top": 125, "width": 1750, "height": 1750})
    assert logic("geometry", call.format("[0, 0, 1, 1]"), given) == pytest.approx(
        {"left": 0, "top": 125, "width": 1000, "height": 1750}
    )
    assert logic("geometry", call.format("[0, 0, 0.2, 1]"), given) is None
    inside = logic("geometry", call.format("[0.5, 0.5, 0.6, 0.7]"), given)
    assert inside == pytest.approx({"left": 500, "top": 1000, "width": 175, "height": 350})


def test_zooming_leaves_the_place_under_the_pointer(logic: Logic) -> None:
    given = {"placement": {"scale": 0.5, "x": 30, "y": -20}, "point": [200, 100], "limits": {"least": 0.1, "most": 4}}
    after = logic("geometry", "m.zoomed(given.placement, 1.7, given.point, given.limits)", given)
    assert after["scale"] == pytest.approx(0.85)
    for axis, place in (("x", 200), ("y", 100)):
        before = (place - given["placement"][axis]) / 0.5  # type: ignore[index]
        assert (place - after[axis]) / after["scale"] == pytest.approx(before)
    most = logic("geometry", "m.zoomed(given.placement, 1000, given.point, given.limits)", given)
    assert most["scale"] == 4


def test_a_film_cannot_be_moved_out_of_sight(logic: Logic) -> None:
    given = {"film": {"width": 100, "height": 100}, "area": {"width": 400, "height": 300}}
    call = "m.keptInside({scale: 2, x: given.x, y: given.x}, given.film, given.area)"
    assert logic("geometry", call, {**given, "x": -9999}) == {"scale": 2, "x": -100, "y": -100}
    assert logic("geometry", call, {**given, "x": 9999}) == {"scale": 2, "x": 300, "y": 200}


@pytest.mark.parametrize("level", [0.2, 0.6, 0.85])
def test_contours_hold_what_reaches_the_level_and_nothing_else(level: float, logic: Logic) -> None:
    from matplotlib.path import Path

    random = np.random.default_rng(5)
    rows, columns = np.mgrid[0:20, 0:24]
    hills = [(random.uniform(0, 20), random.uniform(0, 24), random.uniform(2, 5)) for _ in range(4)]
    values = np.max([np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * s * s)) for y, x, s in hills], axis=0)
    lines = logic("contours", "m.contours(given.values, given.level)", {"values": values.tolist(), "level": level})
    assert lines
    inside = np.zeros(values.shape, int)
    middles = np.stack([(columns.ravel() + 0.5) / 24, (rows.ravel() + 0.5) / 20], axis=1)
    for line in lines:
        inside += Path([*line, line[0]], closed=True).contains_points(middles).reshape(values.shape)
    clear = abs(values - level) > 1e-9
    assert ((inside % 2 == 1) == (values >= level))[clear].all()


def test_a_contour_at_the_edge_of_a_map_is_closed_along_it(logic: Logic) -> None:
    lines = logic("contours", "m.contours([[1, 0], [1, 0]], 0.5)")
    assert len(lines) == 1
    across, down = np.array(lines[0]).T
    assert (across.min(), down.min(), down.max()) == (0, 0, 1) and across.max() == pytest.approx(0.5)
