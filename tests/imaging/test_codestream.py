"""What is read of compressed frames before they are decoded."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from pictures import GRADIENT, encoded
from PIL import Image
from radiographs import RAMP, extended_jpeg, lossless_jpeg, segment

from radscribe.imaging import codestream
from radscribe.imaging.codestream import agrees

GREY = Image.fromarray(GRADIENT)
COLOUR = Image.fromarray(np.dstack([GRADIENT] * 3))
FRAMES = {
    "baseline": (encoded(GREY, "JPEG"), (40, 50, 1)),
    "progressive": (encoded(COLOUR, "JPEG", progressive=True), (40, 50, 3)),
    "with Exif": (encoded(GREY, "JPEG", exif=b"Exif\0\0" + bytes(60_000)), (40, 50, 1)),
    "lossless": (lossless_jpeg(RAMP, 12), (48, 64, 1)),
    "extended": (extended_jpeg(RAMP[:6, :8]), (48, 64, 1)),
    "JPEG 2000": (encoded(GREY, "JPEG2000", no_jp2=True), (40, 50, 1)),
    "JPEG 2000 in tiles": (encoded(COLOUR, "JPEG2000", no_jp2=True, tile_size=(16, 16)), (40, 50, 3)),
    "JPEG 2000 in precincts": (encoded(GREY, "JPEG2000", no_jp2=True, precinct_size=(64, 64)), (40, 50, 1)),
    "JP2": (encoded(COLOUR, "JPEG2000"), (40, 50, 3)),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_agrees_with_its_own_shape_alone(kind: str) -> None:
    frame, (rows, columns, samples) = FRAMES[kind]
    assert agrees(frame, rows, columns, samples)
    for other in ((rows + 1, columns, samples), (rows, columns - 1, samples), (rows, columns, 4 - samples)):
        assert not agrees(frame, *other)


def test_fill_bytes_before_a_marker_are_passed_over() -> None:
    frame = lossless_jpeg(RAMP, 12)
    assert agrees(frame[:2] + b"\xff\xff" + frame[2:], 48, 64, 1)


@pytest.mark.parametrize(
    "between",
    [
        segment(0xC3, struct.pack(">BHHB", 12, 48, 64, 1) + b"\1\x11\0"),  # a second frame
        segment(0xC9, bytes(9)),
        segment(0xDC, b"\0\x30"),
        b"\0\0",
    ],
)
def test_a_jpeg_with_anything_else_in_its_header_is_no_radiograph(between: bytes) -> None:
    frame = lossless_jpeg(RAMP, 12)
    assert agrees(frame, 48, 64, 1)
    assert not agrees(frame[:2] + between + frame[2:], 48, 64, 1)


def test_a_jp2_with_a_palette_is_refused() -> None:
    frame = encoded(GREY, "JPEG2000")
    start = frame.index(b"jp2c") - 4
    palette = struct.pack(">I", 12) + b"pclr" + bytes(4)
    assert not agrees(frame[:start] + palette + frame[start:], 40, 50, 1)
    assert agrees(frame[:start] + palette.replace(b"pclr", b"free") + frame[start:], 40, 50, 1)


def test_a_coding_style_in_a_tile_is_held_against_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codestream, "MOST_BLOCKS", 20)
    stream = encoded(GREY, "JPEG2000", no_jp2=True)
    data, part = stream.index(b"\xff\x93"), stream.index(b"\xff\x90")
    style = stream[stream.index(b"\xff\x52") :][:14]
    for block, allowed in ((b"\4\4", True), (b"\0\0", False)):
        own = style[:10] + block + style[12:]
        tile = bytearray(stream[:data] + own + stream[data:])
        (length,) = struct.unpack_from(">I", tile, part + 6)
        struct.pack_into(">I", tile, part + 6, length + len(own))
        assert agrees(bytes(tile), 40, 50, 1) == allowed


@pytest.mark.parametrize("kind", FRAMES)
def test_a_header_that_breaks_off_agrees_with_nothing(kind: str) -> None:
    frame, shape = FRAMES[kind]
    for length in range(2, max(frame.find(b"\xff\xda"), frame.find(b"\xff\x52")), 7):
        try:
            assert not agrees(frame[:length], *shape)
        except (IndexError, struct.error):
            continue
