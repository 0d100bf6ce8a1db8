"""What a model sees of a film: a square of grey levels, in training turned and shifted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class FilmConfig:
    """Section 1 of the paper: resize 256, crop 224 (random in training), rotation up to 5 degrees, never a flip."""

    resize: int = 256
    crop: int = 224
    rotation: float = 5.0

    def __post_init__(self) -> None:
        if not 32 <= self.crop <= self.resize:
            raise ValueError(f"crop {self.crop} must lie between 32 and resize {self.resize}")
        if self.crop % 16:
            raise ValueError(f"crop {self.crop} must be a multiple of the image encoder's stride, 16 or 32")


def centre_crop(film: NDArray[np.uint8], config: FilmConfig) -> NDArray[np.uint8]:
    """The view the model has of a film in evaluation: crop x crop grey levels."""
    picture = _resized(film, config)
    first = (config.resize - config.crop) // 2
    return np.asarray(picture.crop((first, first, first + config.crop, first + config.crop)))


def augmented(film: NDArray[np.uint8], config: FilmConfig, random: np.random.Generator) -> NDArray[np.uint8]:
    """A turned and shifted view; the grey levels stay, and so does the patient's left and right."""
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
