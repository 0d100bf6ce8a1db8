"""Test the evidence of drafts: maps against the sides of lesions, retrieval against the true labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.features import entities_of_films
from radscribe.drafting.reporter import Reporter
from radscribe.drafting.sides import named_side, peak_side
from radscribe.evaluation.controls.baselines import pooled_films
from radscribe.evaluation.controls.drafted_maps import DraftedMaps, drafted_maps
from radscribe.evaluation.controls.evidence import (
    Pointing,
    paired_hits_p_value,
    peak_in_mask,
    pointing,
)
from radscribe.evaluation.controls.films import image_sources, stratified_rows
from radscribe.evaluation.controls.lesions import Lesions, rightly_stated
from radscribe.evaluation.controls.peaks import Peaks, drafted_peaks
from radscribe.evaluation.controls.pixels_baseline import nearest_by_pixels
from radscribe.evaluation.evaluate import Evaluation
from radscribe.labels.rules import label_sentence
from radscribe.metrics.clinical import condition_sums, micro, outcomes
from radscribe.metrics.significance import Figure, PairedTest, Resampling, interval, paired_test
from radscribe.models.knowledge.prompts import report_sentences

LEARNED = "learned ball"
# Studies whose maps are looked through for where they peak.
EXPLAINED = 200


@dataclass(frozen=True)
class Found:
    """How well the labels of the references that one way of retrieval finds agree with the true labels."""

    micro_f1: Figure
    hamming: float  # mean differing bits of 18 x 4
    behind: PairedTest | None = None  # micro-F1 of the learned ball minus this one's; None for the ball itself


@dataclass(frozen=True)
class Proof:
    """What shows whether the evidence is true; empty where the dataset or the model does not allow a test."""

    # Peaks of correct one-sided sentences on the lesion's side, with the film's own maps and with another film's.
    pointing: dict[str, Pointing] = field(default_factory=dict)
    pointing_p_value: float | None = None
    # The same peaks in the mask of the lesions that the sentence states.
    in_lesion: dict[str, Pointing] = field(default_factory=dict)
    sides: Pointing | None = None  # correctly stated one-sided conditions whose sentence names the correct side
    retrieval: dict[str, Found] = field(default_factory=dict)  # by way to find the reference
    peaks: Peaks | None = None  # where the maps of all drafted sentences peak

    def to_dict(self) -> dict[str, Any]:
        """What ``scorecard.json`` holds of it."""
        evidence = {
            "pointing": {name: asdict(value) for name, value in self.pointing.items()},
            "p_value": self.pointing_p_value,
            "in_lesion": {name: asdict(value) for name, value in self.in_lesion.items()},
            "sides": asdict(self.sides) if self.sides else None,
            "peaks": asdict(self.peaks) if self.peaks else None,
        }
        return {"evidence": evidence, "retrieval": {name: asdict(found) for name, found in self.retrieval.items()}}

    def markdown(self) -> str:
        """What ``scorecard.md`` shows of it."""
        lines: list[str] = []
        if self.pointing:
            lines += [
                "",
                "| maps of correct one-sided sentences | sentences | peak on the lesion's side | in the lesion |",
                "|---|---:|---:|---:|",
            ]
            for name, value in self.pointing.items():
                inside = f"{self.in_lesion[name].rate:.3f}" if name in self.in_lesion else ""
                lines.append(f"| {name} | {value.n} | {value.rate:.3f} | {inside} |")
            lines += ["", f"Own film against another film: p = {self.pointing_p_value:.2g} (exact McNemar, one-sided)."]
        if self.sides:
            lines += [
                f"A condition rightly stated on one side: the right side in {self.sides.rate:.3f} of {self.sides.n}."
            ]
        if peaked := self.peaks:
            lines += [
                "",
                f"Maps of {peaked.sentences} drafted sentences: {peaked.at_edge:.3f} peak at the edge of the film "
                f"({peaked.edge:.3f} of the places lie there), {peaked.commonest_place:.3f} at one and the same place.",
            ]
        if self.retrieval:
            lines += [
                "",
                "| reference found by | micro-F1 of its labels | differing bits of 72 | behind the learned ball |",
                "|---|---:|---:|---:|",
            ]
            for name, found in self.retrieval.items():
                behind = f"{found.behind.difference} p = {found.behind.p_value:.3f}" if found.behind else ""
                lines.append(f"| {name} | {found.micro_f1} | {found.hamming:.2f} | {behind} |")
        return "\n".join(lines) + "\n"


def proof_of(reporter: Reporter, dataset: PreparedDataset, evaluation: Evaluation) -> Proof:
    """The tests that this dataset allows: pointing needs the lesions' sides (phantoms), the others any labels."""
    rows = stratified_rows(evaluation.studies, image_sources(dataset, evaluation.studies), EXPLAINED)
    lesions = Lesions(reporter, dataset)
    maps = drafted_maps(reporter, dataset, evaluation, range(len(evaluation.studies)) if lesions.have_sides else rows)
    retrieval, peaks = _retrieval(reporter, dataset, evaluation), drafted_peaks(maps, rows)
    if not lesions.have_sides:
        return Proof(retrieval=retrieval, peaks=peaks)
    own, other = (
        _hits(maps, lesions, range(len(evaluation.studies))),
        _hits(maps, lesions, evaluation.shuffled.tolist()),
    )
    found = {"own film": own, "another film": other}
    return Proof(
        pointing={name: pointing(hits.side) for name, hits in found.items()},
        pointing_p_value=paired_hits_p_value(own.side, other.side),
        in_lesion={name: pointing(hits.lesion) for name, hits in found.items() if hits.lesion},
        sides=pointing(_sides_named(lesions, evaluation)),
        retrieval=retrieval,
        peaks=peaks,
    )


@dataclass(frozen=True)
class _Hits:
    """Of each sentence that rightly states a finding of one side, which lies there: whether its map peaks there."""

    side: list[bool] = field(default_factory=list)
    lesion: list[bool] = field(default_factory=list)  # empty where the dataset has no masks


def _hits(maps: DraftedMaps, lesions: Lesions, films: Sequence[int]) -> _Hits:
    """Whether the maps of the drafts of an evaluation's studies peak at the lesions, looking at the ``films`` of these
    rows; a peak on the midline misses either side."""
    hits = _Hits()
    for row, study in enumerate(maps.evaluation.studies):
        sides = lesions.one_sided(study)
        if not sides:
            continue
        for text, shown in maps.of(row, films[row]):
            named = named_side(text)
            right = [name for name in _rightly_stated(text, study.labels) if sides.get(name) == named]
            if shown is None or named is None or not right:
                continue
            hits.side.append(peak_side(shown) == named)
            mask = lesions.mask(study, right)
            if mask is not None:
                hits.lesion.append(peak_in_mask(shown, mask))
    return hits


def _sides_named(lesions: Lesions, evaluation: Evaluation) -> list[bool]:
    """For each sentence that names one side and correctly states a one-sided condition: is it the condition's side?"""
    correct = []
    for study in evaluation.studies:
        sides = lesions.sides(study)
        for text in report_sentences(evaluation.reports[study.study_id]):
            own = [sides[name] for name in _rightly_stated(text, study.labels) if name in sides]
            side = named_side(text)
            if own and side:
                correct.append(side in own)
    return correct


def _rightly_stated(text: str, truth: Sequence[int]) -> list[str]:
    """The conditions that a sentence states as positive and that are positive in ``truth`` (18 states)."""
    return rightly_stated(label_sentence(text), truth)


def _retrieval(reporter: Reporter, dataset: PreparedDataset, evaluation: Evaluation) -> dict[str, Found]:
    """The learned ball beside the same layers untrained, the nearest film by pixels, and chance."""
    system, model = reporter.system, reporter.system.model
    references = model.references(evaluation.evidence)
    if references is None or references.distances is None:
        return {}  # nothing is looked up in a learned space
    training = {study.study_id: study for study in dataset.split("train")}
    database = system.knowledge.database
    if not set(database.study_ids) <= training.keys():
        return {}  # the checkpoint's database is another dataset's
    known = [training[study_id] for study_id in database.study_ids]
    labels = torch.tensor([study.labels for study in known])
    truth = torch.tensor([study.labels for study in evaluation.studies])
    by_untrained = model.untrained_references(
        evaluation.evidence, known, lambda: entities_of_films(dataset, known, system).presence.to(reporter.device)
    )
    assert by_untrained is not None
    films, own = pooled_films(dataset, known), pooled_films(dataset, evaluation.studies)
    by_pixels = torch.from_numpy(nearest_by_pixels(films, own))
    chance = torch.from_numpy(np.random.default_rng(0).integers(0, len(known), len(truth)))
    ways = {
        LEARNED: references.rows.cpu(),
        "untrained layers": by_untrained.cpu(),
        "nearest pixels": by_pixels,
        "chance": chance,
    }
    resampling = Resampling(tuple(study.patient_id for study in evaluation.studies))
    f1 = {
        name: micro(condition_sums(outcomes(labels[rows].numpy(), truth.numpy()), resampling))[..., 2]
        for name, rows in ways.items()
    }
    return {
        name: Found(
            interval(f1[name]),
            float((2 * (labels[rows] != truth).sum(1)).float().mean()),  # every differing condition counts two bits
            paired_test(f1[LEARNED], f1[name]) if name != LEARNED else None,
        )
        for name, rows in ways.items()
    }
