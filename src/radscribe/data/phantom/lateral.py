"""Draws the lateral view: the same patient and findings from the left side, the sternum at the image's left."""

from __future__ import annotations

import numpy as np

from radscribe.data.phantom.anatomy import Thorax
from radscribe.data.phantom.cohort import Finding
from radscribe.data.phantom.exposure import Field, Frame, Pose, dome, step


def lateral_attenuation(
    thorax: Thorax, findings: tuple[Finding, ...], pose: Pose, frame: Frame, random: np.random.Generator
) -> Field:
    """Line integrals (H, W) through the chest from side to side; x grows from front to back."""
    x, y = frame.x, frame.y
    held = {finding.condition: finding for finding in findings}
    middle = 0.02 + 0.10 * y
    trunk = 0.66 + 0.10 * step(y + 0.3, 0.8) - 0.22 * step(-0.72 - y, 0.3)
    attenuation = 2.5 * thorax.habitus * dome(((x - middle) / trunk) ** 2)
    rise = np.clip((0.5 - y) / (0.5 - thorax.apex), 0.0, 1.0)
    half = np.maximum(0.54 * np.sqrt(1.0 - rise * rise * rise), 1e-3)
    across = np.clip((x - middle) / half, -1.0, 1.0)
    floor = thorax.right_dome + pose.inspiration + 0.10 * across + 0.20 * across * across
    depth = dome(np.square(np.square(across))) * (rise < 1.0)
    air = depth * step(floor - y, 0.03)
    attenuation -= 0.95 * (air + depth * step(floor + 0.05 - y, 0.03))

    size = (0.0, 0.06, 0.10, 0.14)[held["cardiomegaly"].severity] if "cardiomegaly" in held else 0.0
    lean = 0.35 * (y - 0.2)
    heart = ((x + 0.16 + lean) / (0.25 + size)) ** 2 + ((y - 0.20) / (0.27 + 0.6 * size)) ** 2
    attenuation += 0.75 * dome(heart) * step(floor + 0.05 - y, 0.1)
    wide = 1.6 if "enlarged cardiomediastinum" in held else 1.0
    attenuation += 0.35 * wide * np.exp(-(((x - 0.02) / (0.16 * wide)) ** 2)) * step(-0.05 - y, 0.4)
    attenuation -= 0.40 * dome(((x - 0.04 - 0.12 * (y + 0.3)) / 0.035) ** 2) * step(-0.15 - y, 0.1)
    attenuation += 0.35 * np.exp(-(((x - 0.08) / 0.08) ** 2) - ((y + 0.12) / 0.09) ** 2)

    column = x - 0.46 - 0.12 * np.cos(1.7 * (y - 0.1)) + 0.06
    disc = 0.5 + 0.5 * np.cos(y * (2 * np.pi / 0.14))
    attenuation += 0.55 * (0.45 + 0.55 * step(disc - 0.25, 0.3)) * np.sqrt(dome((column / 0.075) ** 2))
    bone = x - middle + half + 0.02
    attenuation += 0.5 * dome((bone / 0.03) ** 2) * step(0.35 - y, 0.1) * step(y + 0.6, 0.1)
    phase = (y + 0.30 * across - 0.35 * across * across) / thorax.rib_spacing + thorax.rib_phase
    offset = (phase - np.floor(phase) - 0.5) * thorax.rib_spacing
    attenuation += 0.16 * dome((offset / 0.03) ** 2) * step(0.98 - np.abs(across), 0.04) * step(0.6 - y, 0.3)
    for finding in findings:
        attenuation += _mark(finding, frame, across, floor, air, random)
    return np.asarray(attenuation, dtype=np.float32)


def _mark(
    finding: Finding, frame: Frame, across: Field, floor: Field, air: Field, random: np.random.Generator
) -> Field:
    """The attenuation (H, W) that a finding adds in the lateral view; 0 for findings without their own lateral sign."""
    x, y, grade = frame.x, frame.y, finding.severity
    if finding.condition == "pleural effusion":
        surface = 0.62 - 0.12 * grade - 0.22 * across**2 + 0.12 * (1.0 - across)
        return 0.9 * step(y - surface, 0.03) * air
    if finding.condition in ("lung opacity", "pneumonia", "consolidation", "lung lesion"):
        level = {"upper": -0.40, "mid": -0.10, "lower": 0.16}[finding.zone]
        depth = random.uniform(-0.15, 0.30)
        reach = 0.04 + 0.02 * grade if finding.condition == "lung lesion" else 0.12 + 0.03 * grade
        spot = ((x - depth) ** 2 + (y - level) ** 2) / reach**2
        shade = dome(spot) if finding.condition == "lung lesion" else np.exp(-spot)
        return np.asarray(0.7 * shade * air, dtype=np.float32)
    if finding.condition == "edema":
        haze = np.exp(-((x - 0.06) ** 2 + (y + 0.08) ** 2) / 0.08)
        return np.asarray(0.25 * grade * haze * (1.0 + 0.2 * frame.cloud(random, 22)) * air, dtype=np.float32)
    if finding.condition == "atelectasis":
        band = y - floor + 0.10 - 0.15 * (x - 0.1)
        return 0.4 * dome((band / 0.018) ** 2) * step(0.22 - np.abs(x - 0.1), 0.05)
    if finding.condition == "support devices":
        share = np.linspace(0.0, 1.0, 30)
        wire = np.stack([0.05 * np.sin(5.0 * share) - 0.12 * share, 1.1 * share - 0.9], axis=1)
        return frame.stroke(wire, 0.016, 1.0)
    return np.zeros(frame.shape, np.float32)
