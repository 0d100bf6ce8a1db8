"""Test a model's maps against the boxes that radiologists drew around findings on real films."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from radscribe.core.csv_files import read_csv
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.progress import progress
from radscribe.core.records import NOTICE, DraftSentence
from radscribe.core.version import __version__
from radscribe.drafting.evidence_maps import stated_map
from radscribe.drafting.reporter import Reporter
from radscribe.imaging.film import read_film
from radscribe.labels.conditions import CONDITIONS, POSITIVE
from radscribe.labels.rules import label_sentence
from radscribe.metrics.significance import Figure, Resampling, mean_of

FORMAT = "radscribe-boxes/1"
COLUMNS = ("image", "label", "x", "y", "w", "h")
# Findings of one condition that make a row of their own.
FEWEST = 10
OWN, OTHER, STATED, ATTENTION = (
    "map of the condition",
    "the same of another film",
    "map shown, where the draft states it",
    "attention, where the draft states it",
)


@dataclass(frozen=True)
class BoxedFinding:
    """A finding on a film, and the boxes around it: left, top, width and height in the film's pixels."""

    film: Path
    condition: int  # of the 18
    boxes: tuple[tuple[float, float, float, float], ...]


class Peak(NamedTuple):
    """Where the map of a finding peaks."""

    film: Path
    in_box: bool  # its cell's centre lies in a box
    share: float  # of the view, that lies in a box
    at_edge: bool


@dataclass(frozen=True)
class Hits:
    """How often maps peak in a box."""

    findings: int
    in_box: Figure  # share of the maps whose peak lies in a box
    chance: float  # mean share of the view that the boxes cover
    at_edge: float  # share of the maps that peak at the edge of the view


@dataclass(frozen=True)
class BoxTest:
    """The hits of each kind of map."""

    hits: Mapping[str, Hits]

    def to_dict(self) -> dict[str, Any]:
        """What the JSON file holds."""
        return {
            "format": FORMAT,
            "radscribe_version": __version__,
            "notice": NOTICE,
            "hits": {name: asdict(found) for name, found in self.hits.items()},
        }

    def markdown(self) -> str:
        """The table, a row for each kind of map."""
        lines = [
            "| maps | findings | peak in a box | chance | peak at the film's edge |",
            "|---|---:|---:|---:|---:|",
            *(
                f"| {name} | {found.findings} | {found.in_box} | {found.chance:.2f} | {found.at_edge:.2f} |"
                for name, found in self.hits.items()
            ),
        ]
        return "\n".join(lines) + "\n"


def read_boxes(table: Path, images: Path) -> tuple[list[BoxedFinding], int]:
    """The findings of a CSV table (image, label, x, y, w, h: pixels of the film), and how many rows name no condition.

    Rows of one film and one condition are one finding. Raises ``WrongUse`` for a table that cannot be read, a film that
    is not in ``images``, or a box that is no box.
    """
    found: dict[tuple[Path, int], list[tuple[float, float, float, float]]] = defaultdict(list)
    passed_over = 0
    for row in read_csv(table, COLUMNS):
        states = label_sentence(f"There is {row.cells['label'].strip().lower()}.")
        named = [condition for condition, state in enumerate(states) if state == POSITIVE]
        film = images / row.cells["image"].strip()
        if not film.is_file():
            raise WrongUse(f"{table}:{row.line}: {images} has no such film; name the films' folder with --images")
        try:
            left, top, width, height = (float(row.cells[name]) for name in COLUMNS[2:])
        except ValueError:
            raise WrongUse(f"{table}:{row.line}: x, y, w and h must be numbers") from None
        if not all(map(math.isfinite, (left, top, width, height))) or min(width, height) <= 0:
            raise WrongUse(f"{table}:{row.line}: a box needs a width and a height above 0")
        for condition in named:
            found[film, condition].append((left, top, width, height))
        passed_over += not named
    return [BoxedFinding(*key, tuple(boxes)) for key, boxes in found.items()], passed_over


def score_boxes(reporter: Reporter, findings: Sequence[BoxedFinding]) -> BoxTest:
    """Draft the films of ``findings`` and count whose maps peak in a box.

    Raises:
        RadscribeError: no findings, or a model that tells no conditions.
        RefusedFilm: a film that cannot be read.
    """
    if not findings:
        raise RadscribeError("no row of the boxes names a condition; labels are read as in a report")
    if reporter.system.model.state_head is None:
        raise RadscribeError(f"{reporter.system.config.name} tells no conditions: it has no maps of them")
    records: dict[str, list[Peak]] = defaultdict(list)
    maps: dict[int, list[tuple[Path, NDArray[np.float64], NDArray[np.bool_]]]] = defaultdict(list)
    by_film: dict[Path, list[BoxedFinding]] = defaultdict(list)
    for finding in findings:
        by_film[finding.film].append(finding)
    for path, own in progress(by_film.items(), "drafting", "film"):
        film = read_film(path)
        view = reporter.view(film.pixels)
        activations = reporter.activations(reporter.films([view]))
        assert activations is not None
        draft = reporter.drafts([view], [path.stem])[0]
        for finding in own:
            inside = reporter.view(_mask(film.pixels.shape, finding.boxes)) >= 128
            states = [POSITIVE if number == finding.condition else 0 for number in range(len(CONDITIONS))]
            alone = stated_map(activations[0], states)
            assert alone is not None
            values = np.array(alone.values)
            records[OWN].append(_peak(path, values, inside))
            maps[finding.condition].append((path, values, inside))
            for name, shown in _stated(draft.sentences, CONDITIONS[finding.condition]):
                records[name].append(_peak(path, shown, inside))
    kinds = [OWN]
    for condition, drawn in maps.items():
        for (path, values, inside), (other, others, _) in zip(drawn, drawn[1:] + drawn[:1], strict=True):
            if other != path:
                records[OTHER].append(_peak(path, others, inside))
            if len(drawn) >= FEWEST:
                records[f"{OWN}: {CONDITIONS[condition]}"].append(_peak(path, values, inside))
    kinds += [name for name in records if name.startswith(f"{OWN}: ")]
    return BoxTest({name: _hits(records[name]) for name in (*kinds, OTHER, STATED, ATTENTION) if records[name]})


def _stated(sentences: Iterable[DraftSentence], condition: str) -> list[tuple[str, NDArray[np.float64]]]:
    """The maps of the first sentence that states ``condition`` as present: that shown, and that of attention."""
    for sentence in sentences:
        if sentence.conditions.get(condition) in ("positive", "uncertain") and sentence.evidence:
            return [(STATED, np.array(sentence.evidence.values)), (ATTENTION, np.array(sentence.attention))]
    return []


def _mask(shape: Sequence[int], boxes: Iterable[tuple[float, float, float, float]]) -> NDArray[np.uint8]:
    """A picture of a film's ``shape`` (H x W), white inside the boxes."""
    mask = np.zeros(tuple(shape), np.uint8)
    for left, top, width, height in boxes:
        first_row, first_column = max(0, round(top)), max(0, round(left))
        mask[first_row : max(0, round(top + height)), first_column : max(0, round(left + width))] = 255
    return mask


def _peak(path: Path, values: NDArray[np.float64], inside: NDArray[np.bool_]) -> Peak:
    height, width = values.shape
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    centre = (int((row + 0.5) / height * inside.shape[0]), int((column + 0.5) / width * inside.shape[1]))
    at_edge = row in (0, height - 1) or column in (0, width - 1)
    return Peak(path, bool(inside[centre]), float(inside.mean()), bool(at_edge))


def _hits(peaks: Sequence[Peak]) -> Hits:
    resampling = Resampling(tuple(str(peak.film) for peak in peaks))
    in_box = mean_of("in_box", np.array([float(peak.in_box) for peak in peaks])).figures(resampling)["in_box"]
    chance, at_edge = (float(np.mean(values)) for values in ([p.share for p in peaks], [p.at_edge for p in peaks]))
    return Hits(len(peaks), in_box, chance, at_edge)
