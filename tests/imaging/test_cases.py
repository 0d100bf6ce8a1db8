"""The smallest films that once went wrong, and what each must give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radscribe.imaging.film import Film, read_film


@pytest.fixture
def cases(shared_data: Path) -> Path:
    folder = shared_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip("the folder of cases is absent")
    return folder


def films(folder: Path) -> dict[str, Film]:
    return {path.name: read_film(path) for path in sorted(folder.iterdir()) if path.name != "README"}


@pytest.mark.parametrize("name", ["bodypart-words", "modality-dr", "no-preamble", "type1-missing"])
def test_films_that_were_refused_are_read(cases: Path, name: str) -> None:
    plain = read_film(cases / "j2k-overlay" / "overlay-native.dcm")
    for film in films(cases / name).values():
        assert film.view == "frontal" and film.pixels.shape == plain.pixels.shape
        if "rgb" not in film.source:
            assert np.array_equal(film.pixels, plain.pixels)


def test_spellings_of_monochrome1_are_monochrome1(cases: Path) -> None:
    plain = read_film(cases / "modality-dr" / "modality-dr.dcm")
    for film in films(cases / "code-string-spelling").values():
        assert np.array_equal(film.pixels, 255 - plain.pixels)


@pytest.mark.parametrize("name", ["window-unreadable", "voi-table-unreadable"])
def test_what_cannot_be_read_is_disregarded_with_a_warning(cases: Path, name: str) -> None:
    plain = read_film(cases / "modality-dr" / "modality-dr.dcm")
    for film in films(cases / name).values():
        assert np.array_equal(film.pixels, plain.pixels) and film.warnings


def test_compressed_colours_and_overlays_give_the_picture(cases: Path) -> None:
    found = films(cases / "compressed-planar")
    for name, film in found.items():
        plain = found["jpeg-planar0.dcm" if name.startswith("jpeg") else "j2k-RGB-planar0.dcm"]
        assert np.array_equal(film.pixels, plain.pixels)
    overlay = films(cases / "j2k-overlay")
    assert np.array_equal(overlay["overlay-j2k.dcm"].pixels, overlay["overlay-native.dcm"].pixels)


def test_pictures_give_the_picture(cases: Path) -> None:
    found = films(cases / "png16-colour")
    for film in found.values():
        assert np.array_equal(film.pixels, found["grey16.png"].pixels)
    assert read_film(cases / "phone-mpo" / "phone.jpg").pixels.shape == (96, 80)
