"""Finds the pixel data of a DICOM file, checks them against the header and decodes them."""

from __future__ import annotations

from dataclasses import dataclass
from io import SEEK_CUR
from struct import unpack
from typing import Any, BinaryIO

import numpy as np
from pydicom import Dataset, uid
from pydicom.encaps import get_frame, parse_basic_offsets, parse_fragments
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID

from radscribe.imaging.bounded import BoundedFile
from radscribe.imaging.codestream import agrees, coding_of
from radscribe.imaging.header import CONVERT
from radscribe.imaging.levels import Levels
from radscribe.imaging.refusal import RefusedFilm
from radscribe.imaging.run_length import unpack_frame

NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)
COMPRESSED = (
    uid.RLELossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
)
PIXEL_DATA = (0x7FE0, 0x0010)
EXPLICIT = (b"OB", b"OW", b"UN")
UNDEFINED_LENGTH = 0xFFFFFFFF
SEQUENCE_END = b"\xfe\xff\xdd\xe0"
MOST_FRAGMENTS = 10_000
END_OF_FRAME, MOST_FILL = b"\xff\xd9", 64
# Compression enlarges noise a little; it does not shrink a film to a thousandth.
MOST_GROWTH = 1.25
MOST_SHRINKAGE = 1000
SLACK = 2**16


@dataclass(frozen=True)
class PixelElement:
    """The Pixel Data element as its own first bytes describe it."""

    length: int  # of its value, in bytes
    representation: str  # value representation: "OB", "OW" or "UN"


def find_pixels(file: BinaryIO, syntax: UID, source: str) -> PixelElement:
    """The Pixel Data element at the position of ``file`` after its header; leaves ``file`` where the value begins.

    Raises:
        RefusedFilm: when there is none.
    """
    start, order = file.tell(), ">" if syntax == uid.ExplicitVRBigEndian else "<"
    head = file.read(12)
    if len(head) == 12 and unpack(f"{order}2H", head[:4]) == PIXEL_DATA:
        # Taken from the element itself: in some files the transfer syntax is wrong about value representations.
        explicit = head[4:6] in EXPLICIT
        (length,) = unpack(f"{order}I", head[8:] if explicit else head[4:8])
        file.seek(start + (12 if explicit else 8))
        if length == UNDEFINED_LENGTH and syntax in NATIVE:
            raise RefusedFilm(source, f"its pixel data is compressed, and its header does not say how; {CONVERT}")
        if length:
            return PixelElement(length, head[4:6].decode() if explicit else "OW")
    raise RefusedFilm(source, "it has no pixels (PixelData)")


def decode_pixels(
    file: BinaryIO, element: PixelElement, header: Dataset, syntax: UID, source: str
) -> tuple[Levels, str]:
    """The stored values (height x width, or height x width x 3) and the photometric interpretation they are in.

    ``file`` must be where the value of ``element`` begins, and ``header`` already checked: grey of 8 or 16 bits, or
    colour of 8.

    Raises:
        RefusedFilm: before anything is decoded, for pixel data that are incomplete, of another size than the header
            says, or out of proportion to it.
        Exception: any other, for damaged bytes.
    """
    if syntax not in NATIVE + COMPRESSED:
        raise RefusedFilm(source, "its transfer syntax is not supported; convert it to explicit VR")
    size = header.Rows * header.Columns * header.SamplesPerPixel * header.BitsAllocated // 8
    options: dict[str, Any] = as_pixel_options(header, number_of_frames=1, pixel_keyword="PixelData")
    if syntax in NATIVE:
        if element.length >= 2 * size:
            raise RefusedFilm(source, "it holds more pixel data than its header has room for")
        if element.length < (size * 2 // 3 if header.PhotometricInterpretation == "YBR_FULL_422" else size):
            raise RefusedFilm(source, "it holds less pixel data than its header claims")
        return _decode(file, syntax, options | {"pixel_vr": element.representation})
    frame = _frame(file, size, source)
    if syntax == uid.RLELossless:
        planes = unpack_frame(frame, header.Rows * header.Columns, header.SamplesPerPixel, header.BitsAllocated // 8)
        return _decode(planes, uid.ExplicitVRLittleEndian, options | {"planar_configuration": 1})
    if END_OF_FRAME not in frame[-MOST_FILL:]:  # some decoders silently fill in what is missing
        raise RefusedFilm(source, "its pixel data is cut off")
    if not agrees(frame, header.Rows, header.Columns, header.SamplesPerPixel):
        raise RefusedFilm(source, "its compressed pixel data contradicts its header or would overload a decoder")
    coding = coding_of(frame)
    if coding.bits > header.BitsAllocated:
        raise RefusedFilm(source, "its compressed pixel data has more bits than its header allocates")
    del frame  # reading it again costs less than keeping it while decoding
    # Decoders give samples of up to 8 bits as bytes, whatever is allocated for them.
    options["bits_allocated"] = 8 if coding.bits <= 8 else 16
    options["bits_stored"] = min(header.BitsStored, options["bits_allocated"])
    # By name: another decoder that happens to be installed may give another picture.
    options |= {"decoding_plugin": "pylibjpeg", "correct_unused_bits": False}
    stored, photometric = _decode(file, syntax, options)
    if photometric == "RGB" and coding.subsampled:  # the header is wrong
        photometric = "YBR_FULL"
    return _within_bits(stored, options["bits_stored"], coding.lossy), photometric


def _within_bits(stored: Levels, bits: int, lossy: bool) -> Levels:
    """``stored`` without what is above its ``bits`` (PS3.5 8.1.1): an overlay, mostly.

    After lossy compression it is where a level went beyond white, and stays white; but not of signed levels, whose sign
    lossy JPEG does not know.
    """
    above = 8 * stored.itemsize - bits
    if above and lossy and stored.dtype.kind == "u":
        np.minimum(stored, 2**bits - 1, out=stored)
    elif above:
        np.left_shift(stored, above, out=stored)
        np.right_shift(stored, above, out=stored)
    return stored


def _frame(file: BinaryIO, size: int, source: str) -> bytes:
    """The compressed bytes of the only frame, if it is complete; the position of ``file`` is kept."""
    start = file.tell()
    bounded = BoundedFile(file, source)
    frames = parse_basic_offsets(bounded)
    if len(frames) > 1:
        raise RefusedFilm(source, "it holds several frames; give one film a file")
    if any(frames):
        raise ValueError("the first frame does not come first")
    count, offsets = parse_fragments(bounded)
    if not 0 < count <= MOST_FRAGMENTS:
        raise RefusedFilm(source, "its pixel data lies in no fragment, or in more than any radiograph's")
    file.seek(offsets[-1] + 4)
    (length,) = unpack("<I", file.read(4))
    end = file.seek(length, SEEK_CUR)
    if file.read(4) != SEQUENCE_END:
        raise RefusedFilm(source, "its pixel data is cut off")
    file.seek(start)
    if end - start > MOST_GROWTH * size + SLACK:
        raise RefusedFilm(source, "it holds more pixel data than its header has room for")
    if (end - start) * MOST_SHRINKAGE < size:
        raise RefusedFilm(source, "it holds too little pixel data for the size that its header claims")
    frame: bytes = get_frame(file, 0, number_of_frames=1)
    return frame


def _decode(data: BinaryIO | memoryview, syntax: UID, options: dict[str, Any]) -> tuple[Levels, str]:
    stored, properties = get_decoder(syntax).as_array(data, index=0, raw=True, **options)
    if not stored.dtype.isnative:
        stored = stored.astype(stored.dtype.newbyteorder("="))
    return stored, str(properties["photometric_interpretation"])
