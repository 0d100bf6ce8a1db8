"""DICOM radiographs: polarity, windows, views, and everything that is refused."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset, uid
from pydicom.encaps import encapsulate
from radiographs import EIGHT_BITS, RAMP, dicom, pixels_of

from radscribe.imaging.film import Film, read_film
from radscribe.imaging.refusal import RefusedFilm


def test_monochrome2_keeps_and_monochrome1_inverts_the_levels() -> None:
    bright_right = pixels_of(dicom())
    dark_right = pixels_of(dicom(PhotometricInterpretation="MONOCHROME1"))
    assert bright_right[0, 0] == 0
    assert bright_right[0, -1] == 255
    assert np.array_equal(dark_right, 255 - bright_right)


def test_the_window_of_the_header_is_applied() -> None:
    shown = pixels_of(dicom(WindowCenter=2000, WindowWidth=1000))
    expected = np.clip((RAMP.astype(float) - 1999.5) / 999 + 0.5, 0, 1) * 255
    assert np.abs(shown - expected).max() <= 1


def test_the_rescaling_comes_before_the_window() -> None:
    shown = pixels_of(dicom(RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=3000, WindowWidth=2000))
    expected = np.clip((RAMP * 2.0 - 1000 - 2999.5) / 1999 + 0.5, 0, 1) * 255
    assert np.abs(shown - expected).max() <= 1


def test_a_negative_slope_turns_the_levels_round() -> None:
    shown = pixels_of(dicom(RescaleSlope=-1, RescaleIntercept=4095, WindowCenter=2048, WindowWidth=4096))
    assert shown[0, 0] == 255
    assert shown[0, -1] == 0


def test_signed_pixels_are_read_as_signed() -> None:
    signed = (RAMP.astype(np.int16) - 2048).astype(np.int16)
    assert np.array_equal(pixels_of(dicom(signed, PixelRepresentation=1)), pixels_of(dicom()))


def test_a_voi_table_of_many_eight_bit_entries_is_applied() -> None:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 8]
    table.LUTData = np.repeat(np.arange(256, dtype=np.uint16), 16).tolist()
    table["LUTData"].VR = "US"
    shown = pixels_of(dicom(VOILUTSequence=[table]))
    assert np.array_equal(shown, RAMP.astype(int) // 16)


def test_a_window_beside_the_picture_is_disregarded() -> None:
    assert np.array_equal(pixels_of(dicom(WindowCenter=60000, WindowWidth=10)), pixels_of(dicom()))


def test_empty_fields_are_missing_fields() -> None:
    data = dicom(WindowCenter="", WindowWidth="", BodyPartExamined="", ViewPosition="", RescaleSlope="")
    assert np.array_equal(pixels_of(data), pixels_of(dicom()))
    assert read_film(data).view is None


def test_padding_is_black_and_counts_for_nothing() -> None:
    padded = RAMP + 100
    padded[:8] = 65535
    shown = pixels_of(dicom(padded, BitsStored=16, HighBit=15, PixelPaddingValue=65535))
    assert not shown[:8].any()
    assert shown[8:].max() == 255
    inverted = dicom(
        padded, BitsStored=16, HighBit=15, PixelPaddingValue=65535, PhotometricInterpretation="MONOCHROME1"
    )
    assert not pixels_of(inverted)[:8].any()


def test_colour_films_become_grey() -> None:
    colours = np.stack([(RAMP >> 4).astype(np.uint8)] * 3, axis=-1)
    fields = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    shown = pixels_of(dicom(colours, PhotometricInterpretation="RGB", **fields))
    assert np.abs(shown - colours[..., 0]).max() <= 1


def jpeg(width: int = 64, height: int = 48) -> bytes:
    file = BytesIO()
    Image.fromarray((RAMP >> 4).astype(np.uint8)).resize((width, height)).save(file, "JPEG", quality=95)
    return encapsulate([file.getvalue()])


def test_compressed_films_are_read() -> None:
    shown = pixels_of(dicom(syntax=uid.JPEGBaseline8Bit, PixelData=jpeg(), **EIGHT_BITS))
    assert np.abs(shown - (RAMP >> 4)).max() <= 8


@pytest.mark.parametrize(
    ("view", "expected"),
    [("PA", "frontal"), ("AP", "frontal"), ("LL", "lateral"), ("LATERAL", "lateral"), ("LAO", None), (None, None)],
)
def test_the_view_comes_from_the_view_position(view: str | None, expected: str | None) -> None:
    assert read_film(dicom(ViewPosition=view)).view == expected


@pytest.mark.parametrize("missing", ["Modality", "BodyPartExamined", "SOPClassUID", "ViewPosition"])
def test_missing_fields_are_forgiven(missing: str) -> None:
    assert isinstance(read_film(dicom(**{missing: None})), Film)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: dicom(Modality="CT"), "is a CT, not a radiograph"),
        (lambda: dicom(Modality="MG"), "is a MG, not a radiograph"),
        (lambda: dicom(SOPClassUID=uid.CTImageStorage), "another kind of object"),
        (lambda: dicom(BodyPartExamined="KNEE"), "shows KNEE, not a chest"),
        (lambda: dicom(None, Rows=48, Columns=64), "no pixels"),
        (lambda: dicom(np.stack([RAMP, RAMP])[0], NumberOfFrames=2), "several frames"),
        (lambda: dicom(PhotometricInterpretation="PALETTE COLOR"), "photometric"),
        (lambda: dicom(PhotometricInterpretation=None), "photometric"),
        (lambda: dicom(SamplesPerPixel=3), "samples per pixel"),
        (lambda: dicom(Rows=65535, Columns=65535), "claims 65535 x 65535"),
        (lambda: dicom(Rows=0), "too few"),
        (lambda: dicom(np.full((40, 40), 9, np.uint16)), "all its pixels are equal"),
        (lambda: dicom()[:-2000], "damaged or incomplete"),
        (lambda: dicom()[:200], "names no transfer syntax"),
        (lambda: dicom(syntax=uid.DeflatedExplicitVRLittleEndian), "deflated"),
        (
            lambda: dicom(syntax=uid.JPEGBaseline8Bit, PixelData=jpeg(640, 480), **EIGHT_BITS),
            "contradicts its header",
        ),
    ],
)
def test_what_is_no_chest_radiograph_is_refused_without_a_word_about_the_patient(
    make: Callable[[], bytes], reason: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RefusedFilm, match=reason) as refusal:
        read_film(make(), "film.dcm")
    said = str(refusal.value) + caplog.text + "".join(capsys.readouterr())
    assert "\n" not in str(refusal.value)
    for private in ("Secret", "1999", "1.2.3.4"):
        assert private not in said


def test_a_modality_that_is_no_code_is_not_repeated() -> None:
    with pytest.raises(RefusedFilm) as refusal:
        read_film(dicom(Modality="DOE JANE 1970"), "film.dcm")
    assert "DOE" not in str(refusal.value)


VALID = dicom(), dicom(syntax=uid.JPEGBaseline8Bit, PixelData=jpeg(), **EIGHT_BITS)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(VALID), st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=8))
def test_mutated_bytes_give_a_film_or_a_refusal(data: bytes, changes: list[tuple[int, int]]) -> None:
    mutated = bytearray(data)
    for position, value in changes:
        mutated[position % len(mutated)] = value
    try:
        film = read_film(bytes(mutated), "mutated")
    except RefusedFilm:
        return
    assert film.pixels.ndim == 2


def test_the_real_files_are_read(shared_data: Path) -> None:
    films = {path.name: read_film(path) for path in sorted((shared_data / "dicom").iterdir())}
    assert {film.view for film in films.values()} == {"frontal"}
    real = films["RG1_J2KI.dcm"].pixels  # MONOCHROME1, 15 bits: the spine is bright and the right lung dark
    assert real.shape == (1955, 1841)
    assert real[600:1000, 880:960].mean() > real[600:1000, 450:600].mean() + 30
    # The same film stored twice: once under a MONOCHROME1 header with its pixels as they were.
    once, again = films["rsna_MONOCHROME2.dcm"].pixels, films["Fake_MONOHR1.dcm"].pixels
    assert np.corrcoef(once.ravel(), again.ravel())[0, 1] < -0.99
