"""`radscribe evaluate`: a checkpoint on a prepared split, beside controls that do not see the right film."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from radscribe.core.errors import RadscribeError
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter
from radscribe.evaluation.controls.pixels_baseline import nearest_by_pixels, pool, predict
from radscribe.evaluation.scorecard.breakdown import agreement, agreement_by_group, by_frequency, by_severity
from radscribe.evaluation.scorecard.card import Scorecard, majority_report, score
from radscribe.evaluation.scorecard.per_study import PerStudy
from radscribe.imaging.crop import centre_crop
from radscribe.labels.conditions import CHEXBERT_COUNT, POSITIVE
from radscribe.labels.old_changes import without_old_changes
from radscribe.labels.rules import label_report
from radscribe.metrics.nlg import METRICS
from radscribe.metrics.sanity import negation_flipped
from radscribe.metrics.significance import Figure
from radscribe.models.evidence import Sight

BATCH = 128
NOISE_FILMS = 8


@dataclass(frozen=True)
class Evaluation:
    """The scorecard, the drafted reports by study id, and what they were drafted from.

    ``baselines`` are the scorecards of the controls that need no model, to be compared like any other system's.
    """

    scorecard: Scorecard
    baselines: dict[str, Scorecard]
    reports: dict[str, str]
    studies: list[Study]
    sight: Sight
    shuffled: NDArray[np.int64]  # for each study, the row of the other patient's film


def evaluate(
    reporter: Reporter, dataset: PreparedDataset, split: str = "test", limit: int | None = None, part_limit: int = 400
) -> Evaluation:
    """Drafts every study of ``split`` (the first ``limit``) and scores the drafts and the controls.

    Controls: another patient's film of the same source through the whole pipeline; one part alone (patches, retrieved
    text or memory; on the first ``part_limit`` studies) of that other film; the draft's own statements turned
    round (a figure that does not fall there reads no statements); noise; the commonest training report; the report of
    the nearest training film by pixels; logistic regression on 32 x 32 pixels.
    """
    section = reporter.system.config.section
    dataset.require_section(section)
    studies = dataset.split(split)[:limit]
    if len(studies) < 2:
        raise RadscribeError(f"{dataset.folder}: {len(studies)} studies in the {split} split; at least 2 are needed")
    ids = [study.study_id for study in studies]
    sight, reports = see_and_write(reporter, dataset, studies)
    references = {study.study_id: study.report(section) for study in studies}
    true_labels = {study.study_id: study.labels for study in studies}
    patients = {study.study_id: study.patient_id for study in studies}
    weak = bool(dataset.manifest.get("weakly_paired"))
    stored = dataset.manifest["settings"]["source"] == "phantom"  # their labels are true ones, not read from text

    def scored(
        written: Iterable[str], rows: Sequence[int] | None = None, metrics: Sequence[str] = ("bleu", "rouge_l", "cider")
    ) -> Scorecard:
        names = ids if rows is None else [ids[row] for row in rows]
        return score(
            dict(zip(names, written, strict=True)),
            {name: references[name] for name in names},
            true_labels=true_labels if stored else None,
            patients=patients,
            split=split,
            section=section,
            notice="weakly paired" if weak else None,
            metrics=metrics,
        )

    card = scored(reports, metrics=METRICS)
    shuffled = other_films(studies, _image_sources(dataset, studies))
    of_other_films = scored([reports[row] for row in shuffled])
    card = card.with_control("shuffled_images", of_other_films)
    rows = list(range(min(part_limit, len(studies))))
    own = scored([reports[row] for row in rows], rows)
    parts = {}
    for part in sight.parts:
        exchanged = sight.rows(torch.tensor(rows)).with_part_of(part, sight.rows(torch.from_numpy(shuffled[rows])))
        written = _write(reporter, exchanged, f"other {part}")
        parts[f"other_{part}"] = own.with_control(part, scored(written, rows)).controls[part]
    card = replace(card, controls={**card.controls, **parts})
    card = card.with_control("negation_flip", scored(map(negation_flipped, reports)))
    card = card.with_control("noise_image", scored(_noise_reports(reporter, len(studies))))
    training = dataset.split("train")
    training_reports = [study.report(section) for study in training]
    baselines = {"majority_report": scored(majority_report(training_reports, ids).values())}
    if training:
        films, own_films = pooled_films(dataset, training), pooled_films(dataset, studies)
        nearest = nearest_by_pixels(films, own_films)
        baselines["nearest_neighbour"] = scored([training_reports[row] for row in nearest])
    for name, baseline in baselines.items():
        card = card.with_control(name, baseline)
    if training:
        targets = np.array([study.labels[:CHEXBERT_COUNT] for study in training]) == POSITIVE
        predicted = predict(films, targets, own_films)
        order = [ids.index(study_id) for study_id in card.per_study.study_ids]
        card = card.with_predictions("pixels_32x32_logistic_regression", predicted[order])
        card = _broken_down(card, dataset, np.array([study.labels for study in training]))
    if "image_labels" in dataset.table.column_names:
        card = _with_agreement(card, of_other_films, dataset, dict(zip(ids, reports, strict=True)))
    of_dataset = {"dataset": dataset.fingerprint}
    model = {"model": reporter.system.config.name, "fingerprint": reporter.fingerprint, "part_controls_on": len(rows)}
    card = replace(card, signature={**card.signature, **model, **of_dataset})
    baselines = {
        name: replace(baseline, signature={**baseline.signature, "model": name, **of_dataset})
        for name, baseline in baselines.items()
    }
    if split == "train":
        card = replace(card, flags=(*card.flags, "scored on the training split, whose own reports are the database"))
    return Evaluation(card, baselines, dict(zip(ids, reports, strict=True)), studies, sight, shuffled)


def other_films(studies: Sequence[Study], sources: Sequence[str], seed: int = 0) -> NDArray[np.int64]:
    """For each study the row of another patient's study of the same image source, drawn with ``seed``."""
    random = np.random.default_rng(seed)
    patients = np.array([study.patient_id for study in studies])
    names = np.array(sources)
    chosen = np.empty(len(studies), dtype=np.int64)
    for row in range(len(studies)):
        others = np.nonzero((patients != patients[row]) & (names == names[row]))[0]
        if not len(others):
            others = np.nonzero(patients != patients[row])[0]
        if not len(others):
            raise RadscribeError("all studies are of one patient: there is no other film to shuffle with")
        chosen[row] = random.choice(others)
    return chosen


def see_and_write(reporter: Reporter, dataset: PreparedDataset, studies: Sequence[Study]) -> tuple[Sight, list[str]]:
    """What the model takes from the studies' films, and the reports it writes, in their order."""
    config = reporter.system.config
    seen: list[Sight] = []
    reports: list[str] = []
    for first in tqdm(range(0, len(studies), BATCH), desc="drafting", disable=None, leave=False):
        films = [dataset.films(study, config.views) for study in studies[first : first + BATCH]]
        seen.append(reporter.see([np.stack([centre_crop(film, config.film) for film in views]) for views in films]))
        reports += reporter.write(seen[-1])
    return type(seen[0]).joined(seen), reports


def _write(reporter: Reporter, sight: Sight, what: str) -> list[str]:
    starts = range(0, len(sight), BATCH)
    reports: list[str] = []
    for first in tqdm(starts, desc=what, disable=None, leave=False):
        rows = torch.arange(first, min(first + BATCH, len(sight)))
        reports += reporter.write(sight.rows(rows))
    return reports


def _noise_reports(reporter: Reporter, count: int) -> list[str]:
    size = reporter.system.config.film.crop
    noise = np.random.default_rng(0).integers(0, 256, (NOISE_FILMS, size, size)).astype(np.uint8)
    reports = reporter.write(reporter.see(noise))
    return [reports[row % NOISE_FILMS] for row in range(count)]


def pooled_films(dataset: PreparedDataset, studies: Sequence[Study]) -> NDArray[np.float64]:
    """The studies' films at 32 x 32, N x 1024: a few at a time, since all of them may be larger than memory."""
    parts = [studies[first : first + BATCH] for first in range(0, len(studies), BATCH)]
    return np.concatenate([pool(np.stack([dataset.film(study) for study in part])) for part in parts])


def _image_sources(dataset: PreparedDataset, studies: Sequence[Study]) -> list[str]:
    if "image_source" not in dataset.table.column_names:
        return [""] * len(studies)
    column = dataset.column("image_source")
    return [column[study.study_id] for study in studies]


def _broken_down(card: Scorecard, dataset: PreparedDataset, training_states: NDArray[np.integer]) -> Scorecard:
    """The scorecard with F1 by frequency, and by severity where it is known."""
    rows = card.per_study
    ids, resampling = rows.study_ids, rows.resampling
    card = replace(
        card, frequency=by_frequency(rows.hypothesis_states, rows.reference_states, training_states, resampling)
    )
    if "severities" in dataset.table.column_names:
        column = dataset.column("severities")
        severities = {study_id: json.loads(column[study_id]) for study_id in ids}
        by = by_severity(ids, rows.hypothesis_states, rows.reference_states, severities, resampling)
        card = replace(card, severity=by)
    return card


def _with_agreement(
    card: Scorecard, shuffled: Scorecard, dataset: PreparedDataset, reports: Mapping[str, str]
) -> Scorecard:
    """The scorecard with the agreement of reports with the images' own labels."""
    rows = card.per_study
    today = np.array([label_report(without_old_changes(reports[study_id])) for study_id in rows.study_ids])
    return replace(
        card,
        agreement=_agreement(rows.hypothesis_states, rows, dataset),
        agreement_without_old_changes=_agreement(today, rows, dataset),
        agreement_shuffled=_agreement(shuffled.per_study.hypothesis_states, rows, dataset),
    )


def _agreement(states: NDArray[np.int64], rows: PerStudy, dataset: PreparedDataset) -> dict[str, Figure | None]:
    labels, source, view = (dataset.column(name) for name in ("image_labels", "image_source", "image_view_position"))
    positive = np.array(["pneumonia" in [label.lower() for label in labels[study_id]] for study_id in rows.study_ids])
    sources = [source[study_id] for study_id in rows.study_ids]
    views = [f"{source[study_id]}, {view[study_id]}" for study_id in rows.study_ids if view[study_id]]
    found: dict[str, Figure | None] = {"all films": agreement(states, positive, resampling=rows.resampling)}
    found |= agreement_by_group(states, positive, sources, resampling=rows.resampling)
    if views:
        known = np.array([bool(view[study_id]) for study_id in rows.study_ids])
        found |= agreement_by_group(states[known], positive[known], views, resampling=rows.resampling.subset(known))
    return found
