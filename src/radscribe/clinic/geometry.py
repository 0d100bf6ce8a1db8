"""Places in the model's view of a film as places in the film's own pixels, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radscribe.imaging.crop import FilmConfig
from radscribe.imaging.orientation import upright

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class FilmGeometry:
    """How a model's view lies on a film; the inverse of ``upright``, ``fit`` and ``centre_crop``.

    Positions are continuous, (0, 0) the outer corner of the first pixel, as those of SCOORD (DICOM PS3.3 C.18.6.1.1).

    Raises ``ValueError`` for a film without pixels.
    """

    # The film as it is stored, in pixels.
    rows: int
    columns: int
    # The square that the film is fitted into, and what the model sees of it.
    config: FilmConfig
    # Patient Orientation of the film's header, and its view ("frontal", "lateral" or None), which set it upright.
    orientation: Sequence[str] = ()
    view: str | None = None

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise ValueError(f"a film of {self.rows} x {self.columns} pixels has no geometry")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the upright film, in pixels."""
        corners = self._corners()
        turned = abs(corners[0] - corners[1]) == 2  # the upper edge is a column of the stored film
        return (self.columns, self.rows) if turned else (self.rows, self.columns)

    @property
    def spans(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """What the view spans of the upright film in pixels, across and down; its padding lies beyond the film."""
        height, width = self.shape
        resize, crop = self.config.resize, self.config.crop
        first, scale = (resize - crop) // 2, resize / max(height, width)
        spans = []
        for side in (width, height):
            fitted = max(1, round(side * scale))
            begin = first - (resize - fitted) // 2
            spans.append((begin / fitted * side, (begin + crop) / fitted * side))
        return spans[0], spans[1]

    def on_upright(self, box: Box) -> Box | None:
        """``box`` (shares of the view) in pixels of the upright film, cut at its edge; None beside the film."""
        height, width = self.shape
        placed = []
        for edges, (begin, end), side in zip((box[0::2], box[1::2]), self.spans, (width, height), strict=True):
            placed.append([min(max(begin + edge * (end - begin), 0.0), float(side)) for edge in edges])
        (left, right), (top, bottom) = placed
        return (left, top, right, bottom) if left < right and top < bottom else None

    def on_film(self, box: Box) -> Box | None:
        """``box`` (shares of the view) in pixels of the film as it is stored; None beside the film."""
        upright_box = self.on_upright(box)
        if upright_box is None:
            return None
        height, width = self.shape
        corners = [(place % 2 * self.columns, place // 2 * self.rows) for place in self._corners()]
        origin, across, down = (np.array(corner, dtype=np.float64) for corner in corners[:3])
        ends = [
            origin + x / width * (across - origin) + y / height * (down - origin)
            for x, y in (upright_box[:2], upright_box[2:])
        ]
        (left, top), (right, bottom) = np.minimum(*ends).tolist(), np.maximum(*ends).tolist()
        return left, top, right, bottom

    def _corners(self) -> list[int]:
        """The corners of the stored film (0 1 over 2 3) that are the upright one's, in the same order."""
        # What moves the film moves four numbers alike, so that this can never differ from it.
        labels = np.arange(4, dtype=np.uint8).reshape(2, 2)
        return [int(label) for label in upright(labels, self.orientation, self.view).ravel()]
