"""Every compressed film gives the values that were compressed, and those that a second decoder, GDCM, finds in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import encoded
from PIL import Image
from pydicom import uid
from radiographs import COLOURS, dicom, extended_jpeg, framed, lossless_jpeg, pixels_of

from radscribe.imaging import dicom as dicom_module
from radscribe.imaging.film import read_film
from radscribe.imaging.refusal import RefusedFilm

gdcm = pytest.importorskip("gdcm")

LOSSLESS = (
    "RLELossless",
    "JPEGLSLossless",
    "JPEG2000Lossless",
    "JPEG2000",
    "JPEGLosslessProcess14",
    "JPEGLosslessProcess14_1",
)
KINDS = {(8, 0): np.uint8, (8, 1): np.int8, (16, 0): np.uint16, (16, 1): np.int16}
BITS = [(8, 8), (8, 16), (10, 16), (12, 16), (14, 16), (16, 16)]


def by_gdcm(data: bytes, syntax: str, folder: Path) -> tuple[bytes, bytes]:
    """``data`` as GDCM compresses it, and the values that GDCM then finds in it."""
    before, after = folder / "before.dcm", folder / "after.dcm"
    before.write_bytes(data)
    reader, change, writer, second = (
        gdcm.ImageReader(),
        gdcm.ImageChangeTransferSyntax(),
        gdcm.ImageWriter(),
        gdcm.ImageReader(),
    )
    reader.SetFileName(str(before))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(after))
    assert writer.Write()
    second.SetFileName(str(after))
    assert second.Read()
    return after.read_bytes(), second.GetImage().GetBuffer().encode("utf-8", "surrogateescape")


def stored_in(data: bytes, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The stored values that the reader finds in ``data``."""
    found, decode = [], dicom_module.decode_pixels

    def spy(*arguments: Any) -> Any:
        found.append(decode(*arguments))
        found[-1] = (found[-1][0].copy(), found[-1][1])
        return found[-1]

    with monkeypatch.context() as patch:
        patch.setattr(dicom_module, "decode_pixels", spy)
        read_film(data, "film.dcm")
    return found[-1][0]


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize(("bits", "allocated"), BITS)
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_films_give_the_values_that_gdcm_gives(
    syntax: str, bits: int, allocated: int, sign: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = np.random.default_rng(bits).integers(0, 2**bits, (40, 52)) - sign * 2 ** (bits - 1)
    film = film.astype(KINDS[allocated, sign])
    fields = {"BitsAllocated": allocated, "BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": sign}
    data, second = by_gdcm(dicom(film, **fields), syntax, tmp_path)
    assert np.array_equal(np.frombuffer(second, film.dtype)[: film.size].reshape(film.shape), film)
    assert np.array_equal(stored_in(data, monkeypatch), film)
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        shown = pixels_of(dicom(film, PhotometricInterpretation=photometric, **fields))
        assert np.array_equal(pixels_of(data.replace(b"MONOCHROME2", photometric.encode())), shown)


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("syntax", ["RLELossless", "JPEGLSLossless", "JPEG2000Lossless", "JPEGLosslessProcess14_1"])
def test_an_overlay_above_the_bits_stored_is_no_part_of_the_picture(
    syntax: str, bits: int, sign: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(bits)
    film = random.integers(0, 2**bits, (40, 52))
    drawn = film | (random.random(film.shape) < 0.2).astype(int) << bits
    whole, _ = by_gdcm(dicom(drawn.astype(np.uint16), BitsStored=16, HighBit=15), syntax, tmp_path)
    data = whole
    for tag, before, after in ((0x01, 16, bits), (0x02, 15, bits - 1), (0x03, 0, sign)):
        field = b"\x28\x00" + bytes([tag, 1]) + b"US\2\0"
        assert field + bytes([before, 0]) in data
        data = data.replace(field + bytes([before, 0]), field + bytes([after, 0]))
    expected = np.where(film >> (bits - 1), film - 2**bits, film) if sign else film
    assert np.array_equal(stored_in(data, monkeypatch), expected)


def test_levels_beyond_white_after_lossy_compression_stay_white(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = np.full((5, 6), 1023, np.uint16)
    levels[0], levels[1] = 0, 1060  # beyond the 10 bits that are stored
    data = framed(extended_jpeg(levels), uid.JPEGExtended12Bit, 40, 48, BitsStored=10, HighBit=9)
    stored = stored_in(data, monkeypatch)
    assert np.abs(stored - np.minimum(levels, 1023).repeat(8, 0).repeat(8, 1).astype(int)).max() <= 1


@pytest.mark.parametrize("planar", [0, 1, None])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("syntax", [*LOSSLESS, "JPEGBaselineProcess1"])
def test_compressed_colours_are_the_same_whatever_their_planar_configuration(
    syntax: str, photometric: str, planar: int | None, tmp_path: Path
) -> None:
    film = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    grey = np.asarray(Image.fromarray(film).convert("L")).astype(int)
    stored = film if photometric == "RGB" else np.asarray(Image.fromarray(film).convert("YCbCr"))
    data, _ = by_gdcm(dicom(stored, **COLOURS | {"PhotometricInterpretation": photometric}), syntax, tmp_path)
    field = b"\x28\x00\x06\x00US\2\0"
    value = data[data.index(field) : data.index(field) + 10]
    given = b"" if planar is None else field + bytes([planar, 0])
    assert np.abs(pixels_of(data.replace(value, given)) - grey).max() <= (5 if syntax.startswith("JPEGB") else 1)


@pytest.mark.parametrize("reversible", [True, False])
@pytest.mark.parametrize("transform", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_ICT", "YBR_RCT"])
def test_colours_of_jpeg_2000(photometric: str, transform: int, reversible: bool) -> None:
    film = np.random.default_rng(1).integers(0, 256, (5, 6, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    frame = encoded(Image.fromarray(film), "JPEG2000", no_jp2=True, irreversible=not reversible, mct=transform)
    for planar in (0, 1):
        fields = COLOURS | {"PhotometricInterpretation": photometric, "PlanarConfiguration": planar}
        grey = np.asarray(Image.fromarray(film).convert("L")).astype(int)
        assert np.abs(pixels_of(framed(frame, uid.JPEG2000, 40, 48, **fields)) - grey).max() <= 2


def test_more_bits_than_are_allocated_are_refused() -> None:
    film = np.random.default_rng(0).integers(0, 4096, (40, 50))
    fields = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    with pytest.raises(RefusedFilm, match="more bits than its header allocates"):
        read_film(framed(lossless_jpeg(film, 12), uid.JPEGLosslessSV1, 40, 50, **fields))
