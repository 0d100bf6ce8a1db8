"""DICOM radiographs to grey levels.

Only the tags listed here are ever read from a file, and of those only fixed vocabulary (modality, body part)
may stand in an error: names, dates and identifiers of a patient never leave this module.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset, dcmread, uid
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels.processing import apply_modality_lut, apply_windowing

from radscribe.imaging.levels import Levels, Pixels, RefusedFilm, check_size, stretch, stretch_by_percentiles

TAGS_READ = [
    "Modality",
    "SOPClassUID",
    "BodyPartExamined",
    "ViewPosition",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PlanarConfiguration",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ModalityLUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
    "PixelData",
]
RADIOGRAPH_MODALITIES = ("CR", "DX", "RG", "XR")  # XR is no defined term, but what some archives write
RADIOGRAPH_CLASSES = (
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing,
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)
# The terms of the standard (PS3.3 C.7.3.1.1.1, PS3.16 annex L) that an error may show; anything else may be a name.
OTHER_MODALITIES = ("CT", "MR", "MG", "US", "NM", "PT", "XA", "RF", "IO", "PX", "OT", "SC", "SR")
OTHER_PARTS = (
    "ABDOMEN", "ANKLE", "ARM", "BREAST", "CLAVICLE", "CSPINE", "ELBOW", "FEMUR", "FINGER", "FOOT", "FOREARM", "HAND",
    "HEAD", "HIP", "HUMERUS", "JAW", "KNEE", "LEG", "LSPINE", "NECK", "PELVIS", "SHOULDER", "SKULL", "SPINE", "SSPINE",
    "TSPINE", "WRIST",
)  # fmt: skip
CHEST_WORDS = ("CHEST", "THORAX", "TORAX", "LUNG", "RIB")
VIEWS = {"PA": "frontal", "AP": "frontal", "LL": "lateral", "RL": "lateral", "LAT": "lateral", "LATERAL": "lateral"}
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
# Far outside every window, so that what comes back is the end of its output range.
BEYOND_EVERY_WINDOW = 1e9
JPEG_2000_START = b"\xff\x4f\xff\x51"


def read_dicom(data: bytes, source: str) -> tuple[Pixels, str | None]:
    """The grey levels (height x width, bright = dense) and the view of a DICOM chest radiograph.

    Fields that are missing are forgiven; fields that contradict a single chest radiograph are not. Modality and
    VOI lookup tables or windows are applied, MONOCHROME1 is inverted, padding becomes black. A film of more than
    8 bits without a window is scaled between robust percentiles.

    Returns:
        the pixels, and "frontal", "lateral" or None where the header does not say.

    Raises:
        RefusedFilm: for anything else, with its reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote values of the file
            dataset = read_header(BytesIO(data), source, TAGS_READ)
            _check_header(dataset, source)
            _check_pixel_data(dataset, source)
            return _grey_levels(dataset), VIEWS.get(_code(dataset, "ViewPosition"))
    except RefusedFilm:
        raise
    except Exception as error:  # on damaged bytes the parsers and decoders raise almost any exception there is
        # "from None": the exception may quote values of the file
        raise RefusedFilm(source, f"its DICOM content is damaged or incomplete ({type(error).__name__})") from None


def read_header(file: BinaryIO, source: str, tags: Sequence[str], pixels: bool = True) -> Dataset:
    """The ``tags`` of a DICOM file, without the empty ones; without ``pixels`` it is not read to its end.

    Raises:
        RefusedFilm: for a compression that cannot be checked before it is undone; damaged bytes raise anything else.
    """
    read_preamble(file, force=False)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    # pydicom inflates such a file whole before anything of it can be checked.
    if meta.get("TransferSyntaxUID") == uid.DeflatedExplicitVRLittleEndian:
        raise RefusedFilm(source, "its transfer syntax (deflated) is not supported; convert it to explicit VR")
    file.seek(0)
    dataset = dcmread(file, specific_tags=list(tags), stop_before_pixels=not pixels)
    for element in list(dataset):
        if element.is_empty:  # a field without a value is a missing field
            del dataset[element.tag]
    return dataset


def _code(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip().upper()


def _check_header(dataset: Dataset, source: str) -> None:
    modality = _code(dataset, "Modality")
    if modality and modality not in RADIOGRAPH_MODALITIES:
        shown = modality if modality in OTHER_MODALITIES else "film of another modality"
        raise RefusedFilm(source, f"it is a {shown}, not a radiograph")
    storage = dataset.get("SOPClassUID")
    if storage and storage not in RADIOGRAPH_CLASSES:
        raise RefusedFilm(source, "it is stored as another kind of object than a radiograph")
    part = _code(dataset, "BodyPartExamined")
    if part and not any(word in part for word in CHEST_WORDS):
        shown = part if part in OTHER_PARTS else "another body part"
        raise RefusedFilm(source, f"it shows {shown}, not a chest")
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise RefusedFilm(source, "it holds several frames; give one film a file")
    if not dataset.get("PixelData"):
        raise RefusedFilm(source, "it has no pixels")
    photometric = _code(dataset, "PhotometricInterpretation")
    if photometric not in GREY + COLOURS:
        raise RefusedFilm(source, "its photometric interpretation is missing or neither grey nor RGB")
    if int(dataset.SamplesPerPixel) != (1 if photometric in GREY else 3):
        raise RefusedFilm(source, "its samples per pixel contradict its photometric interpretation")
    if dataset.BitsAllocated not in ((8, 16) if photometric in GREY else (8,)):
        raise RefusedFilm(source, "its bits allocated are not supported")
    check_size(int(dataset.Rows), int(dataset.Columns), source)


def _check_pixel_data(dataset: Dataset, source: str) -> None:
    """Hold the size inside compressed pixel data against the header: a decoder would believe the former."""
    expected = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated // 8
    if len(dataset.PixelData) > 2 * expected + 2**16:
        raise RefusedFilm(source, "it holds more pixel data than its header has room for")
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated or syntax == uid.RLELossless:
        return
    if _codestream_size(get_frame(dataset.PixelData, 0, number_of_frames=1)) != (dataset.Rows, dataset.Columns):
        raise RefusedFilm(source, "the size of its compressed pixel data contradicts its header")


def _codestream_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 codestream claims; None when it is none of them."""
    start = frame.find(JPEG_2000_START, 0, 512)
    if start >= 0:
        right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
        return bottom - top, right - left
    position = 2
    while position + 9 <= len(frame) and frame[position] == 0xFF:
        marker, length = struct.unpack_from(">xBH", frame, position)
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = struct.unpack_from(">HH", frame, position + 5)
            return rows, columns
        position += 2 + length
    return None


def _grey_levels(dataset: Dataset) -> Pixels:
    stored = dataset.pixel_array
    if stored.ndim == 3:  # pixel_array has made RGB of it
        return np.array(Image.fromarray(stored).convert("L"))
    padding = _padding(dataset, stored)
    pixels = _presentation(dataset, apply_modality_lut(stored, dataset), ~padding)
    if _code(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        pixels = 255 - pixels
    pixels[padding] = 0
    return pixels


def _padding(dataset: Dataset, stored: Levels) -> npt.NDArray[np.bool_]:
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, np.bool_)
    limit = dataset.get("PixelPaddingRangeLimit", value)
    low, high = sorted((int(value), int(limit)))
    return np.logical_and(stored >= low, stored <= high)


def _presentation(dataset: Dataset, levels: Levels, valid: npt.NDArray[np.bool_]) -> Pixels:
    """Levels after the modality table (height x width) to 0 .. 255, as the header's window asks or without one."""
    shown: Levels | None = None
    if dataset.get("VOILUTSequence"):
        table, first = _voi_table(dataset.VOILUTSequence[0])
        shown = stretch(table[np.clip(levels - float(first), 0, len(table) - 1).astype(np.intp)], *_ends(table))
    elif "WindowCenter" in dataset and "WindowWidth" in dataset:
        with np.errstate(over="ignore"):
            windowed = apply_windowing(levels, dataset)
            black, white = apply_windowing(np.array([-BEYOND_EVERY_WINDOW, BEYOND_EVERY_WINDOW]), dataset)
        # Divided rather than sorted: with a negative rescale slope pydicom's black end is the higher number.
        shown = stretch((windowed - black) / (white - black), 0.0, 1.0)
    if shown is not None and shown.min() < shown.max():
        return shown  # else the window lies beside the picture, and is no use to anybody
    if dataset.BitsStored == 8 and levels.min() >= 0 and levels.max() <= 255:
        return stretch(levels, 0.0, 255.0)
    return stretch_by_percentiles(levels, valid)


def _voi_table(item: Dataset) -> tuple[Levels, int]:
    """The entries of a VOI lookup table and the level that the first one stands for.

    pydicom's ``apply_voi`` counts positions in the type of the entries: a table of 4,096 entries of 8 bits wraps.
    """
    count, first, _ = item.LUTDescriptor
    data = item.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, "<u2" if len(data) >= 2 * (count or 2**16) else "u1")
    return np.asarray(data)[: count or 2**16].astype(np.int64), int(first)


def _ends(table: Levels) -> tuple[float, float]:
    return float(table.min()), float(table.max())
