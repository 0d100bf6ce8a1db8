"""Pixel baselines: logistic regression and nearest neighbour on films pooled to 32 x 32.

A report generator that does not beat these uses less than a brightness pattern.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import WrongUse
from radscribe.metrics.logistic import fit_logistic
from radscribe.metrics.significance import Floats

GRID, EDGE = 32, 2
FILMS_PER_BLOCK = 256


def predict(
    train_pixels: NDArray[np.number], train_targets: NDArray[np.bool_], test_pixels: NDArray[np.number]
) -> NDArray[np.bool_]:
    """The conditions (``M x C``) that one-vs-rest logistic regression predicts for films.

    Films are ``N x H x W`` and ``M x H x W`` grey levels, or pooled by ``pool``; targets are ``N x C``. Raises
    ``WrongUse`` as ``pool`` does.
    """
    return standardised_logistic(pool(train_pixels), train_targets, pool(test_pixels)) > 0


def at_the_edge(pooled: Floats) -> Floats:
    """Of films pooled to 32 x 32 the outer two rows and columns alone, one part in sixteen of a side: ``N x 240``."""
    inside = np.zeros((GRID, GRID), dtype=bool)
    inside[EDGE:-EDGE, EDGE:-EDGE] = True
    return np.asarray(pooled[:, ~inside.ravel()])


def standardised_logistic(train: Floats, targets: NDArray[np.bool_], test: Floats) -> Floats:
    """Margins ``M x C``, positive where a condition is predicted, of logistic regressions on standardised features.

    ``N x D``, ``N x C`` (targets), ``M x D``.
    """
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread[spread == 0] = 1
    weights, bias = fit_logistic((train - mean) / spread, targets)
    return np.asarray((test - mean) / spread @ weights + bias)


def nearest_by_pixels(train_pixels: NDArray[np.number], test_pixels: NDArray[np.number]) -> NDArray[np.int64]:
    """Index of the training film (``N x H x W``) nearest to each test film (``M x H x W``); ``M``.

    Cosine of the pooled films, each minus its own mean, so that neither exposure nor contrast decides.
    """
    train, test = _directions(pool(train_pixels)), _directions(pool(test_pixels))
    return np.concatenate([(rows @ train.T).argmax(axis=1) for rows in _blocks(test)])


def pool(pixels: NDArray[np.number]) -> Floats:
    """Films ``N x H x W`` averaged to 32 x 32 and flattened, ``N x 1024``; films already pooled stay as they are.

    Of sides that are not a multiple of 32 the last few rows or columns are dropped. Raises ``WrongUse`` for no films,
    or films smaller than 32 x 32.
    """
    if pixels.ndim == 2 and pixels.shape[1] == GRID * GRID:
        return np.asarray(pixels, dtype=np.float64)
    if pixels.ndim != 3 or min(pixels.shape[1:]) < GRID or not len(pixels):
        raise WrongUse(
            f"films of shape {pixels.shape}: too few or too small; give films x height x width, {GRID} a side"
        )
    height, width = (side // GRID for side in pixels.shape[1:])
    pixels = pixels[:, : height * GRID, : width * GRID]
    cells = (GRID, height, GRID, width)
    # Block by block, because the films may be a memory map larger than memory.
    pooled = [rows.reshape(-1, *cells).mean(axis=(2, 4), dtype=np.float64) for rows in _blocks(pixels)]
    return np.concatenate(pooled).reshape(len(pixels), GRID * GRID)


def _directions(features: Floats) -> Floats:
    """Rows minus their mean, at unit length; a blank film stays zero and is similar to none."""
    centred = features - features.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.where(length == 0, 1, length))


def _blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (rows[start : start + FILMS_PER_BLOCK] for start in range(0, len(rows), FILMS_PER_BLOCK))
