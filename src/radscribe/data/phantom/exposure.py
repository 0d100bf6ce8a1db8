"""Turns attenuation into a film: the pose of the patient, drawing on the detector, exposure, scatter and noise.

Positions are in thorax units: x grows towards the patient's left (the image's right), y towards the feet, and an
upright, centred patient at scale 1 fills the square from -1 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Field = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Pose:
    """How one film was taken; lengths in thorax units, angles in radians, ``blur`` in pixels of a 256-pixel film."""

    tilt: float
    scale: float
    shift_x: float
    shift_y: float
    turn: float
    inspiration: float
    window_low: float
    window_high: float
    gamma: float
    scatter: float
    noise: float
    blur: float
    equalisation: float
    unevenness: float


def sample_pose(random: np.random.Generator) -> Pose:
    """The pose and exposure of a random film."""
    return Pose(
        tilt=random.uniform(-0.11, 0.11),
        scale=random.uniform(0.92, 1.24),
        shift_x=random.uniform(-0.17, 0.17),
        shift_y=random.uniform(-0.10, 0.20),
        turn=random.uniform(-1.0, 1.0),
        inspiration=random.normal(0.0, 0.03),
        window_low=random.uniform(-0.22, 0.02),
        window_high=random.uniform(1.0, 1.3),
        gamma=random.uniform(0.7, 1.2),
        scatter=random.uniform(0.04, 0.16),
        noise=random.uniform(0.010, 0.028),
        blur=random.uniform(0.45, 0.75),
        equalisation=random.uniform(0.15, 0.55),
        unevenness=random.uniform(0.02, 0.07),
    )


class Frame:
    """The detector: the thorax coordinates ``x`` and ``y`` (size x size) of its pixels; draws points and thin lines."""

    def __init__(self, pose: Pose, size: int) -> None:
        self.size = size
        self.shape = (size, size)
        cosine, sine = np.cos(pose.tilt), np.sin(pose.tilt)
        self._matrix = pose.scale * np.array([[cosine, -sine], [sine, cosine]])
        self._shift = np.array([pose.shift_x, pose.shift_y])
        inverse = np.linalg.inv(self._matrix)
        axis = (np.arange(size) + 0.5) * (2.0 / size) - 1.0
        across, down = axis - pose.shift_x, axis - pose.shift_y
        self.x: Field = (inverse[0, 0] * across[None, :] + inverse[0, 1] * down[:, None]).astype(np.float32)
        self.y: Field = (inverse[1, 0] * across[None, :] + inverse[1, 1] * down[:, None]).astype(np.float32)

    def window(self, left: float, right: float, top: float, bottom: float) -> tuple[slice, slice]:
        """The rows and columns that hold a rectangle of the thorax, so that small shapes are drawn only there."""
        corners = self.pixels(np.array([[left, top], [right, top], [left, bottom], [right, bottom]], dtype=np.float64))
        low = np.clip(np.floor(corners.min(axis=0)), 0, self.size).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, self.size).astype(int)
        return slice(low[1], high[1]), slice(low[0], high[0])

    def pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Thorax positions (N, 2) -> pixel positions (N, 2) as (column, row)."""
        placed: NDArray[np.float64] = (points @ self._matrix.T + self._shift + 1.0) * (self.size / 2) - 0.5
        return placed

    def splat(self, points: NDArray[np.float64], weights: NDArray[np.float64]) -> Field:
        """Image (size x size) of points (N, 2) with weights (N), each spread over its four nearest pixels."""
        placed = self.pixels(points)
        inside = np.all((placed >= 0) & (placed < self.size - 1), axis=1)
        placed, weights = placed[inside], weights[inside]
        corner = placed.astype(np.int64)
        right, below = (placed - corner).T
        start = corner[:, 1] * self.size + corner[:, 0]
        index = np.concatenate([start, start + 1, start + self.size, start + self.size + 1])
        share = np.concatenate([(1 - right) * (1 - below), right * (1 - below), (1 - right) * below, right * below])
        canvas = np.bincount(index, np.tile(weights, 4) * share, minlength=self.size * self.size)
        return canvas.astype(np.float32).reshape(self.shape)

    def stroke(self, path: NDArray[np.float64], width: float, weight: float, hollow: bool = False) -> Field:
        """Attenuation of a wire (or, ``hollow``, of a tube's two walls) along ``path`` (N, 2), ``width`` wide."""
        pixel = 2.0 / self.size
        legs = np.diff(path, axis=0)
        lengths = np.hypot(legs[:, 0], legs[:, 1])
        travelled = np.concatenate([[0.0], np.cumsum(lengths)])
        along = np.arange(0.0, travelled[-1], 0.6 * pixel)
        centre = np.stack([np.interp(along, travelled, path[:, axis]) for axis in (0, 1)], axis=1)
        leg = np.clip(np.searchsorted(travelled, along, side="right") - 1, 0, len(legs) - 1)
        normal = np.stack([-legs[leg, 1], legs[leg, 0]], axis=1) / np.maximum(lengths[leg, None], 1e-9)
        strands = max(1, round(width / (0.7 * pixel)))
        offsets = np.linspace(-width / 2, width / 2, strands) if strands > 1 else np.zeros(1)
        depths = np.where(np.abs(offsets) > 0.4 * width, 1.0, 0.35) if hollow else np.ones(strands)
        points = (centre[None] + offsets[:, None, None] * normal[None]).reshape(-1, 2)
        # Each point represents an area of 0.6 x 0.7 pixels.
        return self.splat(points, np.repeat(depths, len(centre)) * weight * 0.42)

    def cloud(self, random: np.random.Generator, cells: int) -> Field:
        """Smooth noise of mean 0 and deviation about 1, with ``cells`` grains across the film."""
        coarse = Image.fromarray(random.standard_normal((cells, cells), dtype=np.float32))
        return np.asarray(coarse.resize(self.shape, Image.Resampling.BICUBIC), dtype=np.float32) * 1.3


def step(distance: Field, width: float) -> Field:
    """A smooth step from 0 to 1, over ``width`` around ``distance`` 0."""
    ramp = np.multiply(distance, np.float32(1.0 / width))
    ramp += np.float32(0.5)
    np.clip(ramp, np.float32(0.0), np.float32(1.0), out=ramp)
    rest = 3.0 - 2.0 * ramp
    ramp *= ramp
    ramp *= rest
    return ramp


def dome(squared: Field) -> Field:
    """The thickness of a unit sphere where ``squared`` is the squared distance from its centre line."""
    depth = np.subtract(np.float32(1.0), squared)
    np.maximum(depth, np.float32(0.0), out=depth)
    return np.sqrt(depth, out=depth)


def expose(attenuation: Field, pose: Pose, random: np.random.Generator) -> NDArray[np.uint8]:
    """Line integrals of attenuation (H, W) -> film (H, W), uint8, bright where dense (MONOCHROME2).

    Beer-Lambert gives the transmitted intensity; scatter adds a blurred share of it, photon noise grows as its
    square root, and the film responds to the logarithm, equalised as in digital systems: part of the coarse density
    is subtracted, so that lung and mediastinum both show detail.
    """
    size = attenuation.shape[0]
    seen = ndimage.gaussian_filter(np.maximum(attenuation, 0.0), pose.blur * size / 256, truncate=2.5)
    intensity = np.exp(-seen)
    intensity += pose.scatter * _coarse(intensity, 16)
    noise = random.standard_normal(attenuation.shape, dtype=np.float32)
    intensity += pose.noise * np.sqrt(np.maximum(intensity, 1e-4)) * noise
    density = -np.log(np.clip(intensity, 0.02, None))
    density -= pose.equalisation * _coarse(density, 8)
    sample = np.sort(density[size // 8 : -size // 8 : 4, size // 8 : -size // 8 : 4].ravel())
    low, high = sample[int(0.02 * len(sample))], sample[int(0.99 * len(sample))]
    span = max(float(high - low), 0.5)
    grey = (density - (low + pose.window_low * span)) / ((pose.window_high - pose.window_low) * span)
    # The film is black where the beam passed only air.
    grey = np.clip(grey, 0.0, 1.0) ** pose.gamma * np.clip(seen * 4.0, 0.0, 1.0)
    # The toe and shoulder of a film curve.
    grey = 0.75 * grey + 0.25 * grey * grey * (3.0 - 2.0 * grey)
    film: NDArray[np.uint8] = (grey * 249.0 + 3.0).astype(np.uint8)
    return film


def _coarse(image: Field, cells: int) -> Field:
    """The image with all detail finer than ``cells`` across removed."""
    small = Image.fromarray(image).resize((cells, cells), Image.Resampling.BOX)
    return np.asarray(small.resize((image.shape[1], image.shape[0]), Image.Resampling.BICUBIC), dtype=np.float32)
