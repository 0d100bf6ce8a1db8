"""Makes a DICOM header readable: codes by their meaning, numbers as numbers, what is missing filled in or named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue

from radscribe.imaging.refusal import RefusedFilm

# The code strings that pydicom compares, too.
CODES = ("PhotometricInterpretation", "VOILUTFunction")
# Without these, or where they cannot be read, there still is a picture.
OPTIONAL: dict[str, Callable[[Any], Any]] = {
    "WindowCenter": float,
    "WindowWidth": float,
    "RescaleSlope": float,
    "RescaleIntercept": float,
    "PixelPaddingValue": int,
    "PixelPaddingRangeLimit": int,
    "NumberOfFrames": int,
    "ModalityLUTSequence": list,
    "VOILUTSequence": list,
    "PatientOrientation": lambda value: value,
    **dict.fromkeys(("Modality", "SOPClassUID", "BodyPartExamined", "ViewPosition", "VOILUTFunction"), str),
}
COMPLETE = "export the film again, with it"


def make_readable(header: Dataset, warnings: list[str]) -> None:
    """Bring the fields of ``header`` that a film can do without to plain values; delete those that cannot be read.

    Of several numbers the first remains. Each deleted field is named in ``warnings``, never with its value.
    """
    for keyword, kind in OPTIONAL.items():
        try:
            value = header.get(keyword)
            if value is None:
                continue
            several = isinstance(value, MultiValue) and kind in (float, int)
            plain = kind(value[0] if several else value)
        except Exception:  # pydicom can raise almost anything on a value that breaks its rules
            del header[keyword]
            warnings.append(f"its {keyword} cannot be read and is disregarded")
        else:
            if plain != value and kind in (float, int):
                del header[keyword]
                setattr(header, keyword, plain)
    for keyword in CODES:
        if keyword in header:
            setattr(header, keyword, code(header, keyword))


def code(header: Dataset, keyword: str) -> str:
    """The code string ``keyword`` in capitals, without surrounding spaces (PS3.5 6.2); "" where it is missing.

    Of several values the first counts.
    """
    value = header.get(keyword) or ""
    return str(value[0] if isinstance(value, MultiValue) else value).strip(" \0").upper()


def whole(header: Dataset, keyword: str, source: str, default: int | None = None) -> int:
    """The whole number ``keyword``, which is set to ``default`` where it is missing.

    Raises:
        RefusedFilm: naming the field, where it is missing without a default or is no whole number.
    """
    try:
        value = header.get(keyword, default)
        if value is None:
            raise RefusedFilm(source, f"its header has no {keyword}; {COMPLETE}")
        number = int(value)
    except RefusedFilm:
        raise
    except Exception:  # pydicom can raise almost anything on a value that breaks its rules
        raise RefusedFilm(source, f"its {keyword} is no whole number; {COMPLETE}") from None
    setattr(header, keyword, number)
    return number
