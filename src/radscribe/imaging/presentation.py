"""Converts stored DICOM values to displayed grey levels: modality, window, polarity (PS3.3 C.7.6.3, C.11.1 and 2).

Every step depends on one value at a time, so all are applied to a table of the 256 or 65,536 possible values, and the
film is looked up in it in bands of rows: no array of the film's size ever takes eight bytes per value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset
from pydicom.pixels.processing import apply_windowing, convert_color_space

from radscribe.imaging.levels import Levels, Pixels, bands, black_and_white, look_up, stretch, subsample

# Far outside every window, so that it maps to an end of the output range.
BEYOND_EVERY_WINDOW = 1e9
LARGEST_LEVEL = 1e30  # fits in single precision
WINDOWS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def grey_levels(stored: Levels, header: Dataset) -> Pixels:
    """``stored`` (height x width, 8 or 16 bits) as the header asks for it to be shown: uint8, bright = dense.

    The modality table or rescaling comes first, then the VOI table or the first window, then MONOCHROME1 is inverted.
    Presentation LUT Shape is not read: by the standard it repeats that (INVERSE with MONOCHROME1, IDENTITY else), and
    where devices write something else, the shape has been wrong. Padding becomes black. A window that is invalid, or
    outside the levels of the picture, is ignored; a film of more than 8 bits without one is scaled between robust
    percentiles. Overlays and burnt-in text are left as they are.

    Raises:
        ValueError: when rescaled levels are not numbers or too large.
        Exception: any other, for damaged tables.
    """
    codes = stored.view(f"u{stored.itemsize}")
    values = np.arange(256**stored.itemsize, dtype=codes.dtype).view(stored.dtype)
    padding = _padding(header, values)
    levels = _after_modality(header, values)
    occurring = np.zeros(len(values), np.bool_)
    for rows in bands(*codes.shape):
        occurring[codes[rows]] = True
    shown = _in_window(header, levels)
    if shown is None or np.ptp(shown[occurring]) == 0:
        shown = _without_window(header, levels, codes, occurring, padding)
    if header.PhotometricInterpretation == "MONOCHROME1":
        shown = 255 - shown
    shown[padding] = 0
    return look_up(shown, codes)


def grey_of_colours(stored: Levels, photometric: str) -> Pixels:
    """The luminance (uint8, height x width) of ``stored`` (height x width x 3, 8 bits), in RGB or YBR_FULL."""
    grey = np.empty(stored.shape[:2], np.uint8)
    for rows in bands(len(stored), stored.shape[1]):
        band = stored[rows]
        if photometric.startswith("YBR_FULL"):
            band = convert_color_space(band, "YBR_FULL", "RGB")
        grey[rows] = np.asarray(Image.fromarray(np.ascontiguousarray(band)).convert("L"))
    return grey


def _padding(header: Dataset, values: Levels) -> npt.NDArray[np.bool_]:
    ends = [header.get("PixelPaddingValue")]
    if ends[0] is None:
        return np.zeros(len(values), np.bool_)
    ends.append(header.get("PixelPaddingRangeLimit", ends[0]))
    # Some files write the padding of signed pixels as an unsigned number.
    low, high = sorted(int(np.array(int(end)).astype(values.dtype)) for end in ends)
    return np.logical_and(values >= low, values <= high)


def _after_modality(header: Dataset, values: Levels) -> Levels:
    if header.get("ModalityLUTSequence"):
        return _through(_table(header, header.ModalityLUTSequence[0]), values)
    if "RescaleSlope" not in header or "RescaleIntercept" not in header:
        return values
    levels = values.astype(np.float64) * float(header.RescaleSlope) + float(header.RescaleIntercept)
    if not np.abs(levels).max() < LARGEST_LEVEL:
        raise ValueError("the rescaled levels are not numbers or too large")
    return levels


def _in_window(header: Dataset, levels: Levels) -> Pixels | None:
    """``levels`` mapped to 0 .. 255 by the VOI table or window; None where there is neither."""
    if header.get("VOILUTSequence"):
        table, first = _table(header, header.VOILUTSequence[0])
        return stretch(_through((table, first), levels), float(table.min()), float(table.max()))
    if not _has_window(header):
        return None
    with np.errstate(over="ignore"):
        windowed = apply_windowing(levels, header)
        black, white = apply_windowing(np.array([-BEYOND_EVERY_WINDOW, BEYOND_EVERY_WINDOW]), header)
    # Divided rather than sorted: with a negative rescale slope pydicom's black end is the higher number.
    return stretch((windowed - black) / (white - black), 0.0, 1.0)


def _has_window(header: Dataset) -> bool:
    centre, width = (_first_number(header.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    function = str(header.get("VOILUTFunction") or "LINEAR").upper()
    if function not in WINDOWS or not abs(centre) + width < BEYOND_EVERY_WINDOW:
        return False
    return width >= 1 if function == "LINEAR" else width > 0


def _first_number(value: Any) -> float:
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if value else None
    return float("nan" if value in (None, "") else value)


def _without_window(
    header: Dataset,
    levels: Levels,
    codes: Levels,
    occurring: npt.NDArray[np.bool_],
    padding: npt.NDArray[np.bool_],
) -> Pixels:
    found = levels[occurring]
    if header.BitsStored == 8 and found.min() >= 0 and found.max() <= 255:
        return stretch(levels, 0.0, 255.0)
    film = codes.ravel()
    if padding.any():
        film = codes[look_up(~padding, codes)]
    counted = levels[occurring & ~padding]
    if not counted.size:
        return np.zeros(len(levels), np.uint8)
    return stretch(levels, *black_and_white(levels[subsample(film)], counted))


def _table(header: Dataset, item: Dataset) -> tuple[Levels, int]:
    """The entries of a lookup table and the level that maps to the first one.

    pydicom's own functions count positions in the type of the entries or of the pixels, in which a table of 4,096
    entries of 8 bits wraps around.
    """
    count, first, _ = (int(number) for number in item.LUTDescriptor)
    count = count % 2**16 or 2**16
    data = item.LUTData
    if isinstance(data, bytes):
        order = "<" if header.original_encoding[1] else ">"
        data = np.frombuffer(data, f"{order}u2" if len(data) >= 2 * count else "u1")
    return np.asarray(data)[:count].astype(np.int64), first


def _through(table: tuple[Levels, int], levels: Levels) -> Levels:
    entries, first = table
    return entries[np.clip(levels.astype(np.float64) - first, 0, len(entries) - 1).astype(np.intp)]
