"""Draws each condition on the frontal attenuation image and gives the mask of where it is.

A condition either changes the form of the thorax before it is drawn (``reshape``) or adds to the layers afterwards
(``MARKS``). Positions come from a generator seeded by the patient and the condition alone, so that at the next visit a
lesion is in the same place and only its severity changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from radscribe.data.phantom.anatomy import Form, Layers, RibBreak, Thorax
from radscribe.data.phantom.cohort import Finding
from radscribe.data.phantom.devices import DEVICES
from radscribe.data.phantom.exposure import Field, Mask, dome, step

SIDES = {"left": (1.0,), "right": (-1.0,), "bilateral": (-1.0, 1.0), "midline": (0.0,)}
ZONES = {"upper": (-0.52, -0.36), "mid": (-0.22, -0.02), "lower": (0.06, 0.20)}
# A pixel belongs to a lesion's mask if the lesion adds more attenuation than this.
VISIBLE = 0.05


def reshape(form: Form, thorax: Thorax, finding: Finding, random: np.random.Generator) -> Form:
    """The form of the thorax as a finding changes it: larger heart, wider mediastinum, broken ribs, raised domes."""
    grade = finding.severity
    if finding.condition == "cardiomegaly":
        return replace(form, heart_ratio=(0.54, 0.60, 0.67)[grade - 1] + random.uniform(-0.015, 0.015))
    if finding.condition == "enlarged cardiomediastinum":
        return replace(form, mediastinum=(0.185, 0.23, 0.28)[grade - 1])
    if finding.condition == "edema":
        return replace(form, vessel_gain=(1.25, 1.45, 1.7)[grade - 1])
    if finding.condition == "aorta":
        return replace(form, aorta=(0.5, 0.8, 1.1)[grade - 1])
    if finding.condition == "bone/spine":
        bend = random.choice([-1.0, 1.0]) * (0.0, 0.035, 0.06)[grade - 1]
        return replace(form, spurs=(0.8, 1.0, 1.2)[grade - 1], curve=bend)
    if finding.condition == "hemidiaphragm":
        lift = (0.12, 0.18, 0.24)[grade - 1]
        if finding.side == "left":
            return replace(form, left_dome=form.left_dome - lift)
        return replace(form, right_dome=form.right_dome - lift)
    if finding.condition == "lung volume abnormal":
        fall = -0.05 - 0.05 * grade if finding.kind == "low" else 0.03 + 0.03 * grade
        height = form.dome_height * (1.15 if finding.kind == "low" else 0.45)
        return replace(form, right_dome=form.right_dome + fall, left_dome=form.left_dome + fall, dome_height=height)
    if finding.condition == "fracture":
        return replace(form, breaks=tuple(_breaks(thorax, finding, random)))
    return form


def _breaks(thorax: Thorax, finding: Finding, random: np.random.Generator) -> Iterator[RibBreak]:
    side = SIDES[finding.side][0]
    first = int(random.integers(3, 5))
    at = random.uniform(0.55, 0.75)
    for offset in range(finding.severity + 1):
        drop = 0.40 * thorax.rib_spacing
        yield RibBreak(side, first + offset, at + random.uniform(-0.03, 0.03), drop)


def _place(layers: Layers, side: float, zone: str, random: np.random.Generator) -> tuple[float, float]:
    """A position in the given zone of one lung."""
    y = random.uniform(*ZONES[zone])
    rise = np.clip((0.45 - y) / (0.45 - layers.thorax.apex), 0.0, 1.0)
    half = layers.thorax.half_width * float(np.sqrt(1.0 - rise * rise))
    inner = 0.52 if side < 0 else 0.60
    return side * half * random.uniform(inner, 0.74), y


def _spot(layers: Layers, x: float, y: float, wide: float, tall: float) -> Field:
    """Squared distance from (x, y) in units of the half-axes, (H, W)."""
    return ((layers.frame.x - x) * (1.0 / wide)) ** 2 + ((layers.frame.y - y) * (1.0 / tall)) ** 2


def _add(layers: Layers, amount: Field) -> Mask:
    layers.attenuation += amount
    return np.asarray(amount > VISIBLE)


def _cardiomegaly(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    return np.asarray(layers.heart > 0.05)


def _enlarged_mediastinum(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    return np.asarray((layers.mediastinum > 0.05) & (layers.frame.y > -0.62) & (layers.frame.y < 0.0))


def _opacity(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    """A vague haze without a pattern."""
    amount = np.zeros(layers.frame.shape, np.float32)
    for side in SIDES[finding.side]:
        x, y = _place(layers, side, finding.zone, random)
        spot = _spot(layers, x, y, random.uniform(0.15, 0.20), random.uniform(0.13, 0.18))
        amount += (0.70, 0.95, 1.15)[finding.severity - 1] * np.exp(-spot) * layers.air
    layers.vessels *= 1.0 - 0.5 * np.minimum(amount, 1.0)
    return _add(layers, amount)


def _lesion(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    """Round nodules with a sharp border; severity is size."""
    amount = np.zeros(layers.frame.shape, np.float32)
    for side in SIDES[finding.side]:
        x, y = _place(layers, side, finding.zone, random)
        radius = (0.050, 0.072, 0.10)[finding.severity - 1]
        amount += 1.0 * dome(_spot(layers, x, y, radius, radius * random.uniform(0.9, 1.1)))
    return _add(layers, amount * np.minimum(2 * layers.air, 1.0))


def _edema(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    """Perihilar haze of both lungs and short septal (Kerley B) lines at the bases."""
    strength = (0.18, 0.32, 0.50)[finding.severity - 1]
    haze = np.zeros(layers.frame.shape, np.float32)
    for side in SIDES["bilateral"]:
        haze += np.exp(-_spot(layers, layers.centre + side * 0.26, -0.05, 0.22, 0.30))
    amount = strength * haze * (1.0 + 0.22 * layers.frame.cloud(random, 22)) * layers.air
    mask = _add(layers, amount)
    lines = np.zeros(layers.frame.shape, np.float32)
    for side in SIDES["bilateral"]:
        for level in np.linspace(0.0, 0.26, 5 + 2 * finding.severity):
            outer = side * (layers.thorax.half_width - 0.05) * random.uniform(0.92, 0.97)
            inner = outer - side * random.uniform(0.08, 0.13)
            line = np.array([[outer, level], [inner, level + random.normal(0, 0.006)]])
            lines += layers.frame.stroke(line, 0.008, 0.45)
    layers.attenuation += lines * np.minimum(layers.air * 2, 1.0)
    return mask


def _consolidation(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    """A dense lobe with a straight fissure as its edge and dark bronchi within it."""
    amount = np.zeros(layers.frame.shape, np.float32)
    for side in SIDES[finding.side]:
        x, y = _place(layers, side, finding.zone, random)
        wide = (0.15, 0.20, 0.25)[finding.severity - 1]
        ragged = 0.25 * layers.frame.cloud(random, 12)
        lobe = step(1.2 + ragged - _spot(layers, x, y, wide, wide * 0.9), 0.6)
        edge = y - wide * 0.5 if finding.zone == "lower" else y + wide * 0.5
        slope = layers.frame.y - edge + 0.25 * side * (layers.frame.x - x)
        lobe *= step(slope if finding.zone == "lower" else -slope, 0.025)
        lobe *= 1.0 + 0.12 * layers.frame.cloud(random, 30)
        dark = np.zeros(layers.frame.shape, np.float32)
        root = np.array([side * 0.16, -0.06])
        for angle in (-0.5, -0.15, 0.2, 0.55):
            tip = np.array([x + side * 0.8 * wide * np.cos(angle), y + wide * np.sin(angle * 2)])
            dark += layers.frame.stroke(np.stack([root, (root + tip) / 2 + random.normal(0, 0.01, 2), tip]), 0.016, 0.6)
        amount += (0.95, 1.10, 1.25)[finding.severity - 1] * lobe * np.clip(1.0 - 0.6 * dark, 0.3, 1.0) * layers.air
    layers.vessels *= 1.0 - np.minimum(amount, 1.0)
    return _add(layers, amount)


def _pneumonia(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    """Ill-defined patches scattered over a segment."""
    amount = np.zeros(layers.frame.shape, np.float32)
    for side in SIDES[finding.side]:
        x, y = _place(layers, side, finding.zone, random)
        reach = (0.17, 0.21, 0.26)[finding.severity - 1]
        patches = step(layers.frame.cloud(random, 26) + 0.3, 2.2)
        segment = np.exp(-0.8 * _spot(layers, x, y, reach, reach) ** 2)
        amount += (0.75, 0.95, 1.15)[finding.severity - 1] * patches * segment
    return _add(layers, amount * layers.air)


def _atelectasis(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    """Plate-like bands across the lung base."""
    amount = np.zeros(layers.frame.shape, np.float32)
    for side in SIDES[finding.side]:
        top = (layers.form.right_dome if side < 0 else layers.form.left_dome) - 0.07
        for band in range(finding.severity + 1):
            x = side * random.uniform(0.38, 0.46)
            y, angle = top - 0.075 * band + random.normal(0, 0.008), side * random.uniform(-0.40, 0.15)
            cosine, sine = math.cos(angle), math.sin(angle)
            along = cosine * (layers.frame.x - x) + sine * (layers.frame.y - y)
            off = cosine * (layers.frame.y - y) - sine * (layers.frame.x - x)
            amount += 0.65 * dome((off / 0.017) ** 2) * step(random.uniform(0.13, 0.19) - np.abs(along), 0.10)
    return _add(layers, amount * np.minimum(layers.air * 2, 1.0))


def _pneumothorax(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    """Air outside the visceral line: no vessels beyond it."""
    side = SIDES[finding.side][0]
    gap = (0.14, 0.22, 0.34)[finding.severity - 1]
    line = 1.0 - gap * (0.45 + 0.8 * np.clip(0.25 - layers.frame.y, 0.0, 1.0))
    beyond = (layers.across - line) * layers.half
    here = (layers.side_sign == side).astype(np.float32) * np.minimum(2 * layers.air, 1.0)
    free = step(beyond, 0.02) * here
    layers.vessels *= 1.0 - free
    layers.attenuation -= 0.22 * free
    layers.attenuation += 0.14 * (1.0 - step(beyond, 0.02)) * here * layers.air
    layers.attenuation += 0.55 * dome((beyond / 0.014) ** 2) * here
    return np.asarray((free > 0.5) | ((np.abs(beyond) < 0.014) & (here > 0.5)))


def _effusion(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    """Fluid that blunts the costophrenic angle and climbs along the wall as a meniscus."""
    amount = np.zeros(layers.frame.shape, np.float32)
    for side in SIDES[finding.side]:
        top = layers.form.right_dome if side < 0 else layers.form.left_dome
        height = (0.20, 0.34, 0.52)[finding.severity - 1] * random.uniform(0.93, 1.07)
        angle = top + layers.form.dome_height
        surface = angle - height * (0.45 + 0.55 * np.square(np.square(layers.across)))
        fluid = step(layers.frame.y - surface, 0.03) * (layers.side_sign == side) * step(layers.across - 0.12, 0.24)
        amount += 1.35 * fluid * layers.air
        layers.vessels *= 1.0 - fluid
    return _add(layers, amount)


def _pleural_other(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    """A thickened pleura along the wall with flecks of calcium."""
    amount = np.zeros(layers.frame.shape, np.float32)
    for side in SIDES[finding.side]:
        depth = (1.0 - layers.across) * layers.half
        thick = (0.035, 0.05, 0.065)[finding.severity - 1]
        rind = step(thick - depth, 0.015) * step(0.30 - np.abs(layers.frame.y + 0.1), 0.1) * (layers.side_sign == side)
        flecks = step(layers.frame.cloud(random, 60) - 0.3, 0.4)
        amount += rind * (0.7 + 1.0 * flecks) * np.minimum(layers.air * 3, 1.0)
    return _add(layers, amount)


def _fracture(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    mask = np.zeros(layers.frame.shape, np.bool_)
    for item in layers.form.breaks:
        away = np.abs(layers.across - item.at) * layers.half
        broken = (layers.rib_index == item.rib) & (layers.side_sign == item.side)
        # The overlapping ends of the fragments are denser than the rib.
        layers.attenuation += 0.3 * (broken & (away < 0.035) & (layers.rib > 0.10))
        mask |= broken & (away < 0.07)
    return mask


def _support_devices(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    amount = np.zeros(layers.frame.shape, np.float32)
    for kind in finding.kind.split(", "):
        amount += DEVICES[kind](layers, SIDES[finding.side][0] or 1.0, random)
    # Metal is opaque: overlapping devices get no brighter.
    return _add(layers, np.minimum(amount, 1.6))


def _aorta(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    return np.asarray((layers.mediastinum > 0.05) & (layers.frame.x > layers.centre))


def _spine_mask(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    return np.asarray((np.abs(layers.frame.x) < 0.13) & (layers.frame.y > -0.4))


def _domes(layers: Layers, finding: Finding, random: np.random.Generator) -> Mask:
    below = np.abs(layers.frame.y - layers.floor) < 0.06
    sides = np.isin(layers.side_sign, SIDES[finding.side])
    return np.asarray(below & sides & (layers.across < 0.99))


MARKS: dict[str, Callable[[Layers, Finding, np.random.Generator], Mask]] = {
    "enlarged cardiomediastinum": _enlarged_mediastinum,
    "cardiomegaly": _cardiomegaly,
    "lung opacity": _opacity,
    "lung lesion": _lesion,
    "edema": _edema,
    "consolidation": _consolidation,
    "pneumonia": _pneumonia,
    "atelectasis": _atelectasis,
    "pneumothorax": _pneumothorax,
    "pleural effusion": _effusion,
    "pleural other": _pleural_other,
    "fracture": _fracture,
    "support devices": _support_devices,
    "aorta": _aorta,
    "bone/spine": _spine_mask,
    "hemidiaphragm": _domes,
    "lung volume abnormal": _domes,
}
