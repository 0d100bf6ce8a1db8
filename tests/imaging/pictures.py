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


def png(width: int, height: int, rows: bytes, *others: bytes, colour: int = 0, interlaced: bool = False) -> bytes:
    """A PNG of 8 bits whose header may claim what it likes: ``rows`` is its data, ``others`` are further chunks."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, interlaced)
    chunks = (chunk(b"IHDR", header), *others, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced_png(film: np.ndarray) -> bytes:
    lines = (line for top, left, down, right in PASSES for line in film[top::down, left::right])
    rows = b"".join(b"\0" + line.tobytes() for line in lines)
    return png(film.shape[1], film.shape[0], rows, interlaced=True)
