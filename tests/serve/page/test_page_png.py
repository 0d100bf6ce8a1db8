"""The page's own PNG decoder, held against Pillow's; and windows of grey levels."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

Logic = Callable[..., Any]
DECODE = (
    (
        "m.decodePng(Uint8Array.from(atob(given), (each) => each.charCodeAt(0)).buffer)"
        ".then(({{width, height, bits, levels}}) => ({{width, height, bits, levels: [...levels]}}))"
    )
    .replace("{{", "{")
    .replace("}}", "}")
)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(levels: np.ndarray, filters: list[int]) -> bytes:
    """A PNG file whose lines go through these filters, written by the words of the specification."""
    height, width = levels.shape
    size = levels.itemsize
    raw = levels.astype(levels.dtype.newbyteorder(">")).tobytes()
    stride, lines, above = width * size, [], bytes(width * size)
    for row in range(height):
        line = raw[row * stride : (row + 1) * stride]
        kind, out = filters[row % len(filters)], bytearray()
        for place, byte in enumerate(line):
            a = line[place - size] if place >= size else 0
            b, c = above[place], above[place - size] if place >= size else 0
            p = a + b - c
            paeth = min((a, b, c), key=lambda each, p=p: abs(p - each))
            out.append((byte - [0, a, b, (a + b) // 2, paeth][kind]) % 256)
        lines.append(bytes([kind]) + bytes(out))
        above = line
    header = struct.pack(">IIBBBBB", width, height, 8 * size, 0, 0, 0, 0)
    packed = zlib.compress(b"".join(lines))
    parts = [packed[:7], packed[7:]]  # a picture may come in several pieces
    body = b"".join(chunk(b"IDAT", part) for part in parts)
    return SIGNATURE + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def given(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0]], ids=str)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_filter_gives_the_levels_that_pillow_reads(kind: Any, filters: list[int], logic: Logic) -> None:
    levels = np.random.default_rng(3).integers(0, np.iinfo(kind).max, (9, 13), endpoint=True).astype(kind)
    content = png(levels, filters)
    assert (np.asarray(Image.open(BytesIO(content))) == levels).all()
    found = logic("png", DECODE, given(content))
    assert (found["width"], found["height"], found["bits"]) == (13, 9, 8 * levels.itemsize)
    assert found["levels"] == levels.ravel().tolist()


def test_all_4096_levels_of_a_deep_film_survive(logic: Logic) -> None:
    levels, content = np.arange(4096, dtype=np.uint16).reshape(64, 64), BytesIO()
    Image.fromarray(levels).save(content, "PNG")
    assert logic("png", DECODE, given(content.getvalue()))["levels"] == list(range(4096))


def refused(logic: Logic, content: bytes) -> str:
    return str(logic("png", f"{DECODE}.then(() => 'read', (error) => error.constructor.name)", given(content)))


def test_damaged_and_other_pictures_are_refused(logic: Logic) -> None:
    levels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    whole = png(levels, [0])
    colour, jpeg = BytesIO(), BytesIO()
    Image.new("RGB", (4, 4)).save(colour, "PNG")
    Image.new("L", (4, 4)).save(jpeg, "JPEG")
    shorter = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 9, 8, 0, 0, 0, 0)) + whole[33:]
    assert refused(logic, whole) == "read"
    for content in (b"", whole[:40], whole[:60], colour.getvalue(), jpeg.getvalue(), shorter):
        assert refused(logic, content) == "WrongPicture"


def test_a_window_maps_black_and_white_and_inverts(logic: Logic) -> None:
    call = "[0, 100, 300, 500, 900].map((level) => m.brightness(level, {black: 100, white: 500}, given))"
    assert logic("levels", call, False) == [0, 0, 0.5, 1, 1]
    assert logic("levels", call, True) == [1, 1, 0.5, 0, 0]
    assert logic("levels", "m.firstWindow('494 3505', 16)") == {"black": 494, "white": 3505}
    assert logic("levels", "m.firstWindow('-5 300', 8)") == {"black": -5, "white": 300}
    for header in (None, "", "7 7", "x y"):
        assert logic("levels", "m.firstWindow(given, 16)", header) == {"black": 0, "white": 65535}


def test_dragging_widens_the_window_and_shifts_it(logic: Logic) -> None:
    before = {"black": 1000, "white": 3000}
    wider = logic("levels", "m.dragged(given, 0.5, 0)", before)
    assert wider == {"black": 0, "white": 4000}
    brighter = logic("levels", "m.dragged(given, 0, 0.1)", before)
    assert brighter == {"black": 800, "white": 2800}
    narrow = logic("levels", "m.dragged({black: 10, white: 12}, -5, 0)", before)
    assert narrow["white"] - narrow["black"] == 2


def test_a_film_too_large_for_a_card_is_halved_by_means(logic: Logic) -> None:
    film = "{width: 3, height: 2, bits: 16, levels: Uint16Array.from([0, 100, 7, 200, 300, 9])}"
    half = logic("levels", f"(({{levels, ...more}}) => ({{...more, levels: [...levels]}}))(m.halved({film}))")
    assert half == {"width": 1, "height": 1, "bits": 16, "levels": [150]}
