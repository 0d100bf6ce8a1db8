"""Reads DICOM radiographs into grey levels.

Only the tags listed here are read from a file, and an error message may quote only their fixed vocabulary (modality,
body part): names, dates and identifiers of a patient never leave this module.
"""

from __future__ import annotations

from typing import BinaryIO

from pydicom import Dataset, uid

from radscribe.imaging.header import read_header
from radscribe.imaging.levels import Pixels, check_size
from radscribe.imaging.orientation import upright
from radscribe.imaging.pixel_data import decode_pixels, find_pixels
from radscribe.imaging.presentation import grey_levels, grey_of_colours
from radscribe.imaging.quiet import quiet
from radscribe.imaging.refusal import RefusedFilm

TAGS_READ = [
    "Modality",
    "SOPClassUID",
    "BodyPartExamined",
    "ViewPosition",
    "PatientOrientation",
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
]
RADIOGRAPH_MODALITIES = ("CR", "DX", "RG", "XR")  # XR is not a defined term, but some archives write it
RADIOGRAPH_CLASSES = (
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing,
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)
# The terms of the standard (PS3.3 C.7.3.1.1.1, PS3.16 annex L) that an error may quote; anything else may be a name.
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


def read_dicom(file: BinaryIO, source: str) -> tuple[Pixels, str | None]:
    """The grey levels and the view of a DICOM chest radiograph.

    Missing fields are accepted; fields that contradict a single chest radiograph are not. ``presentation`` makes the
    grey levels, ``orientation`` brings them upright. The pixel data are neither decoded nor read as a whole before the
    header has passed the checks.

    Returns:
        the pixels (uint8, height x width, bright = dense), and "frontal", "lateral" or None where the header does not
        say.

    Raises:
        RefusedFilm: for any other file, with the reason.
    """
    try:
        with quiet("pydicom"):
            header, syntax = read_header(file, source, TAGS_READ)
            _check_kind(header, source)
            element = find_pixels(file, syntax, source)
            _check_shape(header, source)
            stored, photometric = decode_pixels(file, element, header, syntax, source)
            grey = grey_levels(stored, header) if stored.ndim == 2 else grey_of_colours(stored, photometric)
            view = VIEWS.get(_code(header, "ViewPosition"))
            return upright(grey, header.get("PatientOrientation") or (), view), view
    except RefusedFilm:
        raise
    except Exception as error:  # on damaged bytes the parsers and decoders can raise almost anything
        # "from None": the exception may quote values of the file
        raise RefusedFilm(source, f"its DICOM content is damaged or incomplete ({type(error).__name__})") from None


def _code(header: Dataset, keyword: str) -> str:
    return str(header.get(keyword) or "").strip().upper()


def _check_kind(header: Dataset, source: str) -> None:
    modality = _code(header, "Modality")
    if modality and modality not in RADIOGRAPH_MODALITIES:
        shown = modality if modality in OTHER_MODALITIES else "film of another modality"
        raise RefusedFilm(source, f"it is a {shown}, not a radiograph")
    storage = header.get("SOPClassUID")
    if storage and storage not in RADIOGRAPH_CLASSES:
        raise RefusedFilm(source, "it is stored as another kind of object than a radiograph")
    part = _code(header, "BodyPartExamined")
    if part and not any(word in part for word in CHEST_WORDS):
        shown = part if part in OTHER_PARTS else "another body part"
        raise RefusedFilm(source, f"it shows {shown}, not a chest")
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise RefusedFilm(source, "it holds several frames; give one film a file")


def _check_shape(header: Dataset, source: str) -> None:
    photometric = _code(header, "PhotometricInterpretation")
    if photometric not in GREY + COLOURS:
        raise RefusedFilm(source, "its photometric interpretation is missing or neither grey nor RGB")
    if int(header.SamplesPerPixel) != (1 if photometric in GREY else 3):
        raise RefusedFilm(source, "its samples per pixel contradict its photometric interpretation")
    if header.BitsAllocated not in ((8, 16) if photometric in GREY else (8,)):
        raise RefusedFilm(source, "its bits allocated are not supported")
    if int(header.get("HighBit", header.BitsStored - 1)) != header.BitsStored - 1:
        raise RefusedFilm(source, "its high bit contradicts its bits stored")
    check_size(int(header.Rows), int(header.Columns), source, header.SamplesPerPixel * header.BitsAllocated // 8)
