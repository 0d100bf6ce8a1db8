"""Draws support devices on the frontal film, each as a path of wire or tube over the thorax."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from radscribe.data.phantom.anatomy import Layers
from radscribe.data.phantom.exposure import Field, step

Path = NDArray[np.float64]


def _curve(*corners: tuple[float, float]) -> Path:
    """A smooth path (N, 2) through the given thorax positions (Catmull-Rom)."""
    knots = np.array([corners[0], *corners, corners[-1]], dtype=np.float64)
    share = np.linspace(0.0, 1.0, 16, endpoint=False)[:, None]
    pieces = []
    for first, second, third, fourth in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        pieces.append(
            second
            + 0.5 * share * (third - first)
            + share**2 * (first - 2.5 * second + 2 * third - 0.5 * fourth)
            + share**3 * (-0.5 * first + 1.5 * second - 1.5 * third + 0.5 * fourth)
        )
    return np.concatenate([*pieces, knots[-1:]])


def _pacemaker(layers: Layers, side: float, random: np.random.Generator) -> Field:
    x, y = layers.frame.x, layers.frame.y
    box_x, box_y = side * random.uniform(0.46, 0.54), random.uniform(-0.46, -0.38)
    turned = np.abs(x - box_x) ** 3 / 0.10**3 + np.abs(y - box_y) ** 3 / 0.085**3
    box = step(1.0 - turned, 0.4) * np.float32(1.3)
    tip = random.uniform(0.10, 0.20)
    middle = layers.centre
    leads = [
        _curve(
            (box_x, box_y - 0.06),
            (side * 0.25, -0.60),
            (middle - 0.05, -0.38),
            (middle - 0.10, 0.05),
            (middle + tip, 0.26),
        )
    ]
    if random.random() < 0.6:
        leads.append(
            _curve(
                (box_x, box_y - 0.03),
                (side * 0.24, -0.57),
                (middle - 0.07, -0.36),
                (middle - 0.14, 0.02),
                (middle - 0.05, 0.06),
            )
        )
    for lead in leads:
        box = box + layers.frame.stroke(lead, 0.016, 1.2)
    return box


def _central_line(layers: Layers, side: float, random: np.random.Generator) -> Field:
    middle, end = layers.centre - 0.09, random.uniform(-0.15, 0.05)
    if random.random() < 0.5:
        start = (side * 0.20, -0.98), (side * 0.15, -0.72)
    else:
        start = (side * 0.93, -0.30), (side * 0.70, -0.55)
    line = _curve(*start, (middle * 0.5 + side * 0.08, -0.55), (middle, -0.35), (middle, end))
    return layers.frame.stroke(line, 0.016, 1.0)


def _endotracheal_tube(layers: Layers, side: float, random: np.random.Generator) -> Field:
    end, middle = random.uniform(-0.46, -0.36), layers.centre + layers.thorax.trachea
    tube = _curve((middle, -1.0), (middle + 0.01, -0.7), (middle, end))
    return layers.frame.stroke(tube, 0.036, 1.5, hollow=True)


def _feeding_tube(layers: Layers, side: float, random: np.random.Generator) -> Field:
    middle = layers.centre
    tube = _curve(
        (middle + 0.02, -1.0),
        (middle + 0.02, -0.4),
        (middle + 0.05, 0.2),
        (middle + 0.14, 0.45),
        (middle + random.uniform(0.25, 0.40), 0.62),
    )
    return layers.frame.stroke(tube, 0.020, 1.0)


def _chest_tube(layers: Layers, side: float, random: np.random.Generator) -> Field:
    start, turn = random.uniform(0.15, 0.35), random.uniform(-0.1, 0.1)
    tube = _curve(
        (side * 0.95, start + 0.1),
        (side * 0.62, start - 0.02),
        (side * 0.45, turn - 0.1),
        (side * 0.33, random.uniform(-0.55, -0.35)),
    )
    return layers.frame.stroke(tube, 0.034, 1.5, hollow=True)


def _sternal_wires(layers: Layers, side: float, random: np.random.Generator) -> Field:
    total = np.zeros(layers.frame.shape, np.float32)
    angle = np.linspace(0.0, 2 * np.pi, 24)
    middle = layers.centre * 1.3
    for level in np.linspace(-0.42, 0.22, random.integers(4, 7)):
        tilt = random.normal(0.0, 0.15)
        ring = np.stack([middle + 0.045 * np.cos(angle), level + 0.022 * np.sin(angle + tilt)], axis=1)
        total += layers.frame.stroke(ring, 0.012, 1.6)
    return total


DEVICES: dict[str, Callable[[Layers, float, np.random.Generator], Field]] = {
    "pacemaker": _pacemaker,
    "central line": _central_line,
    "endotracheal tube": _endotracheal_tube,
    "feeding tube": _feeding_tube,
    "chest tube": _chest_tube,
    "sternal wires": _sternal_wires,
}
