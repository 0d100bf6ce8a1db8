"""Reads DICOM radiographs into grey levels.

Only the tags listed here are read from a file, and an error message may quote only their fixed vocabulary (modality,
body part): names, dates and identifiers of a patient never leave this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pydicom import Dataset, uid
from pydicom.uid import UID

from radscribe.imaging.body_part import shows_chest
from radscribe.imaging.fields import COMPLETE, code, make_readable, whole
from radscribe.imaging.header import read_header
from radscribe.imaging.levels import Levels, Pixels, check_size, contrast_warnings
from radscribe.imaging.orientation import upright
from radscribe.imaging.pixel_data import NATIVE, decode_pixels, find_pixels
from radscribe.imaging.presentation import full_depth, grey_levels, grey_of_colours
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
# Only CR, DX and RG are terms of the standard (PS3.3 C.7.3.1.1.1); archives write the others for the same.
RADIOGRAPH_MODALITIES = ("CR", "DX", "RG", "DR", "XR", "RX", "CX", "XRAY", "X-RAY")
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
VIEWS = {"PA": "frontal", "AP": "frontal", "LL": "lateral", "RL": "lateral", "LAT": "lateral", "LATERAL": "lateral"}
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def read_dicom(file: BinaryIO, source: str) -> tuple[Pixels, str | None, tuple[str, ...]]:
    """The grey levels and the view of a DICOM chest radiograph.

    Fields that are missing are accepted where there still is only one picture; fields that contradict a single chest
    radiograph are not. ``presentation`` makes the grey levels, ``orientation`` brings them upright. The pixel data are
    neither decoded nor read as a whole before the header has passed the checks.

    Returns:
        the pixels (uint8, height x width, bright = dense); "frontal", "lateral" or None where the header does not say;
        and what in the file may have made the picture another than was meant.

    Raises:
        RefusedFilm: for any other file, with the reason.
    """
    warnings: list[str] = []
    with _refused(source):
        stored, photometric, header, view = _decoded(file, source, warnings)
        if stored.ndim == 2:
            grey = grey_levels(stored, header, warnings)
        else:
            grey = grey_of_colours(stored, photometric)
            warnings += contrast_warnings(grey)
        return upright(grey, header.get("PatientOrientation") or (), view), view, tuple(warnings)


def read_full_dicom(file: BinaryIO, source: str) -> tuple[Levels, int, int]:
    """As ``read_dicom``, with all levels of a grey film: uint8 or uint16, and which to show as black and as white.

    Raises:
        RefusedFilm: as ``read_dicom``.
    """
    with _refused(source):
        stored, photometric, header, view = _decoded(file, source, [])
        black, white = 0, 255
        if stored.ndim == 3:
            levels: Levels = grey_of_colours(stored, photometric)
        elif stored.itemsize == 1 or header.BitsStored <= 8:
            levels = grey_levels(stored, header)
        else:
            levels, black, white = full_depth(stored, header)
        return upright(levels, header.get("PatientOrientation") or (), view), black, white


@contextmanager
def _refused(source: str) -> Iterator[None]:
    """Turns whatever is wrong with a file into a ``RefusedFilm``."""
    try:
        with quiet("pydicom"):
            yield
    except RefusedFilm:
        raise
    except Exception as error:  # on damaged bytes the parsers and decoders can raise almost anything
        # "from None": the exception may quote values of the file
        raise RefusedFilm(source, f"its DICOM content is damaged or incomplete ({type(error).__name__})") from None


def _decoded(file: BinaryIO, source: str, warnings: list[str]) -> tuple[Levels, str, Dataset, str | None]:
    """The stored values, their photometric interpretation, the header and the view, all checked."""
    header, syntax = read_header(file, source, TAGS_READ)
    make_readable(header, warnings)
    _check_kind(header, source)
    element = find_pixels(file, syntax, source)
    _check_shape(header, syntax, source, warnings)
    stored, photometric = decode_pixels(file, element, header, syntax, source)
    return stored, photometric, header, VIEWS.get(code(header, "ViewPosition"))


def _check_kind(header: Dataset, source: str) -> None:
    modality = code(header, "Modality")
    if modality and modality not in RADIOGRAPH_MODALITIES:
        shown = modality if modality in OTHER_MODALITIES else "film of another modality"
        raise RefusedFilm(source, f"it is a {shown}, not a radiograph")
    storage = code(header, "SOPClassUID")
    if storage and storage not in RADIOGRAPH_CLASSES:
        raise RefusedFilm(source, "it is stored as another kind of object than a radiograph")
    # Any of several parts may be meant; and not in capitals, as it may be bytes of letters of another script.
    part = header.get("BodyPartExamined") or ""
    if not shows_chest(part if isinstance(part, str) else " ".join(part)):
        part = code(header, "BodyPartExamined")
        shown = part if part in OTHER_PARTS else "another body part"
        raise RefusedFilm(source, f"it shows {shown}, not a chest")
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise RefusedFilm(source, "it holds several frames; give one film a file")


def _check_shape(header: Dataset, syntax: UID, source: str, warnings: list[str]) -> None:
    photometric = code(header, "PhotometricInterpretation")
    if photometric not in GREY + COLOURS:
        found = "neither grey nor RGB" if photometric else "missing (PhotometricInterpretation)"
        raise RefusedFilm(source, f"its photometric interpretation is {found}; export the film as MONOCHROME2")
    samples = 1 if photometric in GREY else 3
    if whole(header, "SamplesPerPixel", source, samples) != samples:
        raise RefusedFilm(source, "its samples per pixel contradict its photometric interpretation")
    allocated = whole(header, "BitsAllocated", source)
    if allocated not in ((8, 16) if photometric in GREY else (8,)):
        raise RefusedFilm(source, "its bits allocated are not supported")
    if "BitsStored" not in header:
        if "HighBit" not in header:
            warnings.append("its header has no BitsStored; all bits are taken as part of the picture")
        header.BitsStored = whole(header, "HighBit", source, allocated - 1) + 1
    stored = whole(header, "BitsStored", source)
    if whole(header, "HighBit", source, stored - 1) != stored - 1:
        raise RefusedFilm(source, "its high bit contradicts its bits stored")
    if not 1 <= stored <= allocated:
        raise RefusedFilm(source, "its bits stored contradict its bits allocated")
    for keyword in ("PixelRepresentation", *(("PlanarConfiguration",) if samples == 3 else ())):
        _check_choice(header, keyword, syntax, source, warnings)
    check_size(whole(header, "Rows", source), whole(header, "Columns", source), source, samples * allocated // 8)


def _check_choice(header: Dataset, keyword: str, syntax: UID, source: str, warnings: list[str]) -> None:
    """Make ``keyword`` 0 or 1; 0 where it is missing, or means nothing as in compressed colours (PS3.5 8.2)."""
    if keyword == "PlanarConfiguration" and syntax not in NATIVE:
        header.PlanarConfiguration = 0
    elif keyword not in header:
        warnings.append(f"its header has no {keyword}; it is taken as 0")
    if whole(header, keyword, source, 0) not in (0, 1):
        raise RefusedFilm(source, f"its {keyword} is neither 0 nor 1; {COMPLETE}")
