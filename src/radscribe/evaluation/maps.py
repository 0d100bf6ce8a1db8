"""Compare the kinds of map that a sentence can show: pointing, deletion, insertion and what they cost."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import RadscribeError
from radscribe.core.progress import progress
from radscribe.core.records import NOTICE, Study
from radscribe.core.version import __version__
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.choice import write_chosen
from radscribe.drafting.counterfactual import CENTRES
from radscribe.drafting.reporter import Reporter
from radscribe.drafting.sentence_maps import EvidenceKind, sentence_maps, states_finding
from radscribe.drafting.sides import peak_side
from radscribe.evaluation.controls.deletion import deletion_and_insertion
from radscribe.evaluation.controls.evidence import peak_in_mask
from radscribe.evaluation.controls.films import image_sources, stratified_rows
from radscribe.evaluation.controls.lesions import Lesions, rightly_stated
from radscribe.labels.conditions import POSITIVE, UNCERTAIN
from radscribe.labels.rules import label_sentence
from radscribe.metrics.significance import Figure, Resampling, mean_of

FORMAT = "radscribe-maps/1"
RANDOM = "random"
# Figures of a map, each with its heading; of deletion less is better, of all others more.
FIGURES = {
    "side": "peak on the lesion's side",
    "mask": "peak in the lesion",
    "deletion": "deletion, sentence",
    "insertion": "insertion, sentence",
    "condition_deletion": "deletion, condition",
    "condition_insertion": "insertion, condition",
}


@dataclass(frozen=True)
class MapTest:
    """How the kinds of map compare, over the sentences of which every kind shows one."""

    films: int
    sentences: int  # that state a finding
    compared: int
    shown: Mapping[str, int]  # sentences of which a kind shows a map
    seconds: Mapping[str, float]  # a film that states a finding, beside its draft
    figures: Mapping[str, Mapping[str, Figure]]  # by kind and name
    differences: Mapping[str, Mapping[str, Figure]]  # by kind: the first kind minus this one, paired

    def to_dict(self) -> dict[str, Any]:
        """What the JSON file holds."""
        return {"format": FORMAT, "radscribe_version": __version__, "notice": NOTICE, **asdict(self)}

    def markdown(self) -> str:
        """The table of all kinds, and that of the paired differences from the first."""
        names = [name for name in FIGURES if any(name in of_kind for of_kind in self.figures.values())]
        first = next(iter(self.figures))
        heads = " | ".join(FIGURES[name] for name in names)
        rule = "---:|" * len(names)
        lines = [
            f"{self.films} films, {self.sentences} sentences that state a finding; {self.compared} of which every kind "
            "of map shows one.",
            "",
            f"| map | shown | seconds a film | {heads} |",
            f"|---|---:|---:|{rule}",
        ]
        for kind, found in self.figures.items():
            seconds = f"{self.seconds[kind]:.2f}" if kind in self.seconds else ""
            cells = " | ".join(str(found[name]) if name in found else "" for name in names)
            lines.append(f"| {kind} | {self.shown[kind]} | {seconds} | {cells} |")
        lines += ["", f"| {first} minus | {heads} |", f"|---|{rule}"]
        for kind, found in self.differences.items():
            lines.append(f"| {kind} | {' | '.join(str(found[name]) if name in found else '' for name in names)} |")
        return "\n".join(lines) + "\n"


def score_maps(reporter: Reporter, dataset: PreparedDataset, split: str, limit: int | None = None) -> MapTest:
    """Draft the films of ``split``, at most ``limit`` of them, and measure each kind of map of what they state.

    Pointing counts the sentences that are right, where the dataset holds the lesions' sides and masks (phantoms).
    Raises ``RadscribeError`` where there is no sentence of which every kind shows a map.
    """
    studies = dataset.split(split)
    if limit is not None:
        studies = [studies[row] for row in stratified_rows(studies, image_sources(dataset, studies), limit)]
    kinds: list[EvidenceKind] = ["activation", "counterfactual", "attention"]
    if reporter.system.model.state_head is None:
        kinds.remove("activation")
    tally = _Tally(reporter, dataset, kinds)
    for study in progress(studies, "maps", "study"):
        tally.add(study)
    if not tally.patients:
        raise RadscribeError("no drafted sentence states a finding and has every kind of map; score more films")
    own = {kind: [each[kind] for each in tally.figures] for kind in (*kinds, RANDOM)}
    behind = {
        kind: [
            {name: of[name] - values[name] for name in of.keys() & values.keys()}
            for of, values in zip(own[kinds[0]], found, strict=True)
        ]
        for kind, found in own.items()
        if kind != kinds[0]
    }
    return MapTest(
        films=len(studies),
        sentences=tally.sentences,
        compared=len(tally.figures),
        shown=dict(tally.shown),
        seconds={kind: float(np.mean(each)) for kind, each in tally.seconds.items()},
        figures={kind: _means(found, tally.patients) for kind, found in own.items()},
        differences={kind: _means(found, tally.patients) for kind, found in behind.items()},
    )


@dataclass
class _Tally:
    """The figures of the sentences so far."""

    reporter: Reporter
    dataset: PreparedDataset
    kinds: Sequence[EvidenceKind]
    sentences: int = 0
    shown: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    # Of each sentence compared: its patient, and the figures of each kind by the names of ``FIGURES``.
    patients: list[str] = field(default_factory=list)
    figures: list[dict[str, dict[str, float]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lesions = Lesions(self.reporter, self.dataset)
        self.random = np.random.default_rng(0)

    def add(self, study: Study) -> None:
        """Draft the films of ``study`` and measure the maps of the sentences that state a finding."""
        reporter, model = self.reporter, self.reporter.system.model
        views = [reporter.view(film) for film in self.dataset.films(study, reporter.system.config.views)]
        films = reporter.films([np.stack(views)])
        evidence = reporter.system.see(films)
        words = write_chosen(model, evidence, reporter.system.config.search).tokens[0]
        spans = [
            (label_sentence(text), (first, last))
            for text, first, last in model.tokenizer.sentences(words)
            if states_finding(label_sentence(text))
        ]
        if not spans:
            return
        self.sentences += len(spans)
        states, places = zip(*spans, strict=True)
        attention = model.explain(words, evidence).attention
        maps: dict[str, list[NDArray[np.float64] | None]] = {}
        for kind in self.kinds:
            began = time.perf_counter()
            drawn = sentence_maps(kind, reporter.system, films, words, places, states, attention)
            self.seconds[kind].append(time.perf_counter() - began)
            maps[kind] = [None if each is None else np.array(each.values) for each in drawn]
        maps[RANDOM] = [self.random.random((CENTRES, CENTRES)) for _ in spans]
        for name, found in maps.items():
            self.shown[name] += sum(each is not None for each in found)
        for number, (stated, place) in enumerate(spans):
            own = {kind: values for kind, found in maps.items() if (values := found[number]) is not None}
            if len(own) < len(maps):
                continue
            conditions = [row for row, state in enumerate(stated) if state in (POSITIVE, UNCERTAIN)]
            areas = deletion_and_insertion(reporter.system, films, words, place, conditions, list(own.values()))
            self.patients.append(study.patient_id)
            self.figures.append(
                {
                    kind: self._hits(study, stated, values)
                    | {name: value for name, value in each._asdict().items() if value is not None}
                    for (kind, values), each in zip(own.items(), areas, strict=True)
                }
            )

    def _hits(self, study: Study, stated: Sequence[int], values: NDArray[np.float64]) -> dict[str, float]:
        """Whether a map peaks where the findings are that its sentence rightly states, as far as that is known."""
        right = rightly_stated(stated, study.labels)
        hits: dict[str, float] = {}
        known = self.lesions.one_sided(study)
        sides = {known[name] for name in right if name in known}
        if len(sides) == 1:
            hits["side"] = float(peak_side(values) in sides)
        mask = self.lesions.mask(study, right)
        if mask is not None:
            hits["mask"] = float(peak_in_mask(values, mask))
        return hits


def _means(found: Sequence[Mapping[str, float]], patients: Sequence[str]) -> dict[str, Figure]:
    """The mean of each figure over the sentences that have it, with an interval that resamples ``patients``."""
    means = {}
    for name in FIGURES:
        rows = [row for row, values in enumerate(found) if name in values]
        if rows:
            resampling = Resampling(tuple(patients[row] for row in rows))
            means[name] = mean_of(name, np.array([found[row][name] for row in rows])).figures(resampling)[name]
    return means
