"""Makes the films that a gate learns to refuse from good ones, and pictures that are no films."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from radscribe.imaging.crop import FilmConfig

Pixels = NDArray[np.uint8]

TURNS = {"turned left": 1, "upside down": 2, "turned right": 3}
# What ``spoiled`` can do to a film.
SPOILED = ("inverted", *TURNS, "mirrored")
PICTURES = ("shuffled", "cut", "cloud", "drawing")
# The side of the pictures made here, and of the views that ``seen`` gives of films.
WORK, SEEN = 128, 96
# How far ``seen`` turns a film (degrees), scales it (power of 2) and shifts it (share of its side), either way; how
# much (power of 2) it shortens one side, as a film of another shape is on its square.
TURN, ZOOM, SHIFT, SHORTEN = 7.0, 0.2, 0.06, 0.45


def spoiled(film: Pixels, kind: str) -> Pixels:
    """A film (``H x W``) turned, mirrored or with its greys inverted, as ``kind`` of ``SPOILED`` says."""
    if kind == "inverted":
        return np.asarray(255 - film)
    return np.rot90(film, TURNS[kind]) if kind in TURNS else film[:, ::-1]


def seen(film: Pixels, config: FilmConfig, random: np.random.Generator) -> Pixels:
    """A view of a film (``H x W -> 96 x 96``) as another source or another exposure might give it; a third stay plain.

    What lies outside the film is black.
    """
    side = film.shape[0]
    across = down = side * config.crop / config.resize / SEEN
    angle, right, below, table = 0.0, 0.0, 0.0, np.arange(256)
    if random.random() < 2 / 3:
        across, down = (step * 2 ** random.uniform(-ZOOM, ZOOM) for step in (across, down))
        shortened = 2 ** random.uniform(0, SHORTEN)
        across, down = ((across * shortened, down), (across, down * shortened), (across, down))[random.integers(3)]
        angle = math.radians(random.uniform(-TURN, TURN))
        right, below = random.uniform(-SHIFT, SHIFT, 2) * side
        darkest, brightest = random.uniform(0, 0.15) * 255, random.uniform(0.75, 1) * 255
        table = np.clip((table - darkest) / (brightest - darkest), 0, 1) * 255
    cosine, sine, middle = math.cos(angle), math.sin(angle), SEEN / 2
    # Pillow asks for where each pixel of the view comes from: x' = a x + b y + c, y' = d x + e y + f.
    a, b, d, e = across * cosine, -down * sine, across * sine, down * cosine
    c, f = side / 2 + right - (a + b) * middle, film.shape[1] / 2 + below - (d + e) * middle
    picture = Image.fromarray(np.ascontiguousarray(film))
    view = picture.transform((SEEN, SEEN), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR)
    return np.asarray(table.astype(np.uint8)[np.asarray(view)])


def picture_of(film: Pixels, kind: str, random: np.random.Generator) -> Pixels:
    """A picture (128 x 128) that is no chest film: one of ``PICTURES``, of pieces of ``film`` (H x W) or of nothing."""
    if kind == "shuffled":
        return _shuffled(film, int(random.integers(2, 7)), random)
    if kind == "cut":  # as little of a chest as a film of another part of the body may show
        side = round(min(film.shape) * random.uniform(0.2, 0.5))
        top, left = (int(random.integers(length - side + 1)) for length in film.shape)
        return _scaled(np.rot90(film[top : top + side, left : left + side], int(random.integers(4))))
    return _cloud(random) if kind == "cloud" else _drawing(random)


def _shuffled(film: Pixels, count: int, random: np.random.Generator) -> Pixels:
    """``count`` x ``count`` tiles of the film in another order."""
    side = min(film.shape) // count
    tiles = film[: side * count, : side * count].reshape(count, side, count, side).swapaxes(1, 2)
    mixed = tiles.reshape(-1, side, side)[random.permutation(count * count)].reshape(tiles.shape)
    return _scaled(mixed.swapaxes(1, 2).reshape(side * count, side * count))


def _cloud(random: np.random.Generator) -> Pixels:
    """Noise with a spectrum as photographs have it: from grain to smooth clouds."""
    waves = np.hypot(np.fft.fftfreq(WORK)[:, None], np.fft.fftfreq(WORK))
    waves[0, 0] = 1 / WORK
    spectrum = np.fft.fft2(random.normal(size=(WORK, WORK))) * waves ** -random.uniform(0.0, 2.5)
    field = np.fft.ifft2(spectrum).real
    field = (field - field.mean()) / field.std()
    return np.asarray(np.clip(128 + random.uniform(30, 90) * field, 0, 255), dtype=np.uint8)


def _drawing(random: np.random.Generator) -> Pixels:
    """Ellipses and rectangles of one grey each, half of them on black, half of them out of focus."""
    picture = Image.new("L", (WORK, WORK), int(random.integers(256) * random.integers(2)))
    pen = ImageDraw.Draw(picture)
    for _ in range(random.integers(1, 25)):
        left, top = random.integers(-WORK // 5, WORK, 2).tolist()
        width, height = random.integers(2, WORK * 4 // 5, 2).tolist()
        draw = (pen.ellipse, pen.rectangle)[random.integers(2)]
        draw((left, top, left + width, top + height), fill=int(random.integers(256)))
    blur = float(random.uniform(1, WORK / 6) * random.integers(2))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(blur)))


def _scaled(picture: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((WORK, WORK), Image.Resampling.BILINEAR))
