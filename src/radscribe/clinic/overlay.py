"""The evidence drawn on the film, as a colour picture that every viewer shows (DICOM PS3.3 A.8.1)."""

from __future__ import annotations

import textwrap
from typing import Any

import highdicom as hd
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from radscribe.clinic.case import Case
from radscribe.clinic.geometry import Box
from radscribe.clinic.objects import film_of, new_object
from radscribe.clinic.remarks import ABSENT_MAP, model_line, origin_line
from radscribe.core.records import EvidenceMap
from radscribe.drafting.picture import COLOURS, LEVELS
from radscribe.drafting.text import statements

LONGEST = 1024  # pixels of the film's longer side
LINE, FONT_SIZE, DOTS = 18, 9, 100  # pixels of a line of words; points; dots an inch
CHARACTER = 7.6  # pixels of a letter's width, at most on average


def overlay_picture(case: Case) -> NDArray[np.uint8]:
    """The upright film with contours and boxes of its evidence, the words below: height x width x 3, RGB.

    The words are the sentences in the colour of their evidence, the draft's abstention and warnings, who wrote and
    who read it, the notice and the model.
    """
    height, width = case.pixels.shape
    scale = LONGEST / max(height, width)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    lines = [
        (part, colour)
        for text, colour in _words(case)
        for part in textwrap.wrap(text, max(20, int(wide / CHARACTER))) or [""]
    ]
    below = LINE * (len(lines) + 1)
    figure = Figure(figsize=(wide / DOTS, (high + below) / DOTS), dpi=DOTS, facecolor="black")
    axes = figure.add_axes((0, below / (high + below), 1, high / (high + below)))
    axes.imshow(case.pixels, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0), aspect="auto")
    axes.set_axis_off()
    for number, (_, evidence, box) in enumerate(case.shown):
        _outline(axes, case, evidence, box, COLOURS[number % len(COLOURS)])
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    for number, (text, colour) in enumerate(lines, 1):
        figure.text(6 / wide, 1 - (high + LINE * number) / (high + below), text, color=colour, fontsize=FONT_SIZE)
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib does not type it
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def overlay_object(case: Case) -> hd.base.SOPClass:
    """``overlay_picture`` as a Secondary Capture of the film's study (DICOM PS3.3 C.8.6.1, C.7.6.3)."""
    film, picture = film_of(case), overlay_picture(case)
    instance = new_object(case, "overlay", SecondaryCaptureImageStorage, "OT")
    instance.ConversionType = "WSD"
    instance.ImageType = ["DERIVED", "SECONDARY"]
    instance.BodyPartExamined = "CHEST"  # without it a side would have to be named
    instance.PatientOrientation = None
    instance.BurnedInAnnotation = "YES"
    instance.DerivationDescription = "Evidence of a draft report drawn on the film"
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = film.header.SOPClassUID, film.uid
    instance.SourceImageSequence = [source]
    instance.SamplesPerPixel, instance.PhotometricInterpretation, instance.PlanarConfiguration = 3, "RGB", 0
    instance.Rows, instance.Columns = picture.shape[:2]
    instance.BitsAllocated, instance.BitsStored, instance.HighBit, instance.PixelRepresentation = 8, 8, 7, 0
    data = picture.tobytes()
    instance.add_new("PixelData", "OB", data + b"\0" * (len(data) % 2))
    return instance


def _words(case: Case) -> list[tuple[str, str]]:
    draft = case.draft
    found = [
        (f"■ {sentence.text} {statements(sentence)}", COLOURS[number % len(COLOURS)])
        for number, (sentence, _, _) in enumerate(case.shown)
    ]
    if draft.abstain:
        found += [(f"No draft: {reason}", "white") for reason in draft.reasons]
    elif not found:
        found = [(ABSENT_MAP, "white")]
    found += [(f"Warning: {warning}", "white") for warning in draft.warnings]
    return [*found, (origin_line(case), "white"), (f"{draft.notice} {model_line(draft)}", "white")]


def _outline(axes: Any, case: Case, evidence: EvidenceMap, box: Box | None, colour: str) -> None:
    """Draw the contours of a map and its box (pixels of the upright film)."""
    values = np.array(evidence.values)
    places = [
        begin + (np.arange(count) + 0.5) / count * (end - begin)
        for (begin, end), count in zip(case.geometry.spans, values.shape[::-1], strict=True)
    ]
    axes.contour(*places, values, levels=LEVELS, colors=colour, linewidths=(1.0, 1.8))
    if box:
        left, top, right, bottom = box
        size = (right - left, bottom - top)
        axes.add_patch(Rectangle((left, top), *size, fill=False, edgecolor=colour, linestyle="--", linewidth=1.5))
