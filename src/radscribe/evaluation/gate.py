"""Measures a gate: how well it knows films that were spoiled on purpose from those it should let through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import RadscribeError
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.gate import BLANK, MIRRORED, READABLE, Gate, Judgement
from radscribe.imaging.crop import FilmConfig, centre_crop
from radscribe.metrics.areas import roc_area
from radscribe.training.gate_films import PICTURES, SPOILED, picture_of, spoiled

Pixels = NDArray[np.uint8]

GOOD = "good"
# Shares of the good films that a gate might refuse.
GOOD_REFUSED = (0.005, 0.01, 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class GateRow:
    """What a gate makes of the films of one kind."""

    kind: str
    films: int
    # Area under the ROC curve of these films against the good ones; None for the good ones themselves.
    area: float | None
    refused: float  # share
    warned: float  # share
    odds: NDArray[np.float64]  # of each film, that it is readable, logarithms; of a blank one minus infinity


def gate_table(
    gate: Gate,
    dataset: PreparedDataset,
    film: FilmConfig,
    split: str = "test",
    seed: int = 0,
) -> list[GateRow]:
    """A row for the good films of ``split``, for each way to spoil them, for its lateral films and for no films at all.

    Raises ``RadscribeError`` where the split has no frontal film.
    """
    random = np.random.default_rng(seed)
    studies = dataset.split(split)
    good = [dataset.film(study) for study in studies if study.frontal.view != "lateral"]
    if not good:
        raise RadscribeError(f"{dataset.folder}: the split {split} has no frontal films to judge")
    laterals = [dataset.pixels[view.image_index] for each in studies for view in each.views if view.view == "lateral"]
    judged = {GOOD: _judged(gate, good, film), "lateral": _judged(gate, laterals, film)}
    for kind in SPOILED:
        judged[kind] = _judged(gate, (spoiled(each, kind) for each in good), film)
    judged["nearly blank"] = _judged(gate, (each // 64 + 100 for each in good), film)
    for kind in PICTURES:
        judged[kind] = _judged(gate, (picture_of(each, kind, random) for each in good), film)
    return [_row(kind, found, judged[GOOD]) for kind, found in judged.items() if found]


def coverage(rows: Sequence[GateRow]) -> list[tuple[float, float]]:
    """What a stricter gate would cost: each share of ``GOOD_REFUSED`` of the good films that it may refuse, with the
    share of all films that are not good (mirrored ones are) which it would then draft."""
    good = next(row.odds for row in rows if row.kind == GOOD)
    wrong = np.concatenate([row.odds for row in rows if row.kind not in (GOOD, MIRRORED)])
    return [(share, float(np.mean(wrong >= np.quantile(good, share)))) for share in GOOD_REFUSED]


def gate_text(rows: Sequence[GateRow]) -> str:
    """The rows as a table in Markdown, and below it how many wrong films a stricter gate would draft."""
    lines = ["| films | number | ROC area | refused | warned |", "|---|---:|---:|---:|---:|"]
    for row in rows:
        area = "" if row.area is None else f"{row.area:.3f}"
        lines.append(f"| {row.kind} | {row.films} | {area} | {row.refused:.1%} | {row.warned:.1%} |")
    found = coverage(rows)
    lines += [
        "",
        f"| good films drafted | {' | '.join(f'{1 - share:.1%}' for share, _ in found)} |",
        f"|---|{'---:|' * len(found)}",
        f"| films drafted that are not good | {' | '.join(f'{drafted:.1%}' for _, drafted in found)} |",
    ]
    return "\n".join(lines)


def _judged(gate: Gate, films: Iterable[Pixels], config: FilmConfig) -> list[Judgement]:
    # One by one, because the views of a large split are larger than memory.
    return [
        judgement for each in films for judgement in gate.judge(centre_crop(np.ascontiguousarray(each), config)[None])
    ]


def _row(kind: str, found: Sequence[Judgement], good: Sequence[Judgement]) -> GateRow:
    area = None
    if kind != GOOD:
        if kind == MIRRORED:
            signs = np.array([each.log_odds[MIRRORED] for each in (*found, *good)])
        else:
            signs = -_odds([*found, *good])
        area = roc_area(signs, np.arange(len(signs)) < len(found))
    refused = float(np.mean([bool(each.reasons) for each in found]))
    return GateRow(
        kind, len(found), area, refused, float(np.mean([bool(each.warnings) for each in found])), _odds(found)
    )


def _odds(judged: Sequence[Judgement]) -> NDArray[np.float64]:
    """The log odds of being readable; a blank film is as wrong as can be."""
    return np.array([-np.inf if BLANK in each.reasons else each.log_odds[READABLE] for each in judged])
