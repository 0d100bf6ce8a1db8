"""Cuts from a film what a model sees of it: a square of grey levels, in training turned and shifted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


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

    def __post_init__(self) -> None:
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
    """A turned and shifted view for training: ``H x W -> crop x crop``, grey levels 0 to 255.

    The angle and then the place are drawn with ``random``, uniformly; what the turn uncovers is 0. The grey levels
    stay, and so does the patient's left and right.
    """
    picture = _resized(film, config)
    angle = random.uniform(-config.rotation, config.rotation)
    across, down = random.integers(0, config.resize - config.crop + 1, 2).tolist()
    if config.rotation:
        picture = picture.rotate(angle, Image.Resampling.BILINEAR)
    return np.asarray(picture.crop((across, down, across + config.crop, down + config.crop)))


def _resized(film: NDArray[np.uint8], config: FilmConfig) -> Image.Image:
    picture = Image.fromarray(film)
    if picture.size != (config.resize, config.resize):
        picture = picture.resize((config.resize, config.resize), Image.Resampling.BILINEAR)
    return picture
