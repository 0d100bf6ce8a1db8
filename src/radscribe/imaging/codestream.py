"""Checks a compressed frame's own header against the DICOM header before a decoder trusts it.

JPEG: ISO/IEC 10918-1 annex B; JPEG-LS: ISO/IEC 14495-1 annex C; JPEG 2000: ISO/IEC 15444-1 annexes A and I.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack_from

# JPEG: markers of sequential, progressive, lossless and JPEG-LS frames; not of arithmetic and hierarchical ones.
LOSSLESS, JPEG_LS = 0xC3, 0xF7
FRAMES = (0xC0, 0xC1, 0xC2, LOSSLESS, JPEG_LS)
# Markers of tables (Huffman, quantization, restart, JPEG-LS parameters), comments and application data. Not APP11: its
# JPEG XT boxes hold images of their own.
BETWEEN = (0xC4, 0xDB, 0xDD, 0xF8, 0xFE, *(marker for marker in range(0xE0, 0xF0) if marker != 0xEB))
START_OF_SCAN = 0xDA
SCAN = b"\xff\xda"
LONGEST_HEADER = 2**20
# A decoder goes over all pixels for each scan, whether it holds two bytes or two million.
MOST_SCANS = 100

# JPEG 2000. A decoder allocates a structure for each tile, precinct and code block before it reads a byte of them.
SIGNATURE_BOX = b"\0\0\0\x0cjP  \r\n\x87\n"
SIZE, TILE_PART, DATA, END = 0xFF51, 0xFF90, 0xFF93, 0xFFD9
# Coding style markers (COD, COC) -> offsets of the style byte and of its parameters in the segment.
STYLES = {0xFF52: (4, 9), 0xFF53: (5, 6)}
MOST_TILES = 4096
MOST_PRECINCTS = 12_000  # 64 x 64 pixels each in the largest film
MOST_BLOCKS = 150_000
MOST_SEGMENTS = 20_000


def agrees(frame: bytes, rows: int, columns: int, samples: int) -> bool:
    """Whether a JPEG, JPEG-LS or JPEG 2000 frame holds one picture of rows x columns x samples, cheap to decode.

    Raises:
        struct.error, IndexError: when the frame ends within its own header.
    """
    if frame[:2] == b"\xff\xd8":
        return _jpeg_shape(frame) == (rows, columns, samples) and frame.count(SCAN) <= MOST_SCANS
    start = _codestream(frame)
    return start is not None and _jpeg_2000_agrees(frame, start, (rows, columns, samples))


@dataclass(frozen=True)
class Coding:
    """How the samples of a frame are coded."""

    bits: int  # of each sample
    lossy: bool
    # Whether the second sample of three is coarser than the first, as only differences of colour are.
    subsampled: bool = False


def coding_of(frame: bytes) -> Coding:
    """The coding of a frame that ``agrees``."""
    if frame[:2] != b"\xff\xd8":
        start = _codestream(frame) or 0
        style = frame.find(b"\xff\x52", start, frame.index(b"\xff\x90", start))
        return Coding((frame[start + 42] & 0x7F) + 1, style > 0 and frame[style + 13] == 0)
    found = {marker: position for marker, position in _segments(frame) if marker in (*FRAMES, START_OF_SCAN)}
    scan = found.pop(START_OF_SCAN)
    ((marker, position),) = found.items()
    largest_error = frame[scan + 3 + 2 * frame[scan + 2]]  # in JPEG-LS
    lossy = largest_error > 0 if marker == JPEG_LS else marker != LOSSLESS
    subsampled = frame[position + 7] > 1 and frame[position + 9] > frame[position + 12]
    return Coding(frame[position + 2], lossy, subsampled)


def _jpeg_shape(frame: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and samples of the only frame; None for a layout that no radiograph uses."""
    shape = None
    for marker, position in _segments(frame):
        if marker == START_OF_SCAN:
            return shape
        if marker in FRAMES and shape is None:
            shape = unpack_from(">HHB", frame, position + 3)
        elif marker not in BETWEEN:
            return None
    return None


def _segments(frame: bytes) -> Iterator[tuple[int, int]]:
    """Marker and position (of its length) of each segment of a JPEG or JPEG-LS frame, to its first scan."""
    position, marker = 2, 0
    while position < LONGEST_HEADER and marker != START_OF_SCAN and frame[position] == 0xFF:
        marker = frame[position + 1]
        if marker == 0xFF:  # fill
            position += 1
            continue
        yield marker, position + 2
        (length,) = unpack_from(">H", frame, position + 2)
        position += 2 + length


def _codestream(frame: bytes) -> int | None:
    """Offset of the JPEG 2000 codestream: 0, as DICOM requires, or in a box of a JP2 file; None if not found."""
    if frame[:4] == b"\xff\x4f\xff\x51":
        return 0
    if not frame.startswith(SIGNATURE_BOX):
        return None
    position = 0
    while position < LONGEST_HEADER:
        length, kind = unpack_from(">I4s", frame, position)
        if kind == b"jp2c":
            # A palette would multiply the samples.
            return None if b"pclr" in frame[:position] else position + (16 if length == 1 else 8)
        if length < 8:
            return None
        position += length
    return None


def _jpeg_2000_agrees(frame: bytes, start: int, shape: tuple[int, int, int]) -> bool:
    if frame[start : start + 4] != b"\xff\x4f\xff\x51":
        return False
    right, bottom, left, top, width, height, first_column, first_row = unpack_from(">8I", frame, start + 8)
    (samples,) = unpack_from(">H", frame, start + 40)
    if (bottom - top, right - left, samples) != shape or not width or not height:
        return False
    tiles = _parts(right - first_column, width) * _parts(bottom - first_row, height)
    components = [unpack_from(">3B", frame, start + 42 + 3 * sample) for sample in range(samples)]
    depth = (components[0][0] & 0x7F) + 1
    alike = all(component == (components[0][0], 1, 1) for component in components)
    return tiles <= MOST_TILES and depth <= 16 and alike and _styles_are_cheap(frame, start + 2, shape)


def _styles_are_cheap(frame: bytes, position: int, shape: tuple[int, int, int]) -> bool:
    """Whether every coding style, of the main header at ``position`` and of the tiles, passes ``_style_is_cheap``."""
    following = len(frame)
    for _ in range(MOST_SEGMENTS):
        if position + 2 > len(frame):
            return True
        (marker,) = unpack_from(">H", frame, position)
        if marker == END:
            return True
        if marker == DATA:
            position = following
            continue
        if marker < SIZE:
            return False
        (length,) = unpack_from(">H", frame, position + 2)
        if marker == TILE_PART:
            (size,) = unpack_from(">I", frame, position + 6)
            following = position + size if size else len(frame)
        elif marker in STYLES:
            style, parameters = STYLES[marker]
            if not _style_is_cheap(frame, frame[position + style], position + parameters, shape):
                return False
        position += 2 + length
    return False


def _style_is_cheap(frame: bytes, style: int, position: int, shape: tuple[int, int, int]) -> bool:
    """Whether the coding style whose parameters are at ``position`` makes few enough precincts and code blocks.

    The parameters are levels, block width and height, two flags and, if bit 0 of ``style`` is set, the precinct size of
    each level. Sizes are exponents of two, for blocks minus two.
    """
    rows, columns, samples = shape
    levels, width, height = unpack_from(">3B", frame, position)
    sizes = unpack_from(f"{levels + 1}B", frame, position + 5) if style & 1 else (0xFF,) * (levels + 1)
    precincts = blocks = 0
    for level, size in enumerate(sizes):
        across, down = (_parts(side, 1 << (levels - level)) for side in (columns, rows))
        widest, highest = 1 << (size & 15), 1 << (size >> 4)
        precincts += _parts(across, widest) * _parts(down, highest)
        blocks += _parts(across, min(4 << width, widest)) * _parts(down, min(4 << height, highest))
    return precincts * samples <= MOST_PRECINCTS and blocks * samples <= MOST_BLOCKS


def _parts(length: int, size: int) -> int:
    return -(-length // size)
