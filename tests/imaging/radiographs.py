"""Radiographs in DICOM for the tests of this room: any header, any transfer syntax."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate

from radscribe.imaging.film import read_film

RAMP = np.tile(np.linspace(0, 4095, 64).astype(np.uint16), (48, 1))
PATIENT = "Secret^Patient"
EIGHT_BITS = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
COLOURS = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB", **EIGHT_BITS}


def dataset_of(pixels: np.ndarray | None = RAMP, syntax: str = uid.ExplicitVRLittleEndian, **fields: Any) -> Dataset:
    """A radiograph (12 bits, not signed); fields given as None are left out."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = uid.ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    values: dict[str, Any] = {
        "SOPClassUID": uid.ComputedRadiographyImageStorage,
        "SOPInstanceUID": "1.2.3.4",
        "PatientName": PATIENT,
        "StudyDate": "19990101",
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PhotometricInterpretation": "MONOCHROME2",
        "SamplesPerPixel": 1,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
    }
    if pixels is not None:
        order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
        stored = pixels.astype(pixels.dtype.newbyteorder(order))
        values |= {"Rows": pixels.shape[0], "Columns": pixels.shape[1], "PixelData": stored.tobytes()}
    for name, value in (values | fields).items():
        if value is not None:
            setattr(dataset, name, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OB" if dataset.get("BitsAllocated") == 8 else "OW"
    return dataset


def saved(dataset: Dataset) -> bytes:
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def dicom(pixels: np.ndarray | None = RAMP, syntax: str = uid.ExplicitVRLittleEndian, **fields: Any) -> bytes:
    return saved(dataset_of(pixels, syntax, **fields))


def compressed(pixels: np.ndarray, syntax: str, **fields: Any) -> bytes:
    """By pydicom's own encoders: RLE and JPEG 2000."""
    dataset = dataset_of(pixels, **fields)
    dataset.compress(syntax, generate_instance_uid=False)
    return saved(dataset)


def framed(frame: bytes, syntax: str, rows: int, columns: int, **fields: Any) -> bytes:
    """With a ``frame`` that somebody else has compressed."""
    values = {"Rows": rows, "Columns": columns, "PixelData": encapsulate([frame]), **fields}
    return dicom(None, syntax, **values)


def pydicom_film(name: str, **fields: Any) -> bytes | None:
    """A file that comes with pydicom, passed off as a radiograph; None where this pydicom has it no more."""
    path = get_testdata_file(name, download=False)
    if path is None:
        return None
    dataset = dcmread(path)
    dataset.Modality, dataset.SOPClassUID = "CR", uid.ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    for keyword, value in {"BodyPartExamined": "CHEST", "PatientOrientation": "", **fields}.items():
        setattr(dataset, keyword, value)
    return saved(dataset)


def pixels_of(data: bytes) -> np.ndarray:
    return read_film(data, "film.dcm").pixels.astype(int)


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def lossless_jpeg(film: np.ndarray, bits: int) -> bytes:
    """JPEG lossless, selection value 1 (ISO/IEC 10918-1 annex H)."""
    film = film.astype(np.int64)
    predicted = np.empty_like(film)
    predicted[:, 1:] = film[:, :-1]
    predicted[1:, 0] = film[:-1, 0]
    predicted[0, 0] = 2 ** (bits - 1)
    differences = (film - predicted + 2**15) % 2**16 - 2**15
    coded = "".join(_difference(value) for value in differences.ravel().tolist())
    return _jpeg(0xC3, film.shape, bits, b"", _packed(coded), predictor=1)


def extended_jpeg(levels: np.ndarray) -> bytes:
    """JPEG extended (process 4) of 12 bits: blocks of 8 x 8 pixels with one level each."""
    means = (levels.astype(np.int64) - 2048).ravel().tolist()
    differences = [now - before for before, now in zip([0, *means], means, strict=False)]
    coded = "".join(_difference(value) + "0" for value in differences)  # no coefficient but the first
    shape = (levels.shape[0] * 8, levels.shape[1] * 8)
    quantization = segment(0xDB, b"\0" + bytes([8] * 64))
    end_of_block = segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")
    return _jpeg(0xC1, shape, 12, quantization + end_of_block, _packed(coded), predictor=0)


def _difference(value: int) -> str:
    """A code of five bits for the number of bits, and the bits."""
    count = abs(value).bit_length()
    bits = value if value > 0 else value + 2**count - 1
    return f"{count:05b}" + (f"{bits:0{count}b}" if 0 < count < 16 else "")


def _packed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def _jpeg(frame: int, shape: Sequence[int], bits: int, tables: bytes, coded: bytes, predictor: int) -> bytes:
    codes = segment(0xC4, b"\0" + bytes([0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17)))
    header = segment(frame, struct.pack(">BHHB", bits, *shape, 1) + b"\1\x11\0")
    end = 0 if frame == 0xC3 else 63
    scan = segment(0xDA, bytes([1, 1, 0, predictor, end, 0]))
    return b"\xff\xd8" + header + tables + codes + scan + coded + b"\xff\xd9"
