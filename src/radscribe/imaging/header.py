"""Reads the header of a DICOM file, before any of its pixel data."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from struct import unpack
from typing import BinaryIO, cast

from pydicom import Dataset, uid
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pydicom.uid import UID
from pydicom.valuerep import VR

from radscribe.imaging.bounded import BoundedFile
from radscribe.imaging.refusal import RefusedFilm

# A lookup table has at most 65,536 entries of two bytes; no other field that is read comes near it.
FIELD_BYTES = 2**20
PREAMBLE = 128
# No dataset begins with a later or longer element of its first group.
LAST_ELEMENT, LONGEST_FIRST = 0x80, 256
CONVERT = "write it anew as uncompressed DICOM with file meta, for example with dcmconv +te"
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


def begins_dicom(start: bytes) -> bool:
    """Whether a file that begins with ``start`` (132 bytes) is DICOM, with its preamble and file meta or without."""
    return start[PREAMBLE:].startswith(b"DICM") or start.startswith(b"DICM") or _begins_elements(start)


def read_header(file: BinaryIO, source: str, tags: Sequence[str]) -> tuple[Dataset, UID]:
    """The ``tags`` of a DICOM file, without the empty ones, and its transfer syntax.

    ``file`` is left where its pixel data begins, or at its end. Fields not listed in ``tags`` are skipped; a field that
    cannot be read raises when it is taken from the dataset. A file without preamble or file meta is read as what it
    then must be, uncompressed and little endian.

    Raises:
        RefusedFilm: for a header larger than any radiograph's, and for a transfer syntax that is missing or cannot be
            checked before it is decompressed.
        Exception: any other, for damaged bytes.
    """
    bounded = cast(BinaryIO, BoundedFile(file, source))
    syntax = _read_syntax(bounded, source)
    # A deflated file can only be inflated as a whole, and a small one can expand without limit.
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        raise RefusedFilm(source, "its transfer syntax (deflated) is not supported; convert it to explicit VR")
    header = read_dataset(
        bounded,
        syntax == uid.ImplicitVRLittleEndian,
        syntax != uid.ExplicitVRBigEndian,
        stop_when=lambda tag, vr, length: tag in PIXELS,
        specific_tags=[Tag(tag) for tag in tags],
    )
    for element in list(header.elements()):
        if isinstance(element, RawDataElement) and element.length > FIELD_BYTES:
            raise RefusedFilm(source, "its header holds a field larger than any of a radiograph")
    for tag in list(header.keys()):
        with suppress(Exception):  # whoever needs the field will say what is wrong with it
            if header[tag].is_empty:  # a field without a value is a missing field
                del header[tag]
    return header, syntax


def _read_syntax(file: BinaryIO, source: str) -> UID:
    """The transfer syntax; leaves ``file`` where the dataset begins."""
    start = file.read(PREAMBLE + 4)
    meta_at = next((at + 4 for at in (PREAMBLE, 0) if start[at : at + 4] == b"DICM"), 0)
    file.seek(meta_at)
    meta = Dataset()
    if file.read(2) == b"\2\0":
        file.seek(meta_at)
        meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    else:
        file.seek(meta_at)
    if syntax := str(meta.get("TransferSyntaxUID") or "").strip(" \0"):
        return UID(syntax)
    at = file.tell()
    start = file.read(8)
    file.seek(at)
    if not _begins_elements(start):
        raise RefusedFilm(source, f"its header names no transfer syntax (TransferSyntaxUID); {CONVERT}")
    return uid.ExplicitVRLittleEndian if start[4:6].decode("latin-1") in VR.__members__ else uid.ImplicitVRLittleEndian


def _begins_elements(start: bytes) -> bool:
    """Whether ``start`` is how a little-endian file meta (group 2) or dataset (group 8) begins."""
    if len(start) < 8:
        return False
    group, element, length = unpack("<2HI", start[:8])
    explicit = start[4:6].decode("latin-1") in VR.__members__
    return element <= LAST_ELEMENT and (group in (2, 8) if explicit else group == 8 and length <= LONGEST_FIRST)
