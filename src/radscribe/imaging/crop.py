"""Cuts from a film what a model sees of it: a square of grey levels, in training turned and shifted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radscribe.core.config import LATER


@dataclass(frozen=True)
class FilmConfig:
    """How a film is cut, in training and evaluation; never a flip, which would swap left and right.

    REVTAF's paper (arXiv 2507.07568, Section 4.1) gives one number, the image size 224. Resizing to 256 and turning by
    up to 5 degrees come from the published code of PromptMRG (``dataset/__init__.py``), the baseline that REVTAF builds
    on. Ours: both sides become 256, where PromptMRG keeps their ratio; a film is turned before it is cut, not after.

    Raises ``ValueError`` for a crop that the image encoder cannot read.
    """

    # Side in pixels of the square that a film is scaled to (PromptMRG's code).
    resize: int = 256
    # Side in pixels of what is cut from it (the paper); a multiple of 16.
    crop: int = 224
    # Largest angle in degrees that a training film is turned by, either way (PromptMRG's code).
    rotation: float = 5.0
    # Ours, training only: a film is made larger or smaller by up to this share of its side,
    scale: float = field(default=0.0, metadata=LATER)
    # its grey levels are raised to a power of up to one plus this, or of the inverse of that,
    gamma: float = field(default=0.0, metadata=LATER)
    # and of this share of films the outer sixteenth of each side is blanked: it names a machine and holds no lung.
    edge: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        if not (0 <= self.scale < 0.5 and 0 <= self.gamma < 1 and 0 <= self.edge <= 1):
            raise ValueError("scale must be within [0, 0.5), gamma within [0, 1), edge within [0, 1]")
        if not 32 <= self.crop <= self.resize:
            raise ValueError(f"crop {self.crop} must lie between 32 and resize {self.resize}")
        if self.crop % 16:
            raise ValueError(f"crop {self.crop} must be a multiple of the image encoder's stride, 16 or 32")


def centre_crop(film: NDArray[np.uint8], config: FilmConfig) -> NDArray[np.uint8]:
    """The view that a model has of a film in evaluation: ``H x W -> crop x crop``, grey levels 0 to 255."""
    picture = _resized(film, config)
    first = (config.resize - config.crop) // 2
    return np.asarray(picture.crop((first, first, first + config.crop, first + config.crop)))


def augmented(film: NDArray[np.uint8], config: FilmConfig, random: np.random.Generator) -> NDArray[np.uint8]:
    """A turned and shifted view for training, and as ``config`` says scaled, of other contrast or without its edge:
    ``H x W -> crop x crop``, grey levels 0 to 255.

    All is drawn with ``random``, uniformly (size and power in their logarithm); what the turn uncovers is 0. The
    patient's left and right stay.
    """
    picture = _resized(film, config)
    angle = random.uniform(-config.rotation, config.rotation)
    across, down = random.integers(0, config.resize - config.crop + 1, 2).tolist()
    if config.rotation:
        picture = picture.rotate(angle, Image.Resampling.BILINEAR)
    if config.scale:
        side = round(config.resize * (1 + config.scale) ** random.uniform(-1, 1))
        picture = picture.resize((side, side), Image.Resampling.BILINEAR)
        # The same place, about the middle; beyond a smaller film there is nothing, which Pillow makes 0.
        across, down = (place + (side - config.resize) // 2 for place in (across, down))
    if config.gamma:
        power = (1 + config.gamma) ** random.uniform(-1, 1)
        picture = picture.point([round(255 * (level / 255) ** power) for level in range(256)])
    view = np.asarray(picture.crop((across, down, across + config.crop, down + config.crop)))
    return without_edge(view) if config.edge and random.random() < config.edge else view


def only_edge(film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The film (H x W) with all but the outer sixteenth of each side at its mean grey: no lung is left."""
    down, across = (max(1, side // 16) for side in film.shape)
    blanked = film.copy()
    blanked[down:-down, across:-across] = film.mean()
    return blanked


def without_edge(film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The film (H x W) with the outer sixteenth of each side at its mean grey."""
    down, across = (max(1, side // 16) for side in film.shape)
    blanked = np.full_like(film, film.mean())
    blanked[down:-down, across:-across] = film[down:-down, across:-across]
    return blanked


def _resized(film: NDArray[np.uint8], config: FilmConfig) -> Image.Image:
    picture = Image.fromarray(film)
    if picture.size != (config.resize, config.resize):
        picture = picture.resize((config.resize, config.resize), Image.Resampling.BILINEAR)
    return picture
