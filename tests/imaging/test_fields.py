"""Headers as they are: spelt oddly, incomplete, with fields that cannot be read, without the start that files have."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import GRADIENT, encoded
from PIL import Image
from pydicom import DataElement, Dataset, dcmwrite, uid
from pydicom.tag import Tag
from radiographs import COLOURS, EIGHT_BITS, RAMP, dataset_of, dicom, framed, pixels_of, saved

from radscribe.imaging.film import read_film
from radscribe.imaging.refusal import RefusedFilm

WINDOW = {"WindowCenter": 2000, "WindowWidth": 1000}
SPELLINGS = (" {} ", "   {}", "{}\0", "{}   ")


def with_text(
    keyword: str, text: str, representation: str, syntax: str = uid.ExplicitVRLittleEndian, **fields: Any
) -> bytes:
    """A film whose field ``keyword`` has the value representation and holds any ``text`` at all."""
    dataset, tag = dataset_of(RAMP, syntax, **fields), Tag(keyword)
    dataset[tag] = DataElement(tag, "LO", text)
    start = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little")
    return saved(dataset).replace(start + b"LO", start + representation.encode())


def refusal_of(data: bytes) -> str:
    with pytest.raises(RefusedFilm) as refusal:
        read_film(data, "film.dcm")
    assert "\n" not in str(refusal.value) and "Error" not in str(refusal.value)
    return refusal.value.reason


@pytest.mark.parametrize("modality", ["CR", "DX", "DR", "RG", "XR", "RX", "dr", " DX"])
def test_modalities_of_plain_radiographs(modality: str) -> None:
    assert read_film(with_text("Modality", modality, "CS")).warnings == ()


@given(st.sampled_from(SPELLINGS), st.sampled_from(["upper", "lower", "title"]))
def test_code_strings_are_compared_by_their_meaning(spelling: str, case: str) -> None:
    def spelt(word: str) -> str:
        return spelling.format(getattr(word, case)())

    inverted = pixels_of(dicom(PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(pixels_of(with_text("PhotometricInterpretation", spelt("MONOCHROME1"), "CS")), inverted)
    assert read_film(with_text("ViewPosition", spelt("LATERAL"), "CS")).view == "lateral"
    assert read_film(with_text("Modality", spelt("DX"), "CS")).view == "frontal"
    assert refusal_of(with_text("Modality", spelt("CT"), "CS")) == "it is a CT, not a radiograph"
    assert refusal_of(with_text("BodyPartExamined", spelt("KNEE"), "CS")) == "it shows KNEE, not a chest"
    sigmoid = pixels_of(dicom(VOILUTFunction="SIGMOID", **WINDOW))
    assert np.array_equal(pixels_of(with_text("VOILUTFunction", spelt("SIGMOID"), "CS", **WINDOW)), sigmoid)
    turned = with_text("PatientOrientation", spelt("R") + "\\" + spelt("F"), "CS")
    assert np.array_equal(pixels_of(turned), pixels_of(dicom(PatientOrientation=["R", "F"])))


def test_compressed_colours_spelt_in_small_letters() -> None:
    data = framed(encoded(Image.fromarray(GRADIENT).convert("RGB"), "JPEG"), uid.JPEGBaseline8Bit, 40, 50, **COLOURS)
    assert np.array_equal(pixels_of(data.replace(b"CS\4\0RGB ", b"CS\4\0 rgb")), pixels_of(data))


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
@pytest.mark.parametrize("text", ["[2000, 2000]", "2000,0", "AUTO", "1000..", "(2000)", "0x10"])
@pytest.mark.parametrize("keyword", ["WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept"])
def test_a_number_that_is_none_is_disregarded_with_a_warning(keyword: str, text: str, syntax: str) -> None:
    fields = WINDOW | {"RescaleSlope": 2, "RescaleIntercept": 0}
    film = read_film(with_text(keyword, text, "DS", syntax, **fields))
    assert np.array_equal(film.pixels, pixels_of(dicom(**fields | {keyword: None})))
    assert f"its {keyword} cannot be read and is disregarded" in film.warnings
    assert all(text not in warning for warning in film.warnings)


@pytest.mark.parametrize(
    "fields", [{"WindowWidth": 0}, {"WindowWidth": -9}, {"VOILUTFunction": "CUBIC"}, {"WindowCenter": 60000}]
)
def test_a_window_that_is_not_applied_is_reported(fields: dict[str, Any]) -> None:
    film = read_film(dicom(**WINDOW | fields))
    assert np.array_equal(film.pixels, pixels_of(dicom()))
    assert ["disregarded" in warning for warning in film.warnings] == [True]


@pytest.mark.parametrize("fields", [{}, WINDOW, {"WindowCenter": "", "WindowWidth": ""}])
def test_what_is_in_order_or_missing_gives_no_warning(fields: dict[str, Any]) -> None:
    assert read_film(dicom(**fields)).warnings == ()


def lookup(**fields: Any) -> Dataset:
    item = Dataset()
    for keyword, value in fields.items():
        setattr(item, keyword, value)
        item[keyword].VR = "US"
    return item


TABLES = {
    "an empty item": lookup(),
    "no data": lookup(LUTDescriptor=[16, 0, 16]),
    "empty data": lookup(LUTDescriptor=[16, 0, 16], LUTData=[]),
    "no descriptor": lookup(LUTData=list(range(16))),
    "an empty descriptor": lookup(LUTDescriptor=[], LUTData=list(range(16))),
    "half a descriptor": lookup(LUTDescriptor=[16, 0], LUTData=list(range(16))),
    "no depth": lookup(LUTDescriptor=[16, 0, 0], LUTData=list(range(16))),
}


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_cannot_be_read_is_disregarded_with_a_warning(table: str, keyword: str, syntax: str) -> None:
    for fields in ({}, WINDOW):
        film = read_film(dicom(RAMP, syntax, **fields, **{keyword: [TABLES[table]]}))
        assert np.array_equal(film.pixels, pixels_of(dicom(**fields)))
        assert film.warnings == (f"the table in its {keyword} cannot be read and is disregarded",)


def test_a_sequence_without_items_is_missing() -> None:
    assert read_film(dicom(VOILUTSequence=[], ModalityLUTSequence=[])).warnings == ()


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated", "PhotometricInterpretation", "PixelData"])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_field_without_which_there_is_no_picture_is_named(keyword: str, compressed: bool) -> None:
    jpeg = framed(
        encoded(Image.fromarray(GRADIENT), "JPEG"), uid.JPEGBaseline8Bit, 40, 50, **EIGHT_BITS | {keyword: None}
    )
    assert keyword in refusal_of(jpeg if compressed else dicom(**{keyword: None}))


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel"])
@pytest.mark.parametrize("value", [[1, 2, 3], []])
def test_a_number_of_the_picture_that_is_none_is_named(keyword: str, value: list[int]) -> None:
    reason = refusal_of(dicom(**{keyword: [48, 64]}))
    assert f"its {keyword} is no whole number" in reason


def test_fields_that_follow_from_others_are_forgiven() -> None:
    for missing in ({"SamplesPerPixel": None}, {"BitsStored": None}, {"HighBit": None}):
        film = read_film(dicom(**missing))
        assert np.array_equal(film.pixels, pixels_of(dicom())) and film.warnings == ()
    colours = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    assert np.array_equal(
        pixels_of(dicom(colours, **COLOURS | {"SamplesPerPixel": None})), pixels_of(dicom(colours, **COLOURS))
    )


def test_fields_that_are_guessed_are_reported() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for data, whole, keyword in (
        (dicom(PixelRepresentation=None), dicom(), "PixelRepresentation"),
        (dicom(BitsStored=None, HighBit=None), dicom(), "BitsStored"),
        (dicom(colours, **COLOURS | {"PlanarConfiguration": None}), dicom(colours, **COLOURS), "PlanarConfiguration"),
    ):
        film = read_film(data)
        assert np.array_equal(film.pixels, pixels_of(whole))
        assert [keyword in warning for warning in film.warnings] == [True]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"PixelRepresentation": 2}, "its PixelRepresentation is neither 0 nor 1"),
        ({"BitsStored": 17, "HighBit": 16}, "its bits stored contradict its bits allocated"),
        ({"BitsStored": 0, "HighBit": None}, "its high bit contradicts|its bits stored contradict"),
        (COLOURS | {"PlanarConfiguration": 7}, "its PlanarConfiguration is neither 0 nor 1"),
    ],
)
def test_values_that_no_picture_has_are_named(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(RefusedFilm, match=reason):
        read_film(dicom(**fields))


def bare(syntax: str, **fields: Any) -> bytes:
    """A dataset alone, without preamble and file meta."""
    dataset, file = dataset_of(RAMP, **fields), BytesIO()
    del dataset.file_meta
    dcmwrite(
        file, dataset, implicit_vr=syntax == uid.ImplicitVRLittleEndian, little_endian=True, enforce_file_format=False
    )
    return file.getvalue()


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
def test_files_without_preamble_or_file_meta_are_read(syntax: str) -> None:
    data, alone = dicom(RAMP, syntax), bare(syntax)
    assert b"DICM" not in alone
    for file in (data, data[128:], data[132:], alone, data[:132] + alone):
        assert np.array_equal(pixels_of(file), pixels_of(dicom()))
    group_length = dataset_of(RAMP)
    group_length.add_new(0x00080000, "UL", 100)
    assert np.array_equal(pixels_of(saved(group_length)[132:]), pixels_of(dicom()))


def test_a_big_endian_file_without_preamble_is_read() -> None:
    assert np.array_equal(pixels_of(dicom(RAMP, uid.ExplicitVRBigEndian)[132:]), pixels_of(dicom()))


def test_a_compressed_dataset_alone_says_how_to_convert_it() -> None:
    data = framed(encoded(Image.fromarray(GRADIENT), "JPEG"), uid.JPEGBaseline8Bit, 40, 50, **EIGHT_BITS)
    start = data.index(b"\x08\x00\x16\x00UI")
    for alone in (data[start:], data[:132] + data[start:]):
        assert "write it anew as uncompressed DICOM with file meta, for example with dcmconv" in refusal_of(alone)
    assert np.array_equal(pixels_of(data[132:]), pixels_of(data))


@pytest.mark.parametrize(
    "data", [b"\2\0rubbish" * 40, b"\x08\0rubbish" * 40, b"II*\0\x08\0\0\0" * 40, b"\0" * 400, b"\x08\0" * 3]
)
def test_what_only_begins_like_a_group_is_no_dicom(data: bytes) -> None:
    assert refusal_of(data) == "it is no DICOM, PNG or JPEG file"
