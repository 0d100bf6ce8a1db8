"""Films with all their levels: the window that comes with them shows what the model's eight bits show."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from radiographs import COLOURS, RAMP, dicom

from radscribe.imaging.film import read_film
from radscribe.imaging.full_depth import FullFilm, full_size, read_full_film

DEEP = {
    "as stored": {},
    "window": {"WindowCenter": 2000, "WindowWidth": 3000},
    "window beyond the film": {"WindowCenter": 2000, "WindowWidth": 9000},
    "inverted": {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 2000, "WindowWidth": 3000},
    "rescaled": {"RescaleSlope": 0.25, "RescaleIntercept": -100, "WindowCenter": 300, "WindowWidth": 900},
    "turned": {"PatientOrientation": ["F", "L"], "WindowCenter": 2000, "WindowWidth": 3000},
    "signed": {
        "PixelRepresentation": 1,
        "WindowCenter": 100,
        "WindowWidth": 3000,
        "pixels": RAMP.astype(np.int16) - 2048,
    },
}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def shown(film: FullFilm) -> np.ndarray:
    """The film in eight bits, by its window."""
    share = (film.levels.astype(float) - film.black) / (film.white - film.black)
    return (255 * share).clip(0, 255)


@pytest.mark.parametrize("name", DEEP)
def test_the_window_of_a_deep_film_shows_what_the_model_reads(name: str, tmp_path: Path) -> None:
    fields = dict(DEEP[name])
    path = written(tmp_path / "film.dcm", dicom(fields.pop("pixels", RAMP), **fields))
    full, model = read_full_film(path, "film"), read_film(path)
    assert full.levels.dtype == np.uint16 and full.levels.shape == model.pixels.shape
    assert np.abs(shown(full) - model.pixels).max() < 2
    assert len(np.unique(full.levels)) == len(np.unique(RAMP))
    assert full_size(path, model) == (*full.levels.shape[::-1], 16)


def test_padding_is_black_and_does_not_move_the_window(tmp_path: Path) -> None:
    pixels = RAMP.copy()
    pixels[:8] = 4000
    fields = {"PixelPaddingValue": 4000, "WindowCenter": 2000, "WindowWidth": 3000}
    full = read_full_film(written(tmp_path / "film.dcm", dicom(pixels, **fields)), "film")
    assert (full.levels[:8] == 0).all() and (full.levels[8:, -1] == 4095).all()
    assert abs(full.black - 500) <= 3000 / 255  # a step of the eight bits


def test_films_of_eight_bits_are_what_the_model_reads(tmp_path: Path) -> None:
    colours = np.stack([np.tile(np.arange(64, dtype=np.uint8), (48, 1))] * 3, -1)
    picture = BytesIO()
    Image.fromarray(colours).save(picture, "JPEG")
    for name, content in {"film.dcm": dicom(colours, **COLOURS), "film.jpg": picture.getvalue()}.items():
        path = written(tmp_path / name, content)
        full, model = read_full_film(path, "film"), read_film(path)
        assert (full.levels == model.pixels).all() and (full.black, full.white, full.bits) == (0, 255, 8)
        assert full_size(path, model) == (64, 48, 8)


def test_a_deep_png_keeps_its_levels_and_comes_back_from_its_own(tmp_path: Path) -> None:
    picture = BytesIO()
    Image.fromarray(RAMP).save(picture, "PNG")
    path = written(tmp_path / "film.png", picture.getvalue())
    full = read_full_film(path, "film")
    assert (full.levels == RAMP).all() and full_size(path, read_film(path)) == (64, 48, 16)
    assert np.abs(shown(full) - read_film(path).pixels).max() < 2
    assert (np.asarray(Image.open(BytesIO(full.png()))) == RAMP).all()


def test_a_turned_photograph_is_as_wide_as_it_is_shown(tmp_path: Path) -> None:
    picture, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (48, 1))).save(picture, "JPEG", exif=exif)
    path = written(tmp_path / "film.jpg", picture.getvalue())
    assert full_size(path, read_film(path, longest=16)) == (48, 64, 8)
    assert read_full_film(path, "film").levels.shape == (64, 48)
