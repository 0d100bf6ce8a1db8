"""PNG files of 16 bits a channel: colours and transparency lose none of their depth."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from pictures import chunk, deep_png, encoded
from PIL import ExifTags, Image

from radscribe.imaging import levels
from radscribe.imaging.film import read_film
from radscribe.imaging.refusal import RefusedFilm

# 12 bits in 16: in the upper bytes alone there are 16 levels.
FILM = (np.add.outer(np.arange(40) * 31, np.arange(50) * 57) % 4096).astype(np.uint16)
OPAQUE = np.full(FILM.shape, 65535, np.uint16)
KINDS = {"grey": [FILM], "grey and alpha": [FILM, OPAQUE], "RGB": [FILM] * 3, "RGBA": [FILM] * 3 + [OPAQUE]}


def shown(*channels: np.ndarray, others: tuple[bytes, ...] = (), interlaced: bool = False) -> np.ndarray:
    return read_film(deep_png(np.dstack(channels), *others, interlaced=interlaced), "film.png").pixels


@pytest.mark.parametrize("band", [1, 777, 10**9])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_looks_as_grey_does(kind: str, interlaced: bool, band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "BAND_PIXELS", band)
    low, high = np.percentile(FILM, (0.5, 99.5))
    expected = ((FILM - low) / (high - low)).clip(0, 1) * 255
    pixels = shown(*KINDS[kind], interlaced=interlaced)
    assert np.abs(pixels - expected).max() <= 0.51
    assert np.array_equal(pixels, read_film(encoded(Image.fromarray(FILM))).pixels)


def test_colours_become_luminance_before_they_lose_depth() -> None:
    random = np.random.default_rng(0)
    colours = random.integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    luminance = colours @ np.array([0.299, 0.587, 0.114])
    low, high = np.percentile(luminance, (0.5, 99.5))
    pixels = shown(colours)
    assert np.abs(pixels - ((luminance - low) / (high - low)).clip(0, 1) * 255).max() <= 0.6


@pytest.mark.parametrize("kind", ["grey and alpha", "RGBA"])
def test_transparent_parts_are_black_and_count_for_nothing(kind: str) -> None:
    alpha, film = OPAQUE.copy(), FILM.copy()
    alpha[:10], alpha[10:20] = 0, 32768
    film[:10] = 65535
    pixels = shown(*[film] * (len(KINDS[kind]) - 1), alpha).astype(int)
    opaque = shown(film[10:])
    assert not pixels[:10].any()
    assert np.abs(pixels[10:20] - opaque[:10] / 2).max() <= 1
    assert np.array_equal(pixels[20:], opaque[10:])


@pytest.mark.parametrize("count", [1, 3])
def test_a_colour_that_stands_for_transparency_is_black(count: int) -> None:
    film = np.where(FILM < 300, 40_000, FILM).astype(np.uint16)
    key = chunk(b"tRNS", struct.pack(f">{count}H", *[40_000] * count))
    pixels = shown(*[film] * count, others=(key,))
    assert not pixels[film == 40_000].any()
    assert pixels.max() == 255 and len(np.unique(pixels)) > 200


def test_a_picture_that_is_transparent_throughout_is_refused() -> None:
    with pytest.raises(RefusedFilm, match="decodes to nothing"):
        shown(FILM, 0 * OPAQUE)


def test_a_turned_picture_is_turned_back() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    turned = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    for channels in KINDS.values():
        assert np.array_equal(shown(*channels, others=(turned,)), np.rot90(shown(*channels), -1))


@pytest.mark.parametrize("channels", KINDS.values(), ids=KINDS)
def test_what_is_cut_off_is_refused(channels: list[np.ndarray]) -> None:
    data = deep_png(np.dstack(channels))
    with pytest.raises(RefusedFilm, match="truncated or damaged"):
        read_film(data[: len(data) * 2 // 3], "film.png")
