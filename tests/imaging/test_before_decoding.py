"""What a header claims is refused before anything of the pixel data is decoded, or read."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pictures import GRADIENT, encoded, png
from PIL import Image, ImageFile
from pydicom import uid
from pydicom.encaps import encapsulate
from radiographs import COLOURS, RAMP, compressed, dicom, framed, lossless_jpeg

from radscribe.imaging import levels, pixel_data
from radscribe.imaging.dicom import read_dicom
from radscribe.imaging.film import read_film
from radscribe.imaging.refusal import RefusedFilm

FRAME = lossless_jpeg(RAMP, 12)
LOSSLESS = uid.JPEGLosslessSV1
CLAIMS: dict[str, tuple[Callable[[], bytes], str]] = {
    "more pixels": (lambda: dicom(Rows=6000, Columns=5001), "more than the limit of 30,000,000"),
    "more bytes": (lambda: dicom(Rows=5000, Columns=5000, **COLOURS), "of 3 bytes, more than 60,000,000"),
    "more pixels, compressed": (lambda: framed(FRAME, LOSSLESS, 6000, 5001), "more than the limit"),
    "too few pixels": (lambda: framed(FRAME, LOSSLESS, 8, 64), "too few"),
    "other rows": (lambda: framed(FRAME, LOSSLESS, 47, 64), "contradicts its header"),
    "other columns": (lambda: framed(FRAME, LOSSLESS, 48, 65), "contradicts its header"),
    "other samples": (lambda: framed(FRAME, LOSSLESS, 48, 64, **COLOURS), "contradicts its header"),
    "another modality": (lambda: framed(FRAME, LOSSLESS, 48, 64, Modality="MR"), "it is a MR"),
    "frames": (lambda: framed(FRAME, LOSSLESS, 48, 64, NumberOfFrames=3), "several frames"),
    "frames in its offset table": (
        lambda: dicom(None, LOSSLESS, Rows=48, Columns=64, PixelData=encapsulate([FRAME, FRAME])),
        "several frames",
    ),
    "more bits": (lambda: dicom(BitsAllocated=32, BitsStored=32, HighBit=31), "bits allocated are not supported"),
    "more data than room": (lambda: dicom(PixelData=bytes(13_000)), "more pixel data than its header has room for"),
    "more data than room, compressed": (
        lambda: framed(FRAME + bytes(90_000), LOSSLESS, 48, 64),
        "more pixel data than its header has room for",
    ),
    "less data than claimed": (lambda: dicom(Rows=49), "less pixel data than its header claims"),
    "little data, compressed": (lambda: framed(FRAME, LOSSLESS, 4800, 6000), "too little pixel data"),
    "many pixels in a PNG": (lambda: png(6000, 5001, b"\0"), "more than the limit"),
    "frames in a PNG": (
        lambda: encoded(Image.fromarray(GRADIENT), save_all=True, append_images=[Image.fromarray(255 - GRADIENT)]),
        "several frames",
    ),
}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The decoders that were called; each fails."""
    called: list[str] = []

    def failing(name: str) -> Callable[..., Any]:
        def fail(*_: Any, **__: Any) -> None:
            called.append(name)
            raise AssertionError(name)

        return fail

    for owner, name in ((pixel_data, "get_decoder"), (pixel_data, "unpack_frame"), (ImageFile.ImageFile, "load")):
        monkeypatch.setattr(owner, name, failing(name))
    return called


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_refused_before_anything_is_decoded(claim: str, decoded: list[str]) -> None:
    make, reason = CLAIMS[claim]
    with pytest.raises(RefusedFilm, match=reason):
        read_film(make())
    assert decoded == []


@pytest.mark.parametrize(
    ("make", "decoder"),
    [
        (dicom, "get_decoder"),
        (lambda: framed(FRAME, LOSSLESS, 48, 64), "get_decoder"),
        (lambda: compressed(RAMP, uid.RLELossless), "unpack_frame"),
        (lambda: encoded(Image.fromarray(GRADIENT)), "load"),
    ],
)
def test_a_valid_file_does_reach_the_decoder(make: Callable[[], bytes], decoder: str, decoded: list[str]) -> None:
    data = make()
    with pytest.raises(RefusedFilm):
        read_film(data)
    assert decoded == [decoder]


class Counted(BytesIO):
    """A file that counts the bytes that are read of it."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize(
    "fields", [{"Modality": "CT"}, {"Rows": 65535}, {"SamplesPerPixel": 3}, {"PhotometricInterpretation": None}]
)
def test_the_pixel_data_of_a_refused_file_is_not_read(fields: dict[str, Any]) -> None:
    film = np.zeros((1000, 1000), np.uint16)
    file = Counted(dicom(film, **fields))
    with pytest.raises(RefusedFilm):
        read_dicom(file, "film.dcm")
    assert 0 < file.count < 10_000


def test_the_largest_film_that_is_admitted_holds_every_detector() -> None:
    for rows, columns in ((4288, 4288), (4280, 3520), (4248, 3480), (5000, 4000)):  # 43 x 43 cm at 0.1 mm and others
        levels.check_size(rows, columns, "film", pixel_bytes=2)
