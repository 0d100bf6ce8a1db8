"""Fits the gate: good films, and the same films spoiled, teach it which ones the model can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radscribe.core.errors import RadscribeError
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.gate import MIRRORED, OTHER, READABLE, Floats, Gate, Matrix, features, pooled, ranks
from radscribe.imaging.crop import FilmConfig, centre_crop
from radscribe.metrics.logistic import fit_logistic
from radscribe.training.gate_films import PICTURES, SPOILED, WORK, picture_of, seen, spoiled

Pixels = NDArray[np.uint8]
Item = TypeVar("Item")

SMALLEST_VARIANCE = 1e-6
# With fewer films along an axis, their own spread says too little of that of others.
FILMS_PER_AXIS = 10
# Of the good validation films one in five hundred may have less than four times the least contrast.
RARE_CONTRAST = 0.002


@dataclass(frozen=True)
class GateConfig:
    """How a gate is fitted.

    Raises ``ValueError`` for values without a meaning.
    """

    # Most films taken from each dataset, and most made of each kind of wrong film.
    films: int = 1500
    # Principal axes of the readable films.
    axes: int = 200
    # Share of the good validation films that may be refused, and that may draw a warning.
    refused: float = 0.015
    # Log odds of being readable with which no film is refused, whatever validation says.
    enough: float = 0.5
    # Seed of everything drawn at random.
    seed: int = 0

    def __post_init__(self) -> None:
        if self.films < 1 or self.axes < 1 or not 0 <= self.refused < 1:
            raise ValueError("films and axes must be at least 1, refused within [0, 1)")


def fit_gate(
    dataset: PreparedDataset,
    film: FilmConfig,
    further: Sequence[PreparedDataset] = (),
    config: GateConfig | None = None,
) -> Gate:
    """A gate for a model that was trained on ``dataset`` and sees of a film what ``film`` says.

    Good are the films that the model reads, frontal or of unknown view, of ``dataset`` and of ``further`` ones (films
    with labels, say); lateral films teach it where the training split has any. Thresholds come from the good films of
    the validation splits. Raises ``RadscribeError`` where there are no good films to train on or to validate with.
    """
    config = config or GateConfig()
    random = np.random.default_rng(config.seed)
    sources = (dataset, *further)
    good = [small for source in sources for small in _drawn(source, _frontals(source, "train"), config.films, random)]
    held_out = [
        centre_crop(source.pixels[row], film)
        for source in sources
        for row in _some(_frontals(source, "validate"), config.films, random)
    ]
    if len(good) < 2 or not held_out:
        raise RadscribeError(f"{dataset.folder}: a gate needs frontal films to train on and to validate with")

    def view_ranks(films: Iterable[Pixels]) -> Floats:
        return ranks(pooled(np.stack([seen(each, film, random) for each in films])))

    def some() -> list[Pixels]:
        return _some(good, config.films, random)

    by_kind = {READABLE: view_ranks([*good, *good])}
    laterals = _drawn(dataset, _laterals(dataset), config.films, random)
    if laterals:  # a patient may stand with either side to the film
        by_kind["lateral"] = view_ranks(each[:, :: int(random.choice((-1, 1)))] for each in laterals)
    by_kind |= {kind: view_ranks(spoiled(each, kind) for each in some()) for kind in SPOILED}
    # Inverted after it was put on its square, a film has white around it; its ranks are those of the film, negative.
    by_kind["inverted"] = np.concatenate((by_kind["inverted"], -view_ranks(some()[: config.films // 2])))
    by_kind[OTHER] = np.concatenate(
        [view_ranks(picture_of(each, kind, random) for each in some()) for kind in PICTURES]
    )
    return _fitted(by_kind, pooled(np.stack(held_out)), config)


def _fitted(by_kind: Mapping[str, Floats], held_out: Floats, config: GateConfig) -> Gate:
    """The gate of the ranks of training views (``N x 1024``) of each kind, and of good pooled views (``M x 1024``)."""
    # A mirrored film is readable all the same; it is another regression that tells it from an upright one.
    readable = np.concatenate((by_kind[READABLE], by_kind[MIRRORED]))
    variances, vectors = np.linalg.eigh(np.cov((readable - readable.mean(axis=0)).T))
    count = max(1, min(config.axes, len(readable) // FILMS_PER_AXIS))
    mean, axes = _single(readable.mean(axis=0)), _single(vectors[:, ::-1][:, :count])
    spread = _single(np.sqrt(np.maximum(variances[::-1][:count], SMALLEST_VARIANCE)))

    found = features(np.concatenate(list(by_kind.values())), mean, axes, spread)
    kind_of = np.repeat(list(by_kind), [len(rows) for rows in by_kind.values()])
    center, scale = found.mean(axis=0), found.std(axis=0) + SMALLEST_VARIANCE
    found = (found - center) / scale
    wrong = [kind for kind in by_kind if kind not in (READABLE, MIRRORED)]
    upright = np.isin(kind_of, (READABLE, MIRRORED))
    weights, bias = fit_logistic(found, np.stack([upright, *(kind_of == kind for kind in wrong)], axis=1))
    side_weights, side_bias = fit_logistic(found[upright], (kind_of[upright] == MIRRORED)[:, None])
    weights = np.concatenate((weights, side_weights), axis=1) / scale[:, None]
    bias = np.concatenate((bias, side_bias)) - center @ weights

    kinds = (READABLE, *wrong, MIRRORED)
    gate = Gate(kinds, mean, axes, spread, _single(weights), _single(bias), 0.0, 0.0, 0.0)
    log_odds = gate.log_odds(held_out)
    # Of a few validation films it is at least one that may fail: it may be none that a model should read.
    lowest = float(np.quantile(log_odds[:, 0], config.refused, method="higher"))
    highest = float(np.quantile(log_odds[:, -1], 1 - config.refused, method="lower"))
    return replace(
        gate,
        least_readable=min(lowest, config.enough),
        least_contrast=float(np.quantile(held_out.std(axis=1), RARE_CONTRAST)) / 4,
        most_mirrored=max(highest, 0.0),
    )


def _single(array: Floats) -> Matrix:
    return np.ascontiguousarray(array, dtype=np.float32)


def _frontals(dataset: PreparedDataset, split: str) -> list[int]:
    """Rows of the films that a one-view model reads, without the studies that have lateral ones alone."""
    views = [study.frontal for study in dataset.split(split)]
    return [view.image_index for view in views if view.view != "lateral"]


def _laterals(dataset: PreparedDataset) -> list[int]:
    return [view.image_index for study in dataset.split("train") for view in study.views if view.view == "lateral"]


def _drawn(dataset: PreparedDataset, rows: Sequence[int], most: int, random: np.random.Generator) -> list[Pixels]:
    """Up to ``most`` of the films in ``rows``, made small (128 x 128), which is all that a gate looks at."""
    films = [Image.fromarray(dataset.pixels[row]) for row in _some(rows, most, random)]
    return [np.asarray(film.resize((WORK, WORK), Image.Resampling.BILINEAR)) for film in films]


def _some(items: Sequence[Item], most: int, random: np.random.Generator) -> list[Item]:
    return [items[place] for place in random.permutation(len(items))[:most]]
