"""Uploads that are built to break a service: bombs, wrong types, false headers, broken multipart bodies."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from collections.abc import Callable

import numpy as np
from malice import MALICE
from pictures import encoded, png
from PIL import Image
from radiographs import RAMP, dicom

GREY = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (48, 1)))
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
WIDEST = 65_535
BOUNDARY = "limit"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def jpeg_of(rows: int, columns: int) -> bytes:
    data = encoded(GREY, "JPEG")
    start = data.index(b"\xff\xc0") + 5
    return data[:start] + struct.pack(">HH", rows, columns) + data[start + 4 :]


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("film.dcm", dicom())
    return content.getvalue()


def animated() -> bytes:
    content = io.BytesIO()
    GREY.save(content, "PNG", save_all=True, append_images=[Image.fromarray(np.asarray(GREY)[::-1])])
    return content.getvalue()


def _films() -> dict[str, Callable[[], bytes]]:
    made: dict[str, Callable[[], bytes]] = {
        "nothing": bytes,
        "a byte": lambda: b"\x89",
        "text": lambda: b"a film, believe me",
        "zeros": lambda: bytes(100_000),
        "zip": zipped,
        "gzip of zeros": lambda: gzip.compress(bytes(64 * 2**20)),
        "pdf": lambda: b"%PDF-1.7\n%%EOF",
        "svg": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "program": lambda: b"\x7fELF" + bytes(2000),
        "only the mark of DICOM": lambda: bytes(128) + b"DICM",
        "the mark and noise": lambda: bytes(128) + b"DICM" + bytes(range(256)) * 9,
        "PNG signature alone": lambda: b"\x89PNG\r\n\x1a\n",
        "PNG of 65,535 x 65,535": lambda: png(WIDEST, WIDEST, b"\0"),
        "PNG of 2**31 x 2**31": lambda: png(2**31 - 1, 2**31 - 1, b"\0"),
        "PNG of 0 x 0": lambda: png(0, 0, b"\0"),
        "PNG of 1 x 1": lambda: png(1, 1, b"\0\7"),
        "PNG of one grey": lambda: encoded(Image.new("L", (64, 64), 9)),
        "PNG in motion": animated,
        "JPEG of 65,535 x 65,535": lambda: jpeg_of(WIDEST, WIDEST),
        "JPEG of 0 rows": lambda: jpeg_of(0, 64),
        "DICOM of 65,535 x 65,535": lambda: dicom(Rows=WIDEST, Columns=WIDEST),
        "DICOM of 0 rows": lambda: dicom(Rows=0),
        "DICOM without pixels": lambda: dicom(None),
        "DICOM of a CT": lambda: dicom(Modality="CT"),
        "DICOM of a hand": lambda: dicom(BodyPartExamined="HAND"),
        "DICOM of 10,000 frames": lambda: dicom(NumberOfFrames=10_000),
        "DICOM of 99 samples": lambda: dicom(SamplesPerPixel=99),
        "DICOM of 1 bit": lambda: dicom(BitsAllocated=1, BitsStored=1, HighBit=0),
        "DICOM of one grey": lambda: dicom(np.full_like(RAMP, 7)),
    }
    for kind in ("GIF", "BMP", "TIFF", "WEBP", "PPM"):
        made[kind] = lambda kind=kind: encoded(GREY, kind)  # type: ignore[misc]
    for name, whole in {"PNG": encoded(NOISE), "JPEG": encoded(NOISE, "JPEG"), "DICOM": dicom()}.items():
        for share in (0.3, 0.8):
            made[f"{name} cut at {share:.0%}"] = lambda whole=whole, share=share: whole[: int(share * len(whole))]  # type: ignore[misc]
    # What the reader of films has been tested with; the others are films, if costly ones.
    made |= {name: make for name, (make, reason) in MALICE.items() if not reason.startswith("(")}
    return made


FILMS = _films()


def part(content: bytes, disposition: str = 'form-data; name="files"; filename="a"', more: bytes = b"") -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n".encode()
    return head + more + b"\r\n" + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
NAMES = (
    "../../../../etc/passwd",
    "..\\\\..\\\\windows\\\\win.ini",
    "/dev/zero",
    "a\\0b",
    "x" * 1000,
    "$(reboot)",
    "%2e%2e%2f",
    "Secret^Patient.dcm",
)
# Type and body of a request; each without a film in it, or with too many.
BODIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no body": (TYPE, bytes),
    "no parts": (TYPE, lambda: END),
    "no boundary": ("multipart/form-data", lambda: part(dicom()) + END),
    "another boundary": ("multipart/form-data; boundary=other", lambda: part(dicom()) + END),
    "long boundary": (f"multipart/form-data; boundary={'x' * 10_000}", lambda: part(dicom()) + END),
    "JSON": ("application/json", lambda: b'{"files": []}'),
    "no type": ("", dicom),
    "a form without files": ("application/x-www-form-urlencoded", lambda: b"files=a"),
    "noise": (TYPE, lambda: bytes(range(256)) * 1000),
    "film as text": (TYPE, lambda: part(dicom(), 'form-data; name="files"') + END),
    "film in another field": (TYPE, lambda: part(dicom(), 'form-data; name="film"; filename="a"') + END),
    "film and another field": (TYPE, lambda: part(dicom()) + part(b"1", 'form-data; name="more"') + END),
    "part without a name": (TYPE, lambda: part(dicom(), "form-data") + END),
    "part without a head": (TYPE, lambda: f"--{BOUNDARY}\r\n\r\n".encode() + dicom() + b"\r\n" + END),
    "nine films": (TYPE, lambda: part(dicom()) * 9 + END),
    "20,000 films": (TYPE, lambda: part(b"") * 20_000 + END),
    "20,000 fields": (TYPE, lambda: part(b"1", 'form-data; name="a"') * 20_000 + END),
    "a field of 10 MiB": (TYPE, lambda: part(bytes(10 * 2**20), 'form-data; name="files"') + END),
    "a head of 20,000 lines": (TYPE, lambda: part(b"no film", more=b"X-A: b\r\n" * 20_000) + END),
    "a head of 5 MiB": (TYPE, lambda: part(b"no film", more=b"X-A: " + b"b" * 5 * 2**20 + b"\r\n") + END),
    "a film and an empty file": (TYPE, lambda: part(dicom()) + part(b"") + END),
    **{
        f"name {name[:20]!r}": (
            TYPE,
            lambda name=name: part(b"no film", f'form-data; name="files"; filename="{name}"') + END,
        )
        for name in NAMES
    },  # type: ignore[misc]
}
