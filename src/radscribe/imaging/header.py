"""Reads the header of a DICOM file, before any of its pixel data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, cast

from pydicom import Dataset, uid
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import Tag
from pydicom.uid import UID

from radscribe.imaging.bounded import BoundedFile
from radscribe.imaging.refusal import RefusedFilm

# A lookup table has at most 65,536 entries of two bytes; no other field that is read comes near it.
FIELD_BYTES = 2**20
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


def read_header(file: BinaryIO, source: str, tags: Sequence[str]) -> tuple[Dataset, UID]:
    """The ``tags`` of a DICOM file, without the empty ones, and its transfer syntax.

    ``file`` is left where its pixel data begins, or at its end. Fields not listed in ``tags`` are skipped.

    Raises:
        RefusedFilm: for a header larger than any radiograph's, and for a transfer syntax that is missing or cannot be
            checked before it is decompressed.
        Exception: any other, for damaged bytes.
    """
    bounded = cast(BinaryIO, BoundedFile(file, source))
    read_preamble(bounded, force=False)
    meta = read_dataset(bounded, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    syntax = meta.get("TransferSyntaxUID")
    if not syntax:
        raise RefusedFilm(source, "its header names no transfer syntax")
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
    for element in list(header):
        if element.is_empty:  # a field without a value is a missing field
            del header[element.tag]
    return header, syntax
