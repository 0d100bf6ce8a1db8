"""Measure how fast JPEG films become the squares that a dataset stores, beside Pillow decoding each film in full."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from radscribe.bench.rows import SpeedRow, seconds
from radscribe.core.errors import WrongUse
from radscribe.data.sources.phantom import phantom_source
from radscribe.imaging.film import fit, read_film
from radscribe.imaging.levels import Pixels

# A detector of MIMIC-CXR: rows and columns, and the JPEG quality of the published films.
DETECTOR = (3056, 2544)
QUALITY = 95
# Noise in grey levels of 255: with it a file is as large as the mean of MIMIC-CXR-JPG, 1.5 MB; without it decoding
# would be faster.
GRAIN = 1.6


def detector_films(count: int) -> list[bytes]:
    """JPEG files of ``count`` synthetic films at a detector's size, with noise."""
    random = np.random.default_rng(0)
    films = []
    for task in phantom_source(count, seed=0, lateral_share=0.0).studies(Path()):
        pixels = task.resolve().films[0].load(DETECTOR[0]).pixels
        large = np.asarray(Image.fromarray(pixels).resize(DETECTOR[::-1], Image.Resampling.BICUBIC), np.float32)
        grained = (large + random.normal(0, GRAIN, large.shape)).clip(0, 255).astype(np.uint8)
        file = BytesIO()
        Image.fromarray(grained).save(file, "JPEG", quality=QUALITY)
        films.append(file.getvalue())
    return films


def jpeg_files(folder: Path, most: int) -> list[bytes]:
    """The first ``most`` JPEG files below ``folder``; raises ``WrongUse`` where there is none."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))[:most]
    if not paths:
        raise WrongUse(f"{folder}: there is no JPEG file in it; leave out --images to measure synthetic films")
    return [path.read_bytes() for path in paths]


def measure(films: Sequence[bytes], size: int, repeats: int) -> SpeedRow:
    """Median seconds per film on one core, both ways, and how much the squares (``size`` x ``size`` pixels) differ."""
    ratios, ours_s, theirs_s = [], [], []
    ours: list[Pixels] = []
    theirs: list[Pixels] = []
    for _ in tqdm(range(repeats), desc="measuring", disable=None, leave=False):
        first, ours = seconds(lambda: [fit(read_film(film, "film", size).pixels, size) for film in films], 1)
        second, theirs = seconds(lambda: [_whole(film, size) for film in films], 1)
        ours_s.append(first / len(films))
        theirs_s.append(second / len(films))
        ratios.append(second / first)
    differences = np.abs(np.stack(ours).astype(int) - np.stack(theirs).astype(int))
    width, height = Image.open(BytesIO(films[0])).size
    return SpeedRow(
        part=f"a JPEG to {size} x {size}, one core",
        peer="Pillow, decoded whole",
        setting=f"{len(films)} films, the first {width} x {height}",
        ours_s=float(np.median(ours_s)),
        peer_s=float(np.median(theirs_s)),
        agreement=f"grey levels (0 to 255) differ by {differences.mean():.2f} in the mean, by at most "
        f"{np.percentile(differences, 99):.0f} in 99 %, {differences.max()} at the most",
        asked=1.8,
    )


def _whole(film: bytes, size: int) -> Pixels:
    with Image.open(BytesIO(film)) as image:
        return fit(np.array(image.convert("L")), size)
