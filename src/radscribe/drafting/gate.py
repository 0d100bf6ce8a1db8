"""Tells whether a film is one that the model can read, and if not, why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import rankdata
from torch import Tensor

from radscribe.core.errors import RadscribeError, WrongUse

Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]

SIDE = 32
# Along this many of the axes the squared distance counts by itself, up to the largest square.
SQUARES, LARGEST_SQUARE = 60, 30.0

READABLE, MIRRORED, OTHER = "readable", "mirrored", "other"
REASONS = {
    "lateral": "This looks like a lateral film; the model reads frontal ones.",
    "inverted": "The greys of this film look inverted; the model reads films on which bone is bright and air is dark.",
    "turned left": "This film looks turned by 90 degrees to the left; turn it upright.",
    "turned right": "This film looks turned by 90 degrees to the right; turn it upright.",
    "upside down": "This film looks upside down; turn it by 180 degrees.",
    OTHER: "This does not look like a frontal chest film; it is unlike the films that the model was trained on.",
}
BLANK = "This picture is nearly blank; there is nothing on it that the model could read."
MIRRORED_WARNING = (
    "The heart seems to lie on the patient's right: this film may be mirrored, so check its side marker before "
    "relying on left and right."
)


@dataclass(frozen=True)
class Judgement:
    """What the gate says of one film: a sentence for each reason to abstain, and for each warning."""

    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    # The log odds of each of the gate's kinds; that of "mirrored" is against upright films as they should be.
    log_odds: Mapping[str, float]
    # Standard deviation of the grey levels, 0 to 127.5, after pooling to 32 x 32.
    contrast: float


@dataclass(frozen=True, eq=False)
class Gate:
    """Logistic regressions on the ranks of a view's 32 x 32 grey levels and on their distance to the training films.

    Ranks do not change with exposure. F, the number of features, is as ``features`` makes them. Raises ``ValueError``
    where shapes or kinds do not fit.
    """

    # What the columns of ``weights`` tell apart: "readable", keys of ``REASONS``, "mirrored".
    kinds: tuple[str, ...]
    mean: Matrix  # 1024: the mean ranks of the readable training films
    axes: Matrix  # 1024 x P: their principal axes
    spread: Matrix  # P: their standard deviation along each
    weights: Matrix  # F x kinds
    bias: Matrix  # kinds
    # A film is refused where its log odds of being readable are below this,
    least_readable: float
    # or its contrast is below this;
    least_contrast: float
    # it draws a warning where its log odds of being mirrored are above this.
    most_mirrored: float

    def __post_init__(self) -> None:
        size, axes = self.axes.shape
        shapes = [value.shape for value in (self.mean, self.spread, self.weights, self.bias)]
        count = len(self.kinds)
        if size != SIDE * SIDE or shapes != [(size,), (axes,), (feature_count(axes), count), (count,)]:
            raise ValueError("the arrays of the gate do not fit together")
        if not {READABLE, MIRRORED, OTHER} <= set(self.kinds) <= {READABLE, MIRRORED, *REASONS}:
            raise ValueError("the gate tells kinds apart that are unknown here")

    def judge(self, views: Pixels) -> list[Judgement]:
        """What is wrong with each of B views (``B x H x W``, uint8, bright = dense, as ``Reporter.view`` gives them).

        The judgement of a view does not depend on the others. Raises ``WrongUse`` for another shape or type, or views
        smaller than 32 x 32.
        """
        return [self._judged(grey) for grey in pooled(views)]

    def log_odds(self, pooled_views: Floats) -> Floats:
        """The log odds of each of the ``kinds``, ``B x kinds``, for views as ``pooled`` gives them (``B x 1024``)."""
        found = features(ranks(pooled_views), self.mean, self.axes, self.spread)
        return np.asarray(found @ self.weights + self.bias)

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The arrays as tensors by name, and all else as what JSON can hold."""
        tensors = {name: torch.from_numpy(getattr(self, name).copy()) for name in _ARRAYS}
        return tensors, {"kinds": list(self.kinds), **{name: getattr(self, name) for name in _THRESHOLDS}}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Gate:
        """The gate of which ``to_tensors`` gave these; raises ``RadscribeError`` where they are not a gate's."""
        try:
            arrays: dict[str, Any] = {name: tensors[name].float().numpy() for name in _ARRAYS}
            thresholds: dict[str, Any] = {name: float(settings[name]) for name in _THRESHOLDS}
            return cls(tuple(settings["kinds"]), **arrays, **thresholds)
        except (KeyError, TypeError, ValueError) as error:
            raise RadscribeError(f"gate: not the arrays and thresholds of a gate ({error}); train again") from None

    def _judged(self, grey: Floats) -> Judgement:
        log_odds = dict(zip(self.kinds, self.log_odds(grey[None])[0].tolist(), strict=True))
        contrast = float(grey.std())
        reasons, warnings = [], []
        if contrast < self.least_contrast:
            reasons.append(BLANK)
        elif log_odds[READABLE] < self.least_readable:
            reasons.append(REASONS[self._likeliest(log_odds)])
        elif log_odds[MIRRORED] > self.most_mirrored:
            warnings.append(MIRRORED_WARNING)
        return Judgement(tuple(reasons), tuple(warnings), log_odds, contrast)

    def _likeliest(self, log_odds: Mapping[str, float]) -> str:
        """The kind to name for a refused film: one more likely than not, else "other"."""
        named = {kind: log_odds[kind] for kind in self.kinds if kind in REASONS and kind != OTHER}
        return max(named, key=lambda kind: named[kind]) if max(named.values()) > 0 else OTHER


_ARRAYS = ("mean", "axes", "spread", "weights", "bias")
_THRESHOLDS = ("least_readable", "least_contrast", "most_mirrored")


def pooled(views: Pixels) -> Floats:
    """Views (``B x H x W``, uint8) averaged to 32 x 32 and flattened, ``B x 1024``; raises ``WrongUse`` for others."""
    if views.ndim != 3 or min(views.shape[1:]) < SIDE or views.dtype != np.uint8:
        raise WrongUse(f"views of shape {views.shape} and type {views.dtype}; give B x H x W, uint8, {SIDE} a side")
    small = [np.asarray(Image.fromarray(view).resize((SIDE, SIDE), Image.Resampling.BOX)) for view in views]
    return np.asarray(small, dtype=np.float64).reshape(len(views), SIDE * SIDE)


def ranks(pooled_views: Floats) -> Floats:
    """The ranks of each view's grey levels (``B x 1024``), with mean 0 and standard deviation 1 (0 for a blank one)."""
    found = rankdata(pooled_views, axis=1)
    found -= found.mean(axis=1, keepdims=True)
    spread = found.std(axis=1, keepdims=True)
    return np.asarray(found / np.where(spread == 0, 1, spread))


def features(view_ranks: Floats, mean: Matrix, axes: Matrix, spread: Matrix) -> Floats:
    """What the regressions read, ``B x F``: where ``view_ranks`` (``B x 1024``) lie among the readable training films.

    The place along each of the P ``axes``; the squares of the first of them in units of ``spread``; the logarithm of
    the mean of all squares, and of what the axes leave over.
    """
    centred = view_ranks - mean
    places = centred @ axes
    squares = np.minimum((places / spread) ** 2, LARGEST_SQUARE)
    left_over = np.maximum((centred**2).sum(axis=1) - (places**2).sum(axis=1), 1) / centred.shape[1]
    distances = np.log(np.stack((squares.mean(axis=1) + 1e-9, left_over), axis=1))
    return np.concatenate((places, squares[:, :SQUARES], distances), axis=1)


def feature_count(axes: int) -> int:
    """F for this many axes."""
    return axes + min(axes, SQUARES) + 2
