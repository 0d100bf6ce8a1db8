"""What a model sees of a film: size, place and angle of the cut, and that left stays left."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from radscribe.imaging.crop import FilmConfig, augmented, centre_crop, only_edge, without_edge

SMALL = FilmConfig(resize=64, crop=48, rotation=5)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)


def film_with_a_left_mark() -> NDArray[np.uint8]:
    """Dark but for a bright block in the upper left quarter."""
    film = np.zeros((64, 64), dtype=np.uint8)
    film[18:24, 18:24] = 255
    return film


def test_the_paper_names_the_crop_alone_and_the_rest_is_its_baseline() -> None:
    assert FilmConfig() == FilmConfig(resize=256, crop=224, rotation=5.0)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (300, 64), (50, 90)])
def test_any_film_becomes_a_square_of_the_crop(height: int, width: int) -> None:
    film = noise(height, width)
    for view in (centre_crop(film, SMALL), augmented(film, SMALL, np.random.default_rng(1))):
        assert view.shape == (48, 48) and view.dtype == np.uint8


def test_evaluation_takes_the_middle_of_the_resized_film() -> None:
    film = noise(64, 64)
    assert np.array_equal(centre_crop(film, SMALL), film[8:56, 8:56])
    larger = noise(128, 100)
    resized = np.asarray(Image.fromarray(larger).resize((64, 64), Image.Resampling.BILINEAR))
    assert np.array_equal(centre_crop(larger, SMALL), resized[8:56, 8:56])


def test_training_without_rotation_shifts_by_whole_pixels_to_every_place() -> None:
    film, config = noise(64, 64), FilmConfig(resize=64, crop=48, rotation=0)
    places = {film[y : y + 48, x : x + 48].tobytes(): (y, x) for y in range(17) for x in range(17)}
    random = np.random.default_rng(2)
    seen = {places[augmented(film, config, random).tobytes()] for _ in range(400)}
    assert {place[0] for place in seen} == {place[1] for place in seen} == set(range(17))


def test_training_turns_at_most_by_the_configured_angle_either_way() -> None:
    """Turned about its middle and cut nowhere, a line through the middle shows its angle."""
    config = FilmConfig(resize=64, crop=64, rotation=5)
    film = np.zeros((64, 64), dtype=np.uint8)
    film[:, 31:33] = 255
    random, slopes = np.random.default_rng(3), []
    for _ in range(60):
        view = augmented(film, config, random).astype(float)
        centres = (view * np.arange(64)).sum(1)[4:60] / view.sum(1)[4:60]
        slopes.append(np.degrees(np.arctan(np.polyfit(np.arange(4, 60), centres, 1)[0])))
    assert max(map(abs, slopes)) < 5.2
    assert min(slopes) < -3 and max(slopes) > 3


def test_a_film_grows_and_shrinks_about_its_middle() -> None:
    film = np.zeros((64, 64), dtype=np.uint8)
    film[16:48, 16:48] = 255
    config, random = FilmConfig(resize=64, crop=64, rotation=0, scale=0.25), np.random.default_rng(6)
    sides = []
    for _ in range(60):
        bright = augmented(film, config, random) > 127
        rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        sides.append(len(rows))
        assert abs(rows.mean() - 31.5) <= 1 and abs(columns.mean() - 31.5) <= 1 and len(rows) == len(columns)
    assert 25 <= min(sides) <= 27 and 38 <= max(sides) <= 40


def test_contrast_changes_and_black_and_white_stay() -> None:
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    ramp[:, -1] = 255
    config, random = FilmConfig(resize=64, crop=64, rotation=0, gamma=0.5), np.random.default_rng(7)
    middles = []
    for _ in range(60):
        view = augmented(ramp, config, random)
        assert view.min() == 0 and view.max() == 255 and (np.diff(view[0].astype(int)) >= 0).all()
        middles.append(int(view[0, 32]))
    assert 85 < min(middles) < 100 and 155 < max(middles) < 165  # 128 at the power of 1.5 is 90, of its inverse 161


def test_of_a_share_of_films_the_edge_is_blank() -> None:
    film = noise(64, 64)
    config, random = FilmConfig(resize=64, crop=64, rotation=0, edge=0.4), np.random.default_rng(8)
    blank = [np.array_equal(augmented(film, config, random), without_edge(film)) for _ in range(200)]
    assert 60 <= sum(blank) <= 100
    edge, rest = only_edge(film), without_edge(film)
    assert len(np.unique(rest[:4])) == 1 and len(np.unique(edge[4:-4, 4:-4])) == 1
    assert np.array_equal(rest[4:-4, 4:-4], film[4:-4, 4:-4]) and np.array_equal(edge[:, :4], film[:, :4])


@pytest.mark.parametrize("change", [{"scale": 0.5}, {"gamma": -0.1}, {"edge": 1.5}])
def test_changes_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="scale must be within"):
        FilmConfig(**change)  # type: ignore[arg-type]


def test_training_never_swaps_left_and_right() -> None:
    film, random = film_with_a_left_mark(), np.random.default_rng(4)
    for _ in range(50):
        view = augmented(film, SMALL, random).astype(float)
        assert view[:, :24].sum() > 3 * view[:, 24:].sum()
        assert view[:24].sum() > 3 * view[24:].sum()


def test_the_same_generator_gives_the_same_view_and_the_film_stays_as_it_was() -> None:
    film = noise(80, 70)
    before = film.copy()
    first, again, other = (augmented(film, SMALL, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(film, before)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"crop": 16}, "crop 16 must lie between 32 and resize 256"),
        ({"resize": 200}, "crop 224 must lie between 32 and resize 200"),
        ({"crop": 40}, "crop 40 must be a multiple"),
    ],
)
def test_a_crop_that_no_encoder_reads_is_refused(settings: dict[str, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        FilmConfig(**settings)
