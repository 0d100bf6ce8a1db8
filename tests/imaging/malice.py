"""Files that are built to cost a reader its memory or its time, small as most of them are."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pictures import GRADIENT, chunk, encoded, png
from PIL import Image
from pydicom import Dataset, uid
from radiographs import EIGHT_BITS, RAMP, dicom, framed, segment

ROWS, COLUMNS = 5000, 6000  # the largest film that is admitted
MEBIBYTE = 2**20
END = b"\xff\xd9"
OVERLOAD = "its compressed pixel data contradicts its header or would overload"


def largest_film() -> bytes:
    film = np.add.outer(np.arange(ROWS), np.arange(COLUMNS)).astype(np.uint16)
    return dicom(
        film, BitsStored=16, HighBit=15, WindowCenter=5000, WindowWidth=9000, RescaleSlope=1.5, RescaleIntercept=9
    )


def largest_transparent_png() -> bytes:
    return png(COLUMNS, ROWS, bytes(ROWS * (1 + 4 * COLUMNS)), colour=6)


def inflated_dicom() -> bytes:
    data = dicom(RAMP, uid.DeflatedExplicitVRLittleEndian)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(bytes(64 * MEBIBYTE)) + deflate.flush()
    return data[: data.index(b"1.2.840.10008.1.2.1.99") + 22] + body


def nested(depth: int, tag: bytes) -> bytes:
    """Sequences in sequences of undefined length, before everything else."""
    data = dicom()
    start = data.index(b"\x08\x00\x16\x00UI")
    sequence = tag + b"SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
    return data[:start] + sequence * depth + data[start:]


def small_elements(count: int) -> bytes:
    data = dicom()
    start = data.index(b"\x08\x00\x16\x00UI")
    return data[:start] + b"\x08\x00\x05\x00CS\0\0" * count + data[start:]


def large_table() -> bytes:
    item = Dataset()
    item.add_new(0x00283006, "OW", bytes(20 * MEBIBYTE))
    item.LUTDescriptor = [4096, 0, 16]
    item["LUTDescriptor"].VR = "US"
    return dicom(VOILUTSequence=[item])


def runs(rows: int, columns: int, segments: bytes) -> bytes:
    """RLE of 16 bits whose two planes are the same ``segments``."""
    header = np.array([2, 64, 64 + len(segments), *[0] * 13], "<u4").tobytes()
    return framed(header + segments * 2, uid.RLELossless, rows, columns, BitsStored=16, HighBit=15)


def jpeg_2000(samples: int = 1, tile: int | None = None, **options: object) -> bytes:
    """A small codestream that claims the largest film, in ``samples`` or in tiles."""
    stream = bytearray(encoded(Image.fromarray(GRADIENT), "JPEG2000", no_jp2=True, **options))
    struct.pack_into(">2I", stream, 8, COLUMNS, ROWS)
    struct.pack_into(">2I", stream, 24, tile or COLUMNS, tile or ROWS)
    if samples > 1:
        (length,) = struct.unpack_from(">H", stream, 4)
        struct.pack_into(">H", stream, 4, length + 3 * (samples - 1))
        struct.pack_into(">H", stream, 40, samples)
        stream[45:45] = bytes(stream[42:45]) * (samples - 1)
    part = stream.index(b"\xff\x90") + 6
    (length,) = struct.unpack_from(">I", stream, part)
    struct.pack_into(">I", stream, part, length + 100_000)
    stream[-2:] = bytes(100_000) + END
    return framed(bytes(stream), uid.JPEG2000, ROWS, COLUMNS, **EIGHT_BITS)


def jpeg_frame(frame: int, syntax: str, *before: bytes, rows: int = ROWS, columns: int = COLUMNS) -> bytes:
    """A JPEG or JPEG-LS frame of a large film with little in it."""
    header = segment(frame, struct.pack(">BHHB", 12, rows, columns, 1) + b"\1\x11\0")
    codes = segment(0xC4, b"\0" + bytes([0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17)))
    scan = segment(0xDA, bytes([1, 1, 0, 1 if frame == 0xC3 else 0, 0, 0]))
    data = b"\xff\xd8" + b"".join(before) + header + codes + scan + b"\x55" * 70_000 + END
    return framed(data, syntax, rows, columns)


def scans(count: int) -> bytes:
    """A progressive JPEG of the largest film that goes over it ``count`` times."""
    data = encoded(Image.fromarray(GRADIENT), "JPEG", progressive=True)
    start = data.index(b"\xff\xc2") + 5
    data = data[:start] + struct.pack(">HH", ROWS, COLUMNS) + data[start + 4 :]
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * count + END


def after_the_start(content: bytes) -> bytes:
    data = encoded(Image.fromarray(GRADIENT), "JPEG")
    return data[:2] + content + data[2:]


def many_fragments() -> bytes:
    data = framed(encoded(Image.fromarray(GRADIENT), "JPEG"), uid.JPEGBaseline8Bit, 40, 50, **EIGHT_BITS)
    start = data.rindex(b"\xfe\xff\xdd\xe0")
    return data[:start] + b"\xfe\xff\x00\xe0\0\0\0\0" * 300_000 + data[start:]


def sparse(path: Path, size: int) -> None:
    """A file that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(dicom()[:400])
        file.truncate(size)


def private_element(path: Path, size: int) -> None:
    data = dicom()
    start = data.index(b"\x28\x00\x02\x00US")
    with path.open("wb") as file:
        file.write(data[:start] + b"\x19\x00\x10\x10OB\0\0" + struct.pack("<I", size))
        file.seek(size, 1)
        file.write(data[start:])


# Of each: what is made, and how the answer begins; a shape is a film that was read.
MALICE: dict[str, tuple[Callable[[], bytes], str]] = {
    "largest film": (largest_film, "(5000, 6000)"),
    "largest film, inverted and padded": (
        lambda: largest_film().replace(b"MONOCHROME2 ", b"MONOCHROME1 "),
        "(5000, 6000)",
    ),
    "largest PNG": (largest_transparent_png, "it decodes to nothing"),
    "largest PNG, cut off": (lambda: largest_transparent_png()[:-5000], "it cannot be decoded"),
    "PNG of 80 million pixels": (lambda: png(8944, 8945, b"\0", colour=6), "its header claims 8944 x 8945"),
    "PNG with a text that inflates": (
        lambda: png(50, 40, b"\0", chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(64 * MEBIBYTE)))),
        "it cannot be decoded",
    ),
    "PNG of chunks": (lambda: png(50, 40, b"\0", chunk(b"prVt", b"") * 300_000), "its header is larger"),
    "JPEG of scans": (lambda: scans(20_000), "it has more than 100 scans"),
    "JPEG of as many scans as may be": (lambda: scans(90), "(5000, 6000)"),
    "JPEG of junk": (lambda: after_the_start(b"\xff\xfe\0\2" + bytes(20 * MEBIBYTE)), "its header is larger"),
    "JPEG of Exif": (
        lambda: after_the_start(segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 800),
        "its header is larger",
    ),
    "deflated DICOM": (inflated_dicom, "its transfer syntax (deflated)"),
    "nested sequences": (lambda: nested(100_000, b"\x08\x00\x40\x11"), "its DICOM content is damaged"),
    "nested tables": (lambda: nested(100_000, b"\x08\x00\x0f\x00"), "its DICOM content is damaged"),
    "small elements": (lambda: small_elements(2_000_000), "its header is larger"),
    "large table": (large_table, "its header holds a field larger"),
    "RLE of the largest film": (
        lambda: runs(ROWS, COLUMNS, (b"\x81\1\x81\2" * (ROWS * COLUMNS // 256 + 1))),
        "(5000, 6000)",
    ),
    "RLE that never ends": (lambda: runs(3000, 3000, b"\x81\1\x81\2" * 2_700_000), "(3000, 3000)"),
    "RLE of nothing": (lambda: runs(3000, 3000, b"\x80" * 10_000_000), "its DICOM content is damaged"),
    "JPEG 2000 of the largest film": (jpeg_2000, "(5000, 6000)"),
    "JPEG 2000 of small blocks": (lambda: jpeg_2000(codeblock_size=(4, 4)), OVERLOAD),
    "JPEG 2000 of small precincts": (lambda: jpeg_2000(precinct_size=(32, 32), codeblock_size=(16, 16)), OVERLOAD),
    "JPEG 2000 of small tiles": (lambda: jpeg_2000(tile=40), OVERLOAD),
    "JPEG 2000 of samples": (lambda: jpeg_2000(samples=16_000), OVERLOAD),
    "JPEG-LS that says little": (lambda: jpeg_frame(0xF7, uid.JPEGLSLossless, rows=2000, columns=3000), "(2000, 3000)"),
    "JPEG lossless of the largest film": (
        lambda: jpeg_frame(0xC3, uid.JPEGLosslessSV1),
        "its DICOM content is damaged",
    ),
    "JPEG XT": (lambda: jpeg_frame(0xC3, uid.JPEGLosslessSV1, segment(0xEB, b"JP" + bytes(60))), OVERLOAD),
    "JPEG of a hierarchy": (lambda: jpeg_frame(0xC3, uid.JPEGLosslessSV1, segment(0xDE, bytes(9))), OVERLOAD),
    "little data": (
        lambda: framed(encoded(Image.fromarray(GRADIENT), "JPEG"), uid.JPEGBaseline8Bit, ROWS, COLUMNS, **EIGHT_BITS),
        "it holds too little pixel data",
    ),
    "fragments": (many_fragments, "its header is larger"),
    "more pixels than the header has room for": (lambda: dicom(RAMP, PixelData=bytes(20 * MEBIBYTE)), "it holds more"),
}
FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "file of 256 MiB": (lambda path: sparse(path, 256 * MEBIBYTE), "it is larger than 128 MiB"),
    "file of 128 MiB": (lambda path: sparse(path, 128 * MEBIBYTE), "its header is larger"),
    "private element of 100 MiB": (lambda path: private_element(path, 100 * MEBIBYTE), "(48, 64)"),
}
