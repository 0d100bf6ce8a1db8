"""The smallest films that once went wrong, and what each must give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radscribe.imaging.film import Film, read_film


def films(folder: Path) -> dict[str, Film]:
    return {path.name: read_film(path) for path in sorted(folder.iterdir()) if path.name != "README"}


@pytest.mark.parametrize("name", ["bodypart-words", "modality-dr", "no-preamble", "type1-missing"])
def test_films_that_were_refused_are_read(shared_cases: Path, name: str) -> None:
    plain = read_film(shared_cases / "j2k-overlay" / "overlay-native.dcm")
    for film in films(shared_cases / name).values():
        assert film.view == "frontal" and film.pixels.shape == plain.pixels.shape
        if "rgb" not in film.source:
            assert np.array_equal(film.pixels, plain.pixels)


def test_spellings_of_monochrome1_are_monochrome1(shared_cases: Path) -> None:
    plain = read_film(shared_cases / "modality-dr" / "modality-dr.dcm")
    for film in films(shared_cases / "code-string-spelling").values():
        assert np.array_equal(film.pixels, 255 - plain.pixels)


@pytest.mark.parametrize("name", ["window-unreadable", "voi-table-unreadable"])
def test_what_cannot_be_read_is_disregarded_with_a_warning(shared_cases: Path, name: str) -> None:
    plain = read_film(shared_cases / "modality-dr" / "modality-dr.dcm")
    for film in films(shared_cases / name).values():
        assert np.array_equal(film.pixels, plain.pixels) and film.warnings


def test_compressed_colours_and_overlays_give_the_picture(shared_cases: Path) -> None:
    found = films(shared_cases / "compressed-planar")
    for name, film in found.items():
        plain = found["jpeg-planar0.dcm" if name.startswith("jpeg") else "j2k-RGB-planar0.dcm"]
        assert np.array_equal(film.pixels, plain.pixels)
    overlay = films(shared_cases / "j2k-overlay")
    assert np.array_equal(overlay["overlay-j2k.dcm"].pixels, overlay["overlay-native.dcm"].pixels)


def test_pictures_give_the_picture(shared_cases: Path) -> None:
    found = films(shared_cases / "png16-colour")
    for film in found.values():
        assert np.array_equal(film.pixels, found["grey16.png"].pixels)
    assert read_film(shared_cases / "phone-mpo" / "phone.jpg").pixels.shape == (96, 80)
