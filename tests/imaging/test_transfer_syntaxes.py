"""The same film in every transfer syntax gives the same pixels."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.pixels.decoders.rle import _rle_decode_frame
from pydicom.pixels.encoders.native import _encode_frame
from radiographs import (
    COLOURS,
    EIGHT_BITS,
    RAMP,
    compressed,
    dataset_of,
    dicom,
    extended_jpeg,
    framed,
    lossless_jpeg,
    pixels_of,
    pydicom_film,
    saved,
)

from radscribe.imaging.film import read_film
from radscribe.imaging.refusal import RefusedFilm
from radscribe.imaging.run_length import unpack_frame

SIXTEEN_BITS = {"BitsStored": 16, "HighBit": 15}
SIGNED = {"PixelRepresentation": 1}
NOISE = np.random.default_rng(5).integers(0, 2**16, (40, 52), np.uint16)
BARS = [(255, 0, 0), (255, 128, 128), (0, 255, 0), (128, 255, 128), (0, 0, 255), (128, 128, 255)]
FILMS = [
    pytest.param((RAMP >> 4).astype(np.uint8), EIGHT_BITS, id="8"),
    pytest.param(RAMP, {}, id="12"),
    pytest.param(NOISE, SIXTEEN_BITS, id="16"),
    pytest.param((RAMP.astype(np.int16) - 2048), SIGNED, id="12-signed"),
    pytest.param(NOISE.view(np.int16), SIXTEEN_BITS | SIGNED, id="16-signed"),
]


@pytest.mark.parametrize(("film", "fields"), FILMS)
@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_byte_orders_and_headers_without_representations(film: np.ndarray, fields: dict[str, Any], syntax: str) -> None:
    assert np.array_equal(pixels_of(dicom(film, syntax, **fields)), pixels_of(dicom(film, **fields)))


def test_eight_bits_in_big_endian_words_are_swapped() -> None:
    film = (RAMP >> 4).astype(np.uint8)
    swapped = film.reshape(-1, 2)[:, ::-1].tobytes()
    words = (
        dicom(film, uid.ExplicitVRBigEndian, **EIGHT_BITS).replace(film.tobytes(), swapped).replace(b"OB\0", b"OW\0")
    )
    assert np.array_equal(pixels_of(words), film)


@pytest.mark.parametrize(("film", "fields"), FILMS)
@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEG2000Lossless])
def test_what_pydicom_compresses(film: np.ndarray, fields: dict[str, Any], syntax: str) -> None:
    assert np.array_equal(pixels_of(compressed(film, syntax, **fields)), pixels_of(dicom(film, **fields)))


def test_jpeg_2000_with_losses() -> None:
    dataset = dataset_of(RAMP)
    dataset.compress(uid.JPEG2000, j2k_cr=[20], generate_instance_uid=False)
    assert np.abs(pixels_of(saved(dataset)) - pixels_of(dicom(RAMP))).max() <= 8


@pytest.mark.parametrize(("film", "fields"), FILMS)
@pytest.mark.parametrize("syntax", [uid.JPEGLossless, uid.JPEGLosslessSV1])
def test_jpeg_lossless(film: np.ndarray, fields: dict[str, Any], syntax: str) -> None:
    bits = fields.get("BitsStored", 12)
    frame = lossless_jpeg(film.astype(np.int64) & (2**bits - 1), bits)
    assert np.array_equal(pixels_of(framed(frame, syntax, *film.shape, **fields)), pixels_of(dicom(film, **fields)))


def test_jpeg_extended_of_twelve_bits() -> None:
    levels = np.random.default_rng(1).integers(0, 4096, (5, 6)).astype(np.uint16)
    film = levels.repeat(8, 0).repeat(8, 1)
    read = pixels_of(framed(extended_jpeg(levels), uid.JPEGExtended12Bit, *film.shape))
    assert np.abs(read - pixels_of(dicom(film))).max() <= 1


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit])
def test_jpeg_of_eight_bits(syntax: str) -> None:
    film = (RAMP >> 4).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(film).save(file, "JPEG", quality=95)
    read = pixels_of(framed(file.getvalue(), syntax, *film.shape, **EIGHT_BITS))
    assert np.abs(read - film).max() <= 8


@pytest.mark.parametrize(("name", "native"), [("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm")])
def test_jpeg_ls(name: str, native: str) -> None:
    film, expected = pydicom_film(name), pydicom_film(native)
    if film is None or expected is None:
        pytest.skip("this pydicom comes without its JPEG-LS files")
    assert np.array_equal(pixels_of(film), pixels_of(expected))


@pytest.mark.parametrize(
    "name", ["SC_rgb_rle.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_gdcm_KY.dcm"]
)
def test_bars_of_colour_become_grey_whatever_packs_them(name: str) -> None:
    film = pydicom_film(name)
    if film is None:
        pytest.skip("this pydicom comes without its colour files")
    bars = np.array([*BARS, *((grey, grey, grey) for grey in (0, 64, 192, 255))])
    assert np.abs(pixels_of(film)[5::10, 50] - bars @ (0.299, 0.587, 0.114)).max() < 2


def test_colours_of_native_films_are_grey_in_every_layout() -> None:
    film = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    grey = np.asarray(Image.fromarray(film).convert("L")).astype(int)
    assert np.array_equal(pixels_of(dicom(film, **COLOURS)), grey)
    planes = dicom(film, **COLOURS | {"PlanarConfiguration": 1, "PixelData": film.transpose(2, 0, 1).tobytes()})
    assert np.array_equal(pixels_of(planes), grey)
    converted = np.asarray(Image.fromarray(film).convert("YCbCr"))
    full = dicom(converted, **COLOURS | {"PhotometricInterpretation": "YBR_FULL"})
    assert np.abs(pixels_of(full) - grey).max() <= 2


def test_runs_that_go_on_into_the_next_row_and_padding_are_unpacked() -> None:
    header = np.array([1, 64, *[0] * 14], "<u4").tobytes()
    frame = header + bytes([0x81 + 27, 7, 128, 2, 1, 2, 3, 0x81, 9])  # 101 times 7, nothing, 1, 2, 3, 128 times 9
    assert bytes(unpack_frame(frame, 200, 1, 1)) == bytes([7] * 101 + [1, 2, 3] + [9] * 96)


@pytest.mark.parametrize(("samples", "sample_bytes"), [(1, 1), (1, 2), (3, 1), (3, 2)])
def test_planes_are_unpacked_as_pydicom_does(samples: int, sample_bytes: int) -> None:
    random = np.random.default_rng(2)
    film = random.integers(0, 3, (30, 41, samples, sample_bytes), np.uint8)

    class Runner:
        rows, columns, samples_per_pixel, bits_allocated = 30, 41, samples, 8 * sample_bytes
        transfer_syntax, byteorder = uid.RLELossless, "<"

        def get_option(self, name: str, default: Any = None) -> Any:
            return "<" if name == "byteorder" else default

    frame = bytes(_encode_frame(film.tobytes(), Runner()))
    assert bytes(unpack_frame(frame, 30 * 41, samples, sample_bytes)) == bytes(
        _rle_decode_frame(frame, 30, 41, samples, 8 * sample_bytes)
    )


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [(uid.JPEGLosslessSV1, lossless_jpeg(RAMP, 12)), (uid.JPEGExtended12Bit, extended_jpeg(RAMP[:6, :8]))],
)
def test_a_frame_that_is_cut_off_is_refused(syntax: str, frame: bytes) -> None:
    for length in (len(frame) // 2, len(frame) - 2):
        with pytest.raises(RefusedFilm, match="cut off"):
            read_film(framed(frame[:length], syntax, 48, 64), "film.dcm")


def test_films_of_unknown_compression_are_refused() -> None:
    with pytest.raises(RefusedFilm, match="transfer syntax is not supported"):
        read_film(framed(b"\0" * 64, uid.MPEG2MPML, 48, 64), "film.dcm")
