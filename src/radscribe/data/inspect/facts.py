"""Counts what a prepared dataset holds and draws sample studies, from its own files."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radscribe.core.csv_files import read_csv
from radscribe.core.records import SPLITS, Study
from radscribe.data.counts import label_counts, triplet_counts
from radscribe.data.dataset import PreparedDataset
from radscribe.imaging.levels import Pixels

VIEWS = ("frontal", "lateral", "unknown")


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample study with all its films (uint8, size x size each) in the order of its views."""

    study: Study
    films: tuple[Pixels, ...]


@dataclass(frozen=True, eq=False)
class Facts:
    """What a prepared dataset holds, by split."""

    name: str  # of the folder
    manifest: Mapping[str, Any]
    fingerprint: str
    section: str  # the report section it was prepared for
    counts: Mapping[str, Mapping[str, int]]  # split -> studies, patients, images
    views: Mapping[str, Mapping[str, int]]  # split -> view -> films
    labels: Mapping[str, Mapping[str, Mapping[str, int]]]  # split -> condition -> state -> studies
    triplets: Mapping[str, Mapping[str, int]]  # split -> triplets, present ones, studies with any
    words: Mapping[str, Sequence[int]]  # split -> words of each report
    samples: Mapping[str, Sequence[Sample]]  # split -> drawn studies
    rejected: Mapping[str, int]  # reason -> films or studies, the most common first


def facts_of(dataset: PreparedDataset, samples: int = 3, seed: int = 0) -> Facts:
    """The facts of ``dataset``, with up to ``samples`` studies of each split, drawn by ``seed``.

    Raises:
        RadscribeError: for a rejected.csv that is not a table.
    """
    manifest = dataset.manifest
    section = str(manifest["settings"].get("section", "findings"))
    splits = {split: dataset.split(split) for split in SPLITS}
    rows = dataset.table.select(["split", "labels", "triplets"]).to_pylist()
    return Facts(
        name=dataset.folder.resolve().name,
        manifest=manifest,
        fingerprint=dataset.fingerprint,
        section=section,
        counts=manifest["counts"],
        views={split: _views(studies) for split, studies in splits.items()},
        labels=label_counts(rows),
        triplets=triplet_counts(rows),
        words={split: [len(study.report(section).split()) for study in studies] for split, studies in splits.items()},
        samples={split: _drawn(dataset, studies, samples, f"{seed} {split}") for split, studies in splits.items()},
        rejected=_rejected(dataset.folder / "rejected.csv"),
    )


def _views(studies: Sequence[Study]) -> dict[str, int]:
    found = Counter(view.view for study in studies for view in study.views)
    return {view: found[view] for view in VIEWS}


def _drawn(dataset: PreparedDataset, studies: Sequence[Study], count: int, seed: str) -> list[Sample]:
    chosen = random.Random(seed).sample(studies, min(count, len(studies)))
    return [Sample(study, tuple(dataset.pixels[view.image_index] for view in study.views)) for study in chosen]


def _rejected(path: Path) -> dict[str, int]:
    return dict(Counter(row.cells["reason"] for row in read_csv(path, ("source", "reason"))).most_common())
