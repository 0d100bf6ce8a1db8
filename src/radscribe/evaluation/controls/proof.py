"""Test the evidence of drafts: maps against the sides of lesions, retrieval against the true labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.features import entities_of_films
from radscribe.drafting.reporter import Reporter
from radscribe.evaluation.controls.baselines import pooled_films
from radscribe.evaluation.controls.drafted_maps import DraftedMaps, drafted_maps
from radscribe.evaluation.controls.evidence import Pointing, PointingRecord, paired_hits_p_value, pointing, side_hits
from radscribe.evaluation.controls.films import image_sources, stratified_rows
from radscribe.evaluation.controls.peaks import Peaks, drafted_peaks
from radscribe.evaluation.controls.pixels_baseline import nearest_by_pixels
from radscribe.evaluation.evaluate import Evaluation
from radscribe.labels.conditions import CONDITIONS, POSITIVE
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
    sides: Pointing | None = None  # correctly stated one-sided conditions whose sentence names the correct side
    retrieval: dict[str, Found] = field(default_factory=dict)  # by way to find the reference
    peaks: Peaks | None = None  # where the maps of all drafted sentences peak

    def to_dict(self) -> dict[str, Any]:
        """What ``scorecard.json`` holds of it."""
        evidence = {
            "pointing": {name: asdict(value) for name, value in self.pointing.items()},
            "p_value": self.pointing_p_value,
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
                "| maps of correct one-sided sentences | sentences | peak on the lesion's side |",
                "|---|---:|---:|",
            ]
            lines += [f"| {name} | {value.n} | {value.rate:.3f} |" for name, value in self.pointing.items()]
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
    pointing_found: dict[str, Pointing] = {}
    p_value, sides = None, None
    rows = stratified_rows(evaluation.studies, image_sources(dataset, evaluation.studies), EXPLAINED)
    with_sides = "sides" in dataset.table.column_names
    maps = drafted_maps(reporter, dataset, evaluation, range(len(evaluation.studies)) if with_sides else rows)
    if with_sides:
        own, other = _side_hits(maps, dataset.column("sides"))
        pointing_found = {"own film": pointing(own), "another film": pointing(other)}
        p_value = paired_hits_p_value(own, other)
        sides = pointing(_sides_named(dataset, evaluation))
    peaks = drafted_peaks(maps, rows)
    return Proof(pointing_found, p_value, sides, _retrieval(reporter, dataset, evaluation), peaks)


def _side_hits(maps: DraftedMaps, sides: Mapping[str, str]) -> tuple[list[bool], list[bool]]:
    """For each sentence that rightly states a finding of one side: does its map peak there, and with another film?"""
    evaluation = maps.evaluation
    records: dict[str, list[PointingRecord]] = {"own": [], "other": []}
    for row, study in enumerate(evaluation.studies):
        known: dict[str, str] = json.loads(sides[study.study_id])
        one_sided = {name: side for name, side in known.items() if side in ("left", "right")}
        if not one_sided:
            continue
        for name, film in (("own", row), ("other", int(evaluation.shuffled[row]))):
            records[name] += [
                PointingRecord(shown, side)
                for text, shown in maps.of(row, film)
                if shown is not None and (side := _stated_side(text, study.labels, one_sided))
            ]
    return side_hits(records["own"]), side_hits(records["other"])


def _sides_named(dataset: PreparedDataset, evaluation: Evaluation) -> list[bool]:
    """For each sentence that names one side and correctly states a one-sided condition: is it the condition's side?"""
    sides = dataset.column("sides")
    correct = []
    for study in evaluation.studies:
        known: dict[str, str] = json.loads(sides[study.study_id])
        for text in report_sentences(evaluation.reports[study.study_id]):
            own = [known[name] for name in _rightly_stated(text, study.labels) if known.get(name) in ("left", "right")]
            side = _named_side(text)
            if own and side:
                correct.append(side in own)
    return correct


def _named_side(text: str) -> str | None:
    """The side that a sentence names, None where it names none or both."""
    words = set(text.lower().replace(".", " ").replace(",", " ").split())
    named = [side for side in ("left", "right") if side in words]
    return named[0] if len(named) == 1 else None


def _rightly_stated(text: str, truth: Sequence[int]) -> list[str]:
    """The conditions that a sentence states as positive and that are positive in ``truth`` (18 states)."""
    states = zip(CONDITIONS, label_sentence(text), truth, strict=True)
    return [name for name, state, true in states if state == true == POSITIVE]


def _stated_side(text: str, truth: Sequence[int], sides: dict[str, str]) -> Any:
    """The side that a sentence names, where it correctly states a one-sided condition on that side; else None."""
    side = _named_side(text)
    return side if side and any(sides.get(name) == side for name in _rightly_stated(text, truth)) else None


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
