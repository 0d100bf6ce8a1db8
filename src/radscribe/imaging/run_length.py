"""Unpacks RLE Lossless (PS3.5 annex G): each byte of the samples is its own plane, packed by Apple's PackBits."""

from __future__ import annotations

from struct import unpack_from

import numpy as np
from PIL import Image


def unpack_frame(frame: bytes, pixels: int, samples: int, sample_bytes: int) -> memoryview:
    """The native little-endian bytes of one frame, one sample after the other (planar configuration 1).

    Pillow's decoder unpacks every plane to ``pixels`` bytes and no further; pydicom's Python loop is slow for runs of
    two, and takes 64 times the memory of the file for runs of 128.

    Raises:
        ValueError, struct.error: for a wrong number of planes, or one that ends early.
    """
    count, *starts = unpack_from("<16I", frame)
    if count != samples * sample_bytes:
        raise ValueError("wrong number of planes")
    unpacked = np.empty((samples, pixels, sample_bytes), np.uint8)
    for plane in range(count):
        end = starts[plane + 1] if plane + 1 < count else len(frame)
        # One long row: encoders that ignore the rule continue runs into the next row.
        row = Image.frombytes("L", (pixels, 1), frame[starts[plane] : end], "packbits", "L")
        sample, byte = divmod(plane, sample_bytes)  # the most significant byte comes first
        unpacked[sample, :, sample_bytes - 1 - byte] = np.asarray(row)[0]
    return unpacked.reshape(-1).data
