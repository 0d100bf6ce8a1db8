"""What is shown of a DICOM radiograph: modality, window, polarity, padding, and the bands it is done in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset, uid
from pydicom.pixels.processing import apply_modality_lut, apply_windowing
from radiographs import COLOURS, RAMP, dataset_of, dicom, pixels_of, saved

from radscribe.imaging import levels
from radscribe.imaging.film import read_film
from radscribe.imaging.levels import look_up, stretch
from radscribe.imaging.presentation import grey_levels, grey_of_colours
from radscribe.imaging.refusal import RefusedFilm

NAN, INFINITE = float("nan"), float("inf")
SIGNED = {"PixelRepresentation": 1}
SYNTAXES = [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian]


def table(descriptor: list[int], entries: np.ndarray, packed: bool = False, order: str = "<") -> Dataset:
    item = Dataset()
    item.LUTDescriptor = descriptor
    item.LUTData = entries.astype(f"{order}u2").tobytes() if packed else entries.astype(int).tolist()
    item["LUTData"].VR = "OW" if packed else "US"
    return item


def straight(film: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint(((film.astype(float) - low) / (high - low)).clip(0, 1) * 255)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_modality_table_comes_before_the_window(syntax: str, packed: bool) -> None:
    order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
    squares = table([1024, 1000, 16], np.arange(1024) ** 2 // 16, packed, order)
    window = {"WindowCenter": 32768, "WindowWidth": 65536, "VOILUTFunction": "LINEAR_EXACT"}
    shown = pixels_of(dicom(RAMP, syntax, ModalityLUTSequence=[squares], **window))
    expected = straight((RAMP.astype(int) - 1000).clip(0, 1023) ** 2 // 16, 0, 65536)
    assert np.abs(shown - expected).max() <= 1


def test_a_modality_table_longer_than_the_pixels_have_values() -> None:
    film = (RAMP >> 4).astype(np.uint8)
    item = table([4096, 0, 12], np.arange(4096))
    shown = pixels_of(dicom(film, BitsAllocated=8, BitsStored=8, HighBit=7, ModalityLUTSequence=[item]))
    assert np.abs(shown - film).max() <= 1


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_voi_table_of_signed_levels_begins_below_zero(syntax: str) -> None:
    film = (RAMP.astype(np.int16) - 2048).astype(np.int16)
    item = table([4096, -2048, 16], np.arange(4096)[::-1] * 16, True, ">" if syntax == SYNTAXES[2] else "<")
    shown = pixels_of(dicom(film, syntax, VOILUTSequence=[item], **SIGNED))
    assert np.array_equal(shown, straight(RAMP, 4095, 0))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("film", [RAMP, (RAMP.astype(np.int16) - 2048).astype(np.int16)])
def test_padding_of_either_sign(film: np.ndarray, syntax: str) -> None:
    padded = film // 2 + 100 * (film.dtype == np.uint16)
    value = 4095 if film.dtype == np.uint16 else -2000
    padded[:8] = value
    fields = {"PixelPaddingValue": value, "PixelRepresentation": int(film.dtype == np.int16)}
    shown = pixels_of(dicom(padded, syntax, **fields))
    assert not shown[:8].any() and shown[8:, -1].min() == 255
    inverted = pixels_of(dicom(padded, syntax, PhotometricInterpretation="MONOCHROME1", **fields))
    assert not inverted[:8].any() and inverted[8:, 0].min() == 255


def test_padding_of_signed_pixels_may_be_written_as_an_unsigned_number() -> None:
    film = (RAMP.astype(np.int16) // 2).astype(np.int16)
    film[:8] = -2000
    data = dicom(film, PixelPaddingValue=-2000, **SIGNED)
    written = data.replace(b"\x28\x00\x20\x01SS\2\0", b"\x28\x00\x20\x01US\2\0")
    assert written != data and np.array_equal(pixels_of(written), pixels_of(data))


def test_the_first_of_several_windows_counts() -> None:
    several = dicom(WindowCenter=[2000, 100], WindowWidth=[1000, 50])
    assert np.array_equal(pixels_of(several), pixels_of(dicom(WindowCenter=2000, WindowWidth=1000)))


@pytest.mark.parametrize("slope", [1, -1])
def test_window_functions(slope: int) -> None:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    fields: dict[str, Any] = {"WindowCenter": 2000 * slope, "WindowWidth": 1000}
    fields |= {"RescaleSlope": slope, "RescaleIntercept": 0}
    rescaled = RAMP.astype(float) * slope - 2000 * slope
    for function, share in {
        "LINEAR": (rescaled + 0.5) / 999 + 0.5,
        "LINEAR_EXACT": rescaled / 1000 + 0.5,
        "SIGMOID": 1 / (1 + np.exp(-4 * rescaled / 1000)),
    }.items():
        shown = pixels_of(dicom(VOILUTFunction=function, **fields))
        assert np.abs(shown - share.clip(0, 1) * 255).max() <= 0.51


@pytest.mark.parametrize(
    "fields",
    [
        {"WindowWidth": 0},
        {"WindowWidth": -5},
        {"WindowWidth": NAN},
        {"WindowCenter": INFINITE},
        {"WindowCenter": 1e12},
        {"WindowWidth": 0.5},
        {"WindowWidth": 0, "VOILUTFunction": "SIGMOID"},
        {"VOILUTFunction": "CUBIC"},
        {"WindowWidth": None},
    ],
)
def test_a_window_that_is_none_is_disregarded(fields: dict[str, Any]) -> None:
    assert np.array_equal(pixels_of(dicom(**{"WindowCenter": 2000, "WindowWidth": 1000, **fields})), pixels_of(dicom()))


@pytest.mark.parametrize("shape", [None, "IDENTITY", "INVERSE"])
def test_a_film_is_inverted_once_or_not_at_all(shape: str | None) -> None:
    shown = pixels_of(dicom(PresentationLUTShape=shape))
    assert shown[0, 0] == 0 and shown[0, -1] == 255
    assert np.array_equal(
        pixels_of(dicom(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape=shape)), 255 - shown
    )


@pytest.mark.parametrize("fields", [{"RescaleSlope": NAN}, {"RescaleIntercept": INFINITE}, {"RescaleSlope": 1e40}])
def test_rescaling_that_leaves_no_numbers_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RefusedFilm, match="damaged"):
        read_film(dicom(**{"RescaleSlope": 1, "RescaleIntercept": 0, **fields}))


def test_bits_that_do_not_lie_at_the_low_end_are_refused() -> None:
    with pytest.raises(RefusedFilm, match="high bit contradicts its bits stored"):
        read_film(dicom(HighBit=15))


def test_bits_above_those_stored_are_no_part_of_the_picture() -> None:
    assert np.array_equal(pixels_of(dicom(RAMP | 0x8000)), pixels_of(dicom()))


def test_writing_in_the_picture_is_left_alone() -> None:
    film = RAMP.copy()
    film[4:12, 4:20] = 4095 * np.random.default_rng(0).integers(0, 2, (8, 16))
    marked = dataset_of(film, BurnedInAnnotation="YES")
    for tag, representation, value in (
        (0x60000010, "US", 48),
        (0x60000011, "US", 64),
        (0x60000040, "CS", "G"),
        (0x60000050, "SS", [1, 1]),
        (0x60000100, "US", 1),
        (0x60000102, "US", 0),
        (0x60003000, "OB", b"\xff" * 384),
    ):
        marked.add_new(tag, representation, value)
    shown = pixels_of(saved(marked))
    assert np.array_equal(shown, pixels_of(dicom(film)))
    assert np.array_equal(shown[4:12, 4:20], film[4:12, 4:20] // 4095 * 255)


FIELDS = {
    "none": {},
    "window": {"WindowCenter": 300.0, "WindowWidth": 900.0},
    "steep": {"WindowCenter": -20.0, "WindowWidth": 1.0},
    "sigmoid": {"WindowCenter": 300.0, "WindowWidth": 90.0, "VOILUTFunction": "SIGMOID"},
    "rescaled": {"RescaleSlope": -1.25, "RescaleIntercept": 17.0},
    "both": {"RescaleSlope": 0.3, "RescaleIntercept": -9.0, "WindowCenter": 80.0, "WindowWidth": 300.0},
    "padded": {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 40},
    "modality": {"ModalityLUTSequence": [table([4096, 3, 16], np.arange(4096) ** 2 // 300)]},
    "voi": {"VOILUTSequence": [table([900, 10, 12], np.arange(900) * 4)]},
}


def at_once(stored: np.ndarray, header: Dataset) -> np.ndarray:
    """The same, with floating-point numbers of the film's own size."""
    padding = np.zeros(stored.shape, bool)
    if "PixelPaddingValue" in header:
        padding = (stored >= 0) & (stored <= 40)
    after = apply_modality_lut(stored, header)
    shown = None
    if "VOILUTSequence" in header:
        entries = np.arange(900) * 4
        shown = stretch(entries[(after.astype(int) - 10).clip(0, 899)], 0, 4 * 899)
    elif "WindowCenter" in header:
        black, white = apply_windowing(np.array([-1e9, 1e9]), header)
        shown = stretch((apply_windowing(after, header) - black) / (white - black), 0.0, 1.0)
    if shown is None or shown.min() == shown.max():
        shown = stretch(after, 0, 255) if header.BitsStored == 8 and 0 <= after.min() <= after.max() <= 255 else None
    if shown is None:
        sample = after[~padding]
        low, high = map(float, np.percentile(sample[:: 1 + sample.size // levels.PERCENTILE_SAMPLE], (0.5, 99.5)))
        shown = stretch(after, *((low, high) if high > low else (sample.min(), sample.max())))
    shown = 255 - shown if header.PhotometricInterpretation == "MONOCHROME1" else shown
    return np.where(padding, 0, shown)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int16]),
    st.sampled_from(sorted(FIELDS)),
    st.booleans(),
    st.sampled_from([100, 301, 1000]),
)
def test_a_table_looked_up_in_bands_gives_what_the_whole_film_at_once_gives(
    seed: int, kind: type[np.integer[Any]], fields: str, inverted: bool, band: int
) -> None:
    random = np.random.default_rng(seed)
    rows, columns = random.integers(16, 40, 2).tolist()
    most = 127 if kind == np.int8 else 255 if kind == np.uint8 else 4000
    least = 0 if kind in (np.uint8, np.uint16) else -most
    stored = random.normal(random.uniform(least, most), random.uniform(0.1, most), (rows, columns))
    stored = stored.clip(least, most).astype(kind)
    header = Dataset()
    header.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    header.BitsStored, header.PixelRepresentation = 8 * stored.itemsize, int(least < 0)
    for name, value in FIELDS[fields].items():
        setattr(header, name, value)
    if "ModalityLUTSequence" in header and kind in (np.uint8, np.int8):
        return  # pydicom's own function cannot look up so many entries
    with pytest.MonkeyPatch.context() as patch, np.errstate(over="ignore"):
        patch.setattr(levels, "PERCENTILE_SAMPLE", 50)
        patch.setattr(levels, "BAND_PIXELS", 10**9)
        expected = at_once(stored, header)
        patch.setattr(levels, "BAND_PIXELS", band)
        assert np.array_equal(grey_levels(stored, header), expected)


@pytest.mark.parametrize("band", [1, 50, 333, 10**9])
def test_bands_change_nothing(band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    film, codes = random.normal(0, 900, (37, 41)), random.integers(0, 256, (37, 41)).astype(np.uint8)
    colours, squares = random.integers(0, 256, (37, 41, 3), np.uint8), np.arange(256) ** 2
    whole = stretch(film, -700.0, 700.0), grey_of_colours(colours, "YBR_FULL")
    monkeypatch.setattr(levels, "BAND_PIXELS", band)
    assert np.array_equal(stretch(film, -700.0, 700.0), whole[0])
    assert np.array_equal(grey_of_colours(colours, "YBR_FULL"), whole[1])
    assert np.array_equal(look_up(squares, codes), squares[codes])
    assert np.array_equal(pixels_of(dicom(colours, **COLOURS)), np.asarray(Image.fromarray(colours).convert("L")))
