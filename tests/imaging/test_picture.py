"""PNG and JPEG files: what is read, and what is refused with which reason."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from radscribe.imaging.film import Film, RefusedFilm, fit, read_film

GRADIENT = np.add.outer(np.arange(40), np.arange(50) * 2).astype(np.uint8)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK"])
def test_every_eight_bit_kind_of_picture_gives_its_grey_levels(mode: str) -> None:
    image = Image.fromarray(GRADIENT)
    image = image.quantize(256) if mode == "P" else image.convert(mode)
    film = read_film(encoded(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert film.pixels.dtype == np.uint8
    assert np.abs(film.pixels.astype(int) - GRADIENT).max() <= (6 if mode in ("CMYK", "P") else 0)


def test_sixteen_bits_are_scaled_between_percentiles_and_keep_their_order() -> None:
    deep = (GRADIENT.astype(np.uint16) * 100) + 3000
    pixels = read_film(encoded(Image.fromarray(deep))).pixels
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert np.all(np.diff(pixels.astype(int), axis=1) >= 0)


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
        (png_header(65_535, 65_535), "claims"),
        (png_header(10_000, 10_000), "claims"),
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


def test_a_png_is_read_whole_whatever_is_wanted() -> None:
    assert np.array_equal(read_film(encoded(Image.fromarray(GRADIENT)), longest=16).pixels, GRADIENT)


def test_truncated_pictures_stay_refused() -> None:
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path):
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
