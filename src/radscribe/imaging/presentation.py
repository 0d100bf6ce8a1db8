"""Converts stored DICOM values to displayed grey levels: modality, window, polarity (PS3.3 C.7.6.3, C.11.1 and 2).

Every step depends on one value at a time, so all are applied to a table of the 256 or 65,536 possible values, and the
film is looked up in it in bands of rows: no array of the film's size ever takes eight bytes per value.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset
from pydicom.pixels.processing import apply_windowing, convert_color_space

from radscribe.imaging.levels import (
    NO_CONTRAST,
    Levels,
    Pixels,
    bands,
    black_and_white,
    histogram,
    look_up,
    stretch,
    subsample,
    two_toned,
)

# Far outside every window, so that it maps to an end of the output range.
BEYOND_EVERY_WINDOW = 1e9
LARGEST_LEVEL = 1e30  # fits in single precision
FLAT_WINDOW = (
    "its window or VOI table turns nearly all of the picture black, white or one grey: correct WindowCenter and "
    "WindowWidth, or take them out"
)
WINDOWS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def grey_levels(stored: Levels, header: Dataset, warnings: list[str] | None = None) -> Pixels:
    """``stored`` (height x width, 8 or 16 bits) as the header asks for it to be shown: uint8, bright = dense.

    The modality table or rescaling comes first, then the VOI table or the first window, then MONOCHROME1 is inverted.
    Presentation LUT Shape is not read: by the standard it repeats that (INVERSE with MONOCHROME1, IDENTITY else), and
    where devices write something else, the shape has been wrong. Padding becomes black. A table that cannot be read and
    a window that is invalid, or outside the levels of the picture, are ignored; a film of more than 8 bits without one
    is scaled between robust percentiles. ``warnings`` receives what is ignored, and a window that leaves hardly any
    contrast, which is applied nevertheless. Overlays and burnt-in text are left as they are.

    Raises:
        ValueError: when rescaled levels are not numbers or too large.
    """
    warnings = [] if warnings is None else warnings
    shown, _ = _grey_table(stored, header, _after_modality(header, _values(stored), warnings), warnings)
    return look_up(shown, stored.view(f"u{stored.itemsize}"))


def full_depth(stored: Levels, header: Dataset) -> tuple[npt.NDArray[np.uint16], int, int]:
    """``stored`` (height x width, 16 bits) with all its levels, from 0 on, bright = dense: uint16; padding is 0.

    The second and third value are the levels that ``grey_levels`` shows as black and as white; they may lie beyond
    those of the film. Without rescaling levels keep their distance, else they are spread over all 16 bits.

    Raises:
        ValueError: as ``grey_levels``.
    """
    values = _values(stored)
    levels = _after_modality(header, values, [])
    shown, padding = _grey_table(stored, header, levels, [])
    low = -(2 ** (header.BitsStored - 1)) if stored.dtype.kind == "i" else 0
    valid = np.logical_and(values >= low, values < low + 2**header.BitsStored)
    least, most = float(levels[valid].min()), float(levels[valid].max())
    exact = levels.dtype.kind in "iu" and most - least < 2**16
    deep = (levels.astype(np.float64) - least) * (1 if exact else (2**16 - 1) / max(most - least, 1e-9))
    if header.PhotometricInterpretation == "MONOCHROME1":
        deep = deep[valid].max() - deep
    table: npt.NDArray[np.uint16] = np.rint(deep).clip(0, 2**16 - 1).astype(np.uint16)
    black, white = _shown_ends(table[valid & ~padding], shown[valid & ~padding])
    table[padding] = 0
    return look_up(table, stored.view("u2")), black, white


def _values(stored: Levels) -> Levels:
    """All values that pixels of the type of ``stored`` can have, in the order of their unsigned codes."""
    return np.arange(256**stored.itemsize, dtype=f"u{stored.itemsize}").view(stored.dtype)


def _shown_ends(deep: npt.NDArray[np.uint16], shown: Pixels) -> tuple[int, int]:
    """The levels that would be shown as 0 and 255, on the line through those that are neither."""
    inner = np.flatnonzero((shown > 0) & (shown < 255))
    if inner.size:
        ends = inner[[deep[inner].argmin(), deep[inner].argmax()]]
        (first, last), (dark, bright) = deep[ends].tolist(), shown[ends].tolist()
        if bright > dark:
            step = (last - first) / (bright - dark)
            return round(first - dark * step), round(last + (255 - bright) * step)
    black, white = deep[shown == 0], deep[shown == 255]
    return int(black.max()) if black.size else 0, int(white.min()) if white.size else 2**16 - 1


def _grey_table(
    stored: Levels, header: Dataset, levels: Levels, warnings: list[str]
) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """For each possible value of ``stored``, whose ``levels`` are given: its grey, and if it is padding."""
    codes = stored.view(f"u{stored.itemsize}")
    padding = _padding(header, _values(stored))
    counts = histogram(codes, len(levels))
    shown = _in_window(header, levels, warnings)
    if shown is not None and np.ptp(shown[counts > 0]) == 0:
        warnings.append("its window or VOI table makes all of the picture one grey and is disregarded")
        shown = None
    flat = NO_CONTRAST if shown is None else FLAT_WINDOW
    if shown is None:
        shown = _without_window(header, levels, codes, counts > 0, padding)
    if two_toned(np.bincount(shown[~padding], counts[~padding], 256)):
        warnings.append(flat)
    if header.PhotometricInterpretation == "MONOCHROME1":
        shown = 255 - shown
    shown[padding] = 0
    return shown, padding


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


def _after_modality(header: Dataset, values: Levels, warnings: list[str]) -> Levels:
    if table := _table(header, "ModalityLUTSequence", warnings):
        return _through(table, values)
    if "RescaleSlope" not in header or "RescaleIntercept" not in header:
        return values
    levels = values.astype(np.float64) * float(header.RescaleSlope) + float(header.RescaleIntercept)
    if not np.abs(levels).max() < LARGEST_LEVEL:
        raise ValueError("the rescaled levels are not numbers or too large")
    return levels


def _in_window(header: Dataset, levels: Levels, warnings: list[str]) -> Pixels | None:
    """``levels`` mapped to 0 .. 255 by the VOI table or window; None where there is neither."""
    if table := _table(header, "VOILUTSequence", warnings):
        return stretch(_through(table, levels), float(table[0].min()), float(table[0].max()))
    if not _has_window(header, warnings):
        return None
    with np.errstate(over="ignore"):
        windowed = apply_windowing(levels, header)
        black, white = apply_windowing(np.array([-BEYOND_EVERY_WINDOW, BEYOND_EVERY_WINDOW]), header)
    # Divided rather than sorted: with a negative rescale slope pydicom's black end is the higher number.
    return stretch((windowed - black) / (white - black), 0.0, 1.0)


def _has_window(header: Dataset, warnings: list[str]) -> bool:
    if "WindowCenter" not in header or "WindowWidth" not in header:
        return False
    centre, width = float(header.WindowCenter), float(header.WindowWidth)
    function = header.get("VOILUTFunction", "LINEAR")
    wide_enough = width >= 1 if function == "LINEAR" else width > 0
    if function in WINDOWS and wide_enough and abs(centre) + width < BEYOND_EVERY_WINDOW:
        return True
    warnings.append("its window is none that the standard allows and is disregarded")
    return False


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


def _table(header: Dataset, keyword: str, warnings: list[str]) -> tuple[Levels, int] | None:
    """The entries of the lookup table ``keyword`` and the level that maps to the first one; None where there is none.

    A table that cannot be read is deleted and named in ``warnings``.
    """
    if keyword not in header:
        return None
    try:
        return _entries(header[keyword].value[0], "<" if header.original_encoding[1] else ">")
    except Exception:  # pydicom can raise almost anything on a value that breaks its rules
        del header[keyword]
        warnings.append(f"the table in its {keyword} cannot be read and is disregarded")
        return None


def _entries(item: Dataset, order: str) -> tuple[Levels, int]:
    """The entries of a lookup table, and the level that maps to the first one.

    pydicom's own functions count positions in the type of the entries or of the pixels, in which a table of 4,096
    entries of 8 bits wraps around.
    """
    count, first, bits = (int(number) for number in item.LUTDescriptor)
    count = count % 2**16 or 2**16
    data = item.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, f"{order}u2" if len(data) >= 2 * count else "u1")
    entries = np.atleast_1d(np.asarray(data))[:count].astype(np.int64)
    if not entries.size or not 1 <= bits <= 16:
        raise ValueError("the table has no entries or no depth")
    return entries, first


def _through(table: tuple[Levels, int], levels: Levels) -> Levels:
    entries, first = table
    return entries[np.clip(levels.astype(np.float64) - first, 0, len(entries) - 1).astype(np.intp)]
