"""Models the frontal projection of a parametric thorax, before any lesion is added."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from radscribe.data.phantom.exposure import Field, Frame, Pose, dome, step

# Attenuation along the beam at the thickest point of each tissue (dimensionless, base e).
LUNG_AIR = 1.45
HEART = 1.15
RIB = 0.36
SPINE = 0.34


@dataclass(frozen=True)
class Thorax:
    """One patient's build, the same at every visit; lengths in thorax units."""

    half_width: float
    apex: float
    right_dome: float
    left_dome: float
    dome_height: float
    heart_ratio: float  # half-width of the heart over that of the thorax
    heart_lean: float
    mediastinum: float
    knob: float
    rib_spacing: float
    rib_phase: float
    rib_slope: float
    clavicle: float
    habitus: float  # factor on the attenuation of the trunk
    breast: float
    bubble: float
    trachea: float
    vessels: NDArray[np.float64]  # points (N, 2)
    vessel_weights: NDArray[np.float64]  # (N)


@dataclass(frozen=True)
class RibBreak:
    """A posterior rib (counted from the top) that is ``drop`` lower beyond ``at``, as a fraction of ``across``."""

    side: float
    rib: int
    at: float
    drop: float


@dataclass(frozen=True)
class Form:
    """The shape of the thorax on one film, with what findings change in it; lengths in thorax units."""

    heart_ratio: float
    mediastinum: float
    right_dome: float
    left_dome: float
    dome_height: float
    vessel_gain: float = 1.0
    aorta: float = 0.0
    spurs: float = 0.0
    curve: float = 0.0
    breaks: tuple[RibBreak, ...] = ()


@dataclass
class Layers:
    """The film under construction; every ``Field`` is (H, W)."""

    frame: Frame
    thorax: Thorax
    form: Form
    attenuation: Field  # lesions add to it
    vessels: Field  # attenuation of the lung vessels, which lesions reduce
    across: Field  # 0 at the midline to 1 at the inner chest wall
    half: Field  # half-width of the thorax
    air: Field  # thickness of aerated lung
    floor: Field  # y of the diaphragm
    heart: Field  # depth of the heart
    mediastinum: Field  # depth of the great vessels
    rib: Field  # attenuation of the ribs
    rib_index: Field  # posterior rib, counted from the top
    centre: float  # x of the midline structures
    side_sign: Field = field(repr=False)  # -1 on the patient's right, 1 on the left


def sample_thorax(random: np.random.Generator) -> Thorax:
    """A random patient's build."""
    female = random.random() < 0.48
    right_dome = random.uniform(0.30, 0.42)
    vessels, weights = _vessel_tree(random)
    return Thorax(
        half_width=random.uniform(0.66, 0.76),
        apex=random.uniform(-0.80, -0.72),
        right_dome=right_dome,
        left_dome=right_dome + random.uniform(0.03, 0.08),
        dome_height=random.uniform(0.17, 0.24),
        heart_ratio=random.uniform(0.39, 0.47),
        heart_lean=random.uniform(0.25, 0.55),
        mediastinum=random.uniform(0.105, 0.135),
        knob=random.uniform(0.055, 0.08),
        rib_spacing=random.uniform(0.125, 0.15),
        rib_phase=random.uniform(0.0, 1.0),
        rib_slope=random.uniform(0.14, 0.30),
        clavicle=random.uniform(-0.64, -0.56),
        habitus=random.uniform(0.9, 1.35),
        breast=random.uniform(0.10, 0.32) if female else 0.0,
        bubble=random.uniform(0.0, 0.8),
        trachea=random.normal(0.0, 0.012),
        vessels=vessels,
        vessel_weights=weights,
    )


def plain_form(thorax: Thorax, pose: Pose) -> Form:
    """The shape of the thorax without findings, at the inspiration of ``pose``."""
    return Form(
        heart_ratio=thorax.heart_ratio,
        mediastinum=thorax.mediastinum,
        right_dome=thorax.right_dome + pose.inspiration,
        left_dome=thorax.left_dome + pose.inspiration,
        dome_height=thorax.dome_height,
    )


def compose(thorax: Thorax, form: Form, pose: Pose, frame: Frame) -> Layers:
    """The frontal projection of a thorax without focal lesions."""
    x, y = frame.x, frame.y
    distance = np.abs(x)
    sign = np.sign(x)
    base = 0.45
    rise = np.clip((base - y) / (base - thorax.apex), 0.0, 1.0)
    half = np.maximum(thorax.half_width * np.sqrt(1.0 - rise * rise * (0.45 + 0.55 * rise)), 1e-3)
    across = np.minimum(distance / half, 1.0)
    floor = form.right_dome + (form.left_dome - form.right_dome) * step(x, 0.3)
    floor += form.dome_height * ((distance - 0.33) * (1 / 0.38)) ** 2
    flat = across * across
    air = dome(flat * flat) * step(floor - y, 0.03) * (rise < 1.0)
    trunk = np.clip(0.29 + 2.6 * np.clip(y + 0.93, 0.0, None), 0.0, 0.97 - 0.07 * step(y + 0.25, 0.5))
    trunk_depth = dome((x / trunk) ** 2)
    attenuation = 2.15 * thorax.habitus * trunk_depth * (0.45 + 0.55 * step(y + 0.75, 0.5))
    attenuation *= 1.0 + 0.08 * pose.turn * x
    # The upper abdomen, with the liver on the right, then the air bubble of the stomach on the left.
    below = step(y - form.left_dome - 0.10, 0.5)
    attenuation += below * (0.30 - 0.10 * step(x - 0.1, 0.4))
    level = form.left_dome + 0.13
    box = frame.window(0.2, 0.52, level - 0.08, level + 0.08)
    bubble = ((x[box] - 0.36) * (1 / 0.15)) ** 2 + ((y[box] - level) * (1 / 0.07)) ** 2
    attenuation[box] -= 0.75 * thorax.bubble * dome(bubble)
    attenuation -= LUNG_AIR * air * np.minimum(trunk_depth * 1.15, 1.0)

    centre = 0.05 * pose.turn
    heart, mediastinum = _mediastinum(thorax, form, frame, centre)
    middle = np.maximum(heart, mediastinum)
    attenuation += HEART * middle * (0.35 + 0.65 * step(floor + 0.05 - y, 0.2))
    _spine(attenuation, thorax, form, frame, centre)
    rib, rib_index = _ribs(thorax, form, y, across, sign)
    attenuation += rib
    _girdle(attenuation, thorax, frame, distance, sign, pose)
    if thorax.breast:
        _breasts(attenuation, thorax, frame, distance)

    tree = frame.splat(thorax.vessels + np.array([centre, 0.0]), thorax.vessel_weights)
    vessels = 0.36 * form.vessel_gain * tree * np.minimum(air * 1.4, 1.0)
    # The left hilum is a little higher than the right.
    box = frame.window(centre - 0.4, centre + 0.4, -0.45, 0.25)
    beside, under = np.abs(x[box] - centre) - 0.17, y[box] + 0.10 + 0.03 * sign[box]
    attenuation[box] += 0.34 * np.exp(-((beside * (1 / 0.075)) ** 2) - (under * (1 / 0.12)) ** 2)
    return Layers(
        frame=frame,
        thorax=thorax,
        form=form,
        attenuation=attenuation.astype(np.float32),
        vessels=vessels,
        across=across,
        half=half,
        air=air * (1.0 - 0.6 * middle),
        floor=floor,
        heart=heart,
        mediastinum=mediastinum,
        rib=rib,
        rib_index=rib_index,
        centre=centre,
        side_sign=sign,
    )


def _breasts(attenuation: Field, thorax: Thorax, frame: Frame, distance: Field) -> None:
    box = frame.window(-0.75, 0.75, -0.2, 0.52)
    shade = ((distance[box] - 0.40) * (1 / 0.33)) ** 2 + ((frame.y[box] - 0.16) * (1 / 0.34)) ** 2
    attenuation[box] += thorax.breast * 1.3 * dome(shade) * step(frame.y[box] + 0.15, 0.5)


def _mediastinum(thorax: Thorax, form: Form, frame: Frame, centre: float) -> tuple[Field, Field]:
    """Depths of the heart and of the great vessels above it."""
    whole_heart, whole_great = np.zeros(frame.shape, np.float32), np.zeros(frame.shape, np.float32)
    box = frame.window(centre - 0.45, centre + 0.8, -1.5, 0.85)
    x, y = frame.x[box], frame.y[box]
    width = form.heart_ratio * thorax.half_width
    middle = centre + 0.44 * width - 0.02
    level = form.left_dome - 0.17
    lean_x = (x - middle) + thorax.heart_lean * 0.35 * (y - level)
    tall = 0.20 + 0.38 * width
    skew_x, skew_y = x - middle + 0.30 * (level - y), y - level + 0.12 * lean_x
    whole_heart[box] = dome((skew_x * (1 / width)) ** 2 + (skew_y * (1 / tall)) ** 2)

    spread = form.mediastinum
    flare = spread * (0.80 + 0.30 * step(y + 0.45, 0.4))
    great = 0.85 * dome(((x - centre) / flare) ** 2) * step(0.35 - y, 0.3)
    knob_x, knob_y = centre + spread - 0.1 * thorax.knob, -0.37
    radius = thorax.knob * (1 + 0.6 * form.aorta)
    great = np.maximum(great, 0.65 * dome(((x - knob_x) ** 2 + (y - knob_y) ** 2) * (1 / radius**2)))
    trunk = ((x - centre - spread + 0.01) * (1 / 0.10)) ** 2 + ((y + 0.15) * (1 / 0.17)) ** 2
    great = np.maximum(great, 0.55 * dome(trunk))
    if form.aorta:
        bow = centre + 0.06 + 0.17 * form.aorta * dome(((y - 0.05) / 0.5) ** 2)
        great = np.maximum(great, 0.6 * dome(((x - bow) / 0.09) ** 2) * step(0.35 - np.abs(y), 0.1))
    whole_great[box] = great
    return whole_heart, whole_great


def _spine(attenuation: Field, thorax: Thorax, form: Form, frame: Frame, centre: float) -> None:
    box = frame.window(-0.45, 0.45, -1.5, 1.5)
    attenuation, x, y = attenuation[box], frame.x[box], frame.y[box]
    bend = form.curve * np.sin(2.6 * y)
    offset = x - 0.3 * centre - bend
    disc = 0.5 + 0.5 * np.cos(y * (2 * np.pi / 0.115))
    wide = 0.078 + 0.012 * disc
    attenuation += (SPINE * (0.75 + 0.25 * disc)) * np.sqrt(dome((offset / wide) ** 2))
    if form.spurs:
        edge = np.exp(-(((np.abs(offset) - 0.095) / 0.022) ** 2))
        attenuation += 0.9 * form.spurs * edge * np.clip(disc - 0.45, 0.0, None) * step(y + 0.35, 0.2)
    # The trachea and the two main bronchi hold air.
    trachea = np.abs(x - centre - thorax.trachea) - np.clip(y + 0.28, 0.0, None) * 1.3
    attenuation -= 0.42 * dome((trachea / 0.036) ** 2) * step(-0.19 - y, 0.1)


def _ribs(thorax: Thorax, form: Form, y: Field, across: Field, sign: Field) -> tuple[Field, Field]:
    """Posterior and, fainter and steeper, anterior ribs; each is a hollow tube around a curve of constant phase."""
    inside = step(0.975 - across, 0.04) * step(y - thorax.apex - 0.02, 0.06)
    inside *= 0.3 + 0.7 * step(form.left_dome + 0.12 - y, 0.3)
    squared = across * across
    fall = thorax.rib_slope * squared - 0.16 * across * (1.0 - across)
    phase = (y - fall - thorax.apex) * np.float32(1.0 / thorax.rib_spacing) + thorax.rib_phase
    index = np.floor(phase)
    offset = (phase - index - 0.5) * thorax.rib_spacing
    gap = None
    for item in form.breaks:
        here = (index == item.rib) & (sign == item.side)
        offset = np.where(here & (across > item.at), offset - item.drop, offset)
        cut = here & (np.abs(across - item.at) < 0.022)
        gap = cut if gap is None else gap | cut
    posterior = _tube(offset, 0.031)
    if gap is not None:
        posterior = np.where(gap, 0.0, posterior)
    posterior *= step(across - 0.10, 0.06) * (0.8 + 0.7 * squared * squared * squared)

    climb = 0.55 * (1.0 - across) - 0.05
    front = (y - climb - thorax.apex) * np.float32(1.0 / (thorax.rib_spacing * 1.12)) + thorax.rib_phase + 0.3
    front_offset = (front - np.floor(front) - 0.5) * (thorax.rib_spacing * 1.12)
    anterior = 0.55 * _tube(front_offset, 0.036) * step(across - 0.45, 0.25) * step(0.35 - y, 0.2)
    return (RIB * inside * (posterior + anterior)).astype(np.float32), index


def _tube(offset: Field, radius: float) -> Field:
    squared = (offset / radius) ** 2
    return 1.25 * dome(squared) - 0.6 * dome(squared * 1.9)


def _girdle(attenuation: Field, thorax: Thorax, frame: Frame, distance: Field, sign: Field, pose: Pose) -> None:
    """Clavicles, shoulder blades and the heads of the arms, all in the upper part of the film."""
    box = frame.window(-1.3, 1.3, -1.0, 0.25)
    attenuation, y, distance, sign = attenuation[box], frame.y[box], distance[box], sign[box]
    reach = distance - 0.06 + 0.05 * pose.turn * sign
    course = thorax.clavicle - 0.20 * reach - 0.035 * np.sin(reach * 8.0)
    collar = _tube(y - course, 0.034) * step(reach, 0.03) * step(0.74 - distance, 0.06)
    attenuation += 0.38 * collar
    border = 0.68 - 0.14 * (y + 0.5)
    blade = step(distance - border, 0.02) * step(y + 0.72, 0.1) * step(0.02 - y, 0.25) * step(0.92 - distance, 0.1)
    attenuation += 0.16 * blade + 0.15 * np.exp(-(((distance - border) / 0.016) ** 2)) * blade
    attenuation += 0.75 * dome(((distance - 0.90) / 0.13) ** 2 + ((y + 0.66) / 0.12) ** 2)


def _vessel_tree(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (N, 2) and weights (N) of the branching lung vessels of both sides."""
    steps = np.linspace(0.0, 1.0, 22)[None, :, None]
    points, weights = [], []
    for side in (-1.0, 1.0):
        angles = np.linspace(-1.45, 1.35, 9) + random.normal(0.0, 0.10, 9)
        starts = np.stack([np.full(9, side * 0.14), -0.10 + 0.10 * np.sin(angles)], axis=1)
        length, weight, strands = 0.21, 1.0, 3
        for _ in range(4):
            lengths = length * random.uniform(0.75, 1.25, len(angles))
            turns = np.stack([side * np.cos(angles), np.sin(angles)], axis=1)
            bow = random.normal(0.0, 0.12, (len(angles), 1, 1)) * lengths[:, None, None] * (steps * (1 - steps))
            course = starts[:, None] + steps * (turns * lengths[:, None])[:, None] + bow * turns[:, None, ::-1]
            for strand in range(strands):
                offset = (strand - (strands - 1) / 2) * 0.006
                points.append((course + offset * turns[:, None, ::-1]).reshape(-1, 2))
                weights.append(np.full(course.shape[0] * course.shape[1], weight / np.sqrt(strands)))
            starts = np.repeat(course[:, -1], 2, axis=0)
            spread = np.tile([-0.38, 0.38], len(angles)) + random.normal(0.0, 0.15, 2 * len(angles))
            angles = np.repeat(angles, 2) + spread
            length, weight, strands = length * 0.78, weight * 0.62, max(1, strands - 1)
    return np.concatenate(points), np.concatenate(weights)
