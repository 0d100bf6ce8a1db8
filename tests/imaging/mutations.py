"""Valid films of every kind, and what damage makes of them; the same ones each time."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
from pictures import encoded, interlaced_png
from PIL import Image
from pydicom import uid
from radiographs import COLOURS, EIGHT_BITS, RAMP, compressed, dicom, extended_jpeg, framed, lossless_jpeg, pydicom_film

FILM = np.random.default_rng(0).normal(RAMP, 60).clip(0, 4095).astype(np.uint16)
GREY = (FILM >> 4).astype(np.uint8)
SIGNED = FILM.astype(np.int16) - 2048
YBR = {"PhotometricInterpretation": "YBR_FULL_422"}
NAN, INFINITE = float("nan"), float("inf")
VALUES = {
    "Rows": (0, 1, 47, 49, 4096, 65535),
    "Columns": (0, 1, 63, 65, 4096, 65535),
    "BitsAllocated": (0, 1, 8, 12, 32, 64, 65535),
    "BitsStored": (0, 1, 7, 16, 17, 65535),
    "HighBit": (0, 15, 65535),
    "PixelRepresentation": (1, 2, 65535),
    "SamplesPerPixel": (0, 2, 3, 4, 65535),
    "PlanarConfiguration": (1, 7),
    "PhotometricInterpretation": ("MONOCHROME1", "RGB", "YBR_FULL_422", "PALETTE COLOR", ""),
    "NumberOfFrames": (0, -1, 2, 2147483647),
    "RescaleSlope": (0, -1, 1e300, NAN, INFINITE),
    "RescaleIntercept": (-1e300, NAN, 1e9),
    "WindowWidth": (0, -1, 0.1, 1e300, NAN),
    "WindowCenter": (-1e300, INFINITE, [1, 2, 3]),
    "PixelPaddingValue": (0, 4095),
    "PatientOrientation": (["R", "H"], ["F", "L"], ["A", "B"], "LF"),
    "VOILUTFunction": ("SIGMOID", "LINEAR_EXACT", "NONE"),
}


def seeds() -> list[bytes]:
    """A film of each kind that is read; of JPEG-LS only where pydicom brings one along."""
    signed = {"PixelRepresentation": 1, "WindowCenter": 100, "WindowWidth": 2000}
    colours = np.dstack([GREY, GREY // 2, 255 - GREY])
    picture = Image.fromarray(colours)
    jpeg = encoded(Image.fromarray(GREY), "JPEG")
    films = [
        dicom(FILM, RescaleSlope=1, RescaleIntercept=0, WindowCenter=2000, WindowWidth=3000),
        dicom(FILM, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0),
        dicom(GREY, uid.ImplicitVRLittleEndian, **EIGHT_BITS),
        dicom(FILM << 4, uid.ExplicitVRBigEndian, BitsStored=16, HighBit=15),
        dicom(SIGNED, **signed),
        dicom(colours, **COLOURS),
        compressed(FILM, uid.RLELossless),
        compressed(SIGNED, uid.RLELossless, **signed),
        compressed(FILM, uid.JPEG2000Lossless),
        compressed(SIGNED, uid.JPEG2000Lossless, **signed),
        compressed(colours, uid.JPEG2000Lossless, **COLOURS),
        framed(jpeg, uid.JPEGBaseline8Bit, 48, 64, **EIGHT_BITS),
        framed(encoded(picture, "JPEG"), uid.JPEGBaseline8Bit, 48, 64, **COLOURS | YBR),
        framed(extended_jpeg(FILM[::8, ::8]), uid.JPEGExtended12Bit, 48, 64),
        framed(lossless_jpeg(FILM, 12), uid.JPEGLosslessSV1, 48, 64),
        pydicom_film("MR_small_jpeg_ls_lossless.dcm"),
        encoded(Image.fromarray(GREY)),
        encoded(Image.fromarray(FILM << 4)),
        encoded(Image.fromarray(np.dstack([colours, GREY]))),
        encoded(Image.fromarray(GREY).quantize(64), transparency=3),
        encoded(Image.fromarray(GREY).convert("1")),
        interlaced_png(GREY),
        jpeg,
        encoded(picture, "JPEG", progressive=True),
        encoded(picture.convert("CMYK"), "JPEG"),
    ]
    return [film for film in films if film is not None]


def mutated(count: int, seed: int = 0) -> Iterator[bytes]:
    """``count`` files that were valid once: a quarter with another value in a field, the others with other bytes."""
    chance, valid = random.Random(seed), seeds()
    for number in range(count):
        if number % 4 == 0:
            fields = {name: chance.choice(VALUES[name]) for name in chance.sample(sorted(VALUES), chance.randint(1, 2))}
            yield _with_fields(chance, fields)
        else:
            yield _damaged(chance, chance.choice(valid))


def _with_fields(chance: random.Random, fields: dict[str, object]) -> bytes:
    if chance.random() < 0.5:
        return dicom(FILM, chance.choice((uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian)), **fields)
    frame, syntax = chance.choice(
        [(lossless_jpeg(FILM, 12), uid.JPEGLosslessSV1), (extended_jpeg(FILM[::8, ::8]), uid.JPEGExtended12Bit)]
    )
    return framed(frame, syntax, 48, 64, **fields)


def _damaged(chance: random.Random, film: bytes) -> bytes:
    data = bytearray(film)
    first = chance.choice((132, 340, 340)) if data[128:132] == b"DICM" else 8  # past the signature, or the meta header
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        # Headers are small and lie at the front: most of what happens, happens there.
        last = min(len(data), chance.choice((first + 200, first + 600, len(film))))
        if last <= first:
            break
        position = chance.randrange(first, last)
        kind = chance.choice(("change", "change", "change", "number", "cut", "insert", "delete", "repeat"))
        length = chance.choice((1, 2, 4, 64))
        if kind == "change":
            data[position] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == "number":
            data[position : position + 4] = chance.choice((b"\xff" * 4, b"\0" * 4, b"\0\0\0\x7f", b"\x7f\0\0\0"))
        elif kind == "insert":
            data[position:position] = chance.randbytes(length)
        elif kind == "delete":
            del data[position : position + length]
        elif kind == "repeat":
            data[position:position] = data[position : position + length] * chance.choice((1, 100))
        else:
            del data[position:]
    return bytes(data)
