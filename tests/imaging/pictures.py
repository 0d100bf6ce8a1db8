"""PNG and JPEG files for the tests of this room, those included that Pillow does not write."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

GRADIENT = np.add.outer(np.arange(40), np.arange(50) * 2).astype(np.uint8)
# Adam7 (ISO/IEC 15948, 8.2): first row, first column, step down, step across.
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png(
    width: int, height: int, rows: bytes, *others: bytes, colour: int = 0, interlaced: bool = False, bits: int = 8
) -> bytes:
    """A PNG whose header may claim what it likes: ``rows`` is its data, ``others`` are further chunks."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    chunks = (chunk(b"IHDR", header), *others, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced_png(film: np.ndarray) -> bytes:
    lines = (line for top, left, down, right in PASSES for line in film[top::down, left::right])
    rows = b"".join(b"\0" + line.tobytes() for line in lines)
    return png(film.shape[1], film.shape[0], rows, interlaced=True)


def deep_png(film: np.ndarray, *others: bytes, interlaced: bool = False) -> bytes:
    """A PNG of 16 bits a channel: ``film`` (H x W x 1 to 4) in grey, grey + alpha, RGB or RGBA; with all filters."""
    height, width, channels = film.shape
    stored = film.astype(">u2").view(np.uint8).reshape(height, width, 2 * channels)
    rows = b"".join(
        _filtered(stored[top::down, left::right])
        for top, left, down, right in (PASSES if interlaced else ((0, 0, 1, 1),))
    )
    return png(width, height, rows, *others, colour=(0, 4, 2, 6)[channels - 1], interlaced=interlaced, bits=16)


def _filtered(film: np.ndarray) -> bytes:
    """The rows of ``film`` (H x W x bytes of a pixel), each after its filter: none, sub, up, average, Paeth."""
    padded = np.pad(film.astype(int), ((1, 0), (1, 0), (0, 0)))
    left, up, corner, rows = padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1], []
    first, second, third = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    nearest = np.where((first <= second) & (first <= third), left, np.where(second <= third, up, corner))
    predicted = (0 * left, left, up, (left + up) // 2, nearest)
    for row in range(len(film)):
        kind = row % 5
        rows.append(bytes([kind]) + (film[row] - predicted[kind][row]).astype(np.uint8).tobytes())
    return b"".join(rows) if film.size else b""
