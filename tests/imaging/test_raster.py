"""PNG and JPEG files: what is read, and what is refused with which reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import GRADIENT, encoded, interlaced_png, png
from PIL import ExifTags, Image, ImageFile

from radscribe.imaging import levels
from radscribe.imaging.film import Film, fit, read_film
from radscribe.imaging.refusal import RefusedFilm


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK"])
def test_every_eight_bit_kind_of_picture_gives_its_grey_levels(mode: str) -> None:
    image = Image.fromarray(GRADIENT)
    image = image.quantize(256) if mode == "P" else image.convert(mode)
    film = read_film(encoded(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert film.pixels.dtype == np.uint8
    assert np.abs(film.pixels.astype(int) - GRADIENT).max() <= (6 if mode in ("CMYK", "P") else 0)


def test_an_interlaced_png_is_read() -> None:
    assert np.array_equal(read_film(interlaced_png(GRADIENT)).pixels, GRADIENT)


def test_sixteen_bits_are_scaled_between_percentiles_and_keep_their_order() -> None:
    deep = (GRADIENT.astype(np.uint16) * 100) + 3000
    pixels = read_film(encoded(Image.fromarray(deep))).pixels
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert np.all(np.diff(pixels.astype(int), axis=1) >= 0)


@pytest.mark.parametrize("band", [1, 999, 10**9])
def test_bands_change_nothing(band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    films = [Image.fromarray(random.integers(0, 256, (40, 50, 4), np.uint8))]
    films += [films[0].convert(mode) for mode in ("LA", "RGB", "L", "1")]
    films += [films[0].getchannel(0).quantize(16), Image.fromarray(random.integers(0, 9999, (40, 50), np.uint16))]
    transparent = [encoded(films[5], transparency=3), encoded(films[3], transparency=7)]
    files = [*map(encoded, films), *transparent]
    monkeypatch.setattr(levels, "BAND_PIXELS", band)
    shown = [read_film(file).pixels for file in files]
    for film, pixels in zip(films[:6], shown, strict=False):
        over = Image.alpha_composite(Image.new("RGBA", film.size, "black"), film.convert("RGBA"))
        assert np.array_equal(pixels, np.asarray(over.convert("L")))
    deep = np.asarray(films[6])
    low, high = np.percentile(deep, (0.5, 99.5))
    assert np.abs(shown[6] - ((deep - low) / (high - low)).clip(0, 1) * 255).max() <= 0.51
    assert not shown[7][np.asarray(films[5]) == 3].any() and not shown[8][np.asarray(films[3]) == 7].any()


def test_transparent_parts_are_black() -> None:
    pixels = np.full((32, 32, 2), 200, np.uint8)
    pixels[:16, :, 1] = 0
    pixels[16:, :, 1] = 255
    film = read_film(encoded(Image.fromarray(pixels, "LA")))
    assert film.pixels[0, 0] == 0
    assert film.pixels[31, 0] == 200


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(encoded(Image.fromarray(GRADIENT), "JPEG", quality=95))
    film = read_film(path)
    assert film.pixels.shape == GRADIENT.shape
    assert film.source == str(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"not a picture at all" * 20, "no DICOM, PNG or JPEG"),
        (b"\x89PNG\r\n\x1a\n" + b"garbage" * 50, "truncated or damaged"),
        (encoded(Image.fromarray(np.full((40, 40), 7, np.uint8))), "all its pixels are equal"),
        (encoded(Image.fromarray(GRADIENT[:4, :4])), "too few"),
        (encoded(Image.effect_noise((400, 400), 60), "JPEG")[:9000], "truncated or damaged"),
        (encoded(Image.effect_noise((400, 400), 60))[:9000], "truncated or damaged"),
        (png(65_535, 65_535, b"\0"), "claims"),
        (png(10_000, 10_000, b"\0"), "claims"),
        (
            encoded(Image.fromarray(GRADIENT), save_all=True, append_images=[Image.fromarray(GRADIENT.T[:40, :40])]),
            "several frames",
        ),
    ],
)
def test_bad_pictures_are_refused_in_one_line_that_names_the_file(data: bytes, reason: str) -> None:
    with pytest.raises(RefusedFilm) as refusal:
        read_film(data, "films/a.png")
    assert str(refusal.value).startswith("films/a.png: ")
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("longest", [None, 150])
def test_a_picture_of_a_phone_is_its_first_picture(mode: str, longest: int | None) -> None:
    rows, columns = np.mgrid[:600, :800]
    first = Image.fromarray((128 + 100 * np.sin(rows / 90 + columns / 41)).astype(np.uint8)).convert(mode)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for more in ([first.resize((80, 60))], [Image.effect_noise((800, 600), 60).convert(mode)] * 2):
        phone = encoded(first, "MPO", save_all=True, append_images=more, exif=exif)
        assert b"MPF\0" in phone
        pixels = read_film(phone, longest=longest).pixels
        assert np.array_equal(pixels, read_film(encoded(first, "JPEG", exif=exif), longest=longest).pixels)
        assert max(pixels.shape) == (800 if longest is None else 400)


@pytest.mark.parametrize("format", ["GIF", "TIFF", "PNG"])
def test_animations_stay_refused(format: str) -> None:
    film = Image.fromarray(GRADIENT)
    with pytest.raises(RefusedFilm, match="several frames" if format == "PNG" else "no DICOM, PNG or JPEG"):
        read_film(encoded(film, format, save_all=True, append_images=[Image.fromarray(255 - GRADIENT)]))


def test_a_huge_jpeg_header_is_refused_before_it_is_decoded() -> None:
    data = bytearray(encoded(Image.fromarray(GRADIENT), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(RefusedFilm, match="claims"):
        read_film(bytes(data), "huge.jpg")


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_is_read_at_a_smaller_size_that_still_holds_twice_what_is_wanted(mode: str) -> None:
    rows, columns = np.mgrid[:900, :1200]
    waves = 120 + 60 * np.sin(rows / 37) * np.cos(columns / 53) + np.random.default_rng(0).normal(0, 4, rows.shape)
    data = encoded(Image.fromarray(waves.clip(0, 255).astype(np.uint8)).convert(mode), "JPEG", quality=95)
    whole = read_film(data).pixels
    assert whole.shape == (900, 1200)
    for longest, expected in ((600, 1200), (301, 1200), (300, 600), (151, 600), (150, 300), (75, 150), (10, 150)):
        read = read_film(data, longest=longest).pixels
        assert read.shape[1] == expected
        differences = np.abs(fit(read, longest).astype(int) - fit(whole, longest).astype(int))
        assert differences.mean() < 1 and differences.max() < 16


WAYS = {
    1: lambda film: film,
    2: lambda film: film[:, ::-1],
    3: lambda film: film[::-1, ::-1],
    4: lambda film: film[::-1],
    5: lambda film: film.T,
    6: lambda film: np.rot90(film, -1),
    7: lambda film: film.T[::-1, ::-1],
    8: lambda film: np.rot90(film),
}


@pytest.mark.parametrize("longest", [None, 150])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("way", WAYS)
def test_the_orientation_of_a_camera_is_obeyed_at_every_size(way: int, mode: str, longest: int | None) -> None:
    rows, columns = np.mgrid[:480, :640]
    waves = Image.fromarray((128 + 100 * np.sin(rows / 90 + columns / 41)).astype(np.uint8)).convert(mode)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = way
    upright = read_film(encoded(waves, "JPEG", quality=95), longest=longest).pixels
    assert max(upright.shape) == (640 if longest is None else 320)
    turned = read_film(encoded(waves, "JPEG", quality=95, exif=exif), longest=longest).pixels
    assert np.array_equal(turned, WAYS[way](upright))


def test_a_png_that_a_camera_turned_is_turned_back() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for film in (GRADIENT, GRADIENT.astype(np.uint16) * 200):
        turned, upright = (read_film(encoded(Image.fromarray(film), exif=way)).pixels for way in (exif, Image.Exif()))
        assert np.array_equal(turned, np.rot90(upright, -1))


def test_a_picture_far_longer_than_wide_is_read() -> None:
    strip = Image.fromarray(np.tile(GRADIENT, (100, 1))[:, :20])
    assert read_film(encoded(strip, "JPEG"), longest=16).pixels.shape[0] >= 32


def test_a_png_is_read_whole_whatever_is_wanted() -> None:
    assert np.array_equal(read_film(encoded(Image.fromarray(GRADIENT)), longest=16).pixels, GRADIENT)


def test_truncated_pictures_stay_refused() -> None:
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "none.png", tmp_path, tmp_path / "pipe.png"):
        with pytest.raises(RefusedFilm, match="cannot be opened"):
            read_film(path)


def test_fit_keeps_the_aspect_and_pads_with_black() -> None:
    wide = np.full((100, 200), 180, np.uint8)
    fitted = fit(wide, 64)
    assert fitted.shape == (64, 64)
    assert np.all(fitted[16:48] == 180)
    assert not fitted[:16].any()
    assert not fitted[48:].any()
    assert np.array_equal(fit(np.array(fitted), 64), fitted)


def test_fit_is_antialiased() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (512, 256))
    assert np.abs(fit(stripes, 64).astype(int) - 128).max() <= 6


VALID = encoded(Image.fromarray(GRADIENT)), encoded(Image.fromarray(GRADIENT), "JPEG")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(VALID), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8), st.integers(0)
)
def test_mutated_bytes_give_a_film_or_a_refusal(data: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    mutated = bytearray(data)
    for position, value in changes:
        mutated[position % len(mutated)] = value
    try:
        film = read_film(bytes(mutated[: 1 + cut % len(mutated)] if cut % 3 == 0 else mutated), "mutated")
    except RefusedFilm:
        return
    assert isinstance(film, Film)
    assert film.pixels.ndim == 2
