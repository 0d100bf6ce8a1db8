"""Baselines that write nothing of their own: the commonest report or sentences, the report of the nearest training
film by pixels or by the system's features, or of the study that the system looks up, regression on pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter
from radscribe.evaluation.controls.films import image_sources, stratified_rows
from radscribe.evaluation.controls.pixels_baseline import (
    at_the_edge,
    nearest_by_pixels,
    pool,
    predict,
    standardised_logistic,
)
from radscribe.evaluation.drafted import evidence_of
from radscribe.evaluation.scorecard.card import Scorecard, majority_report
from radscribe.evaluation.split import SplitReferences, states_of
from radscribe.labels.conditions import CHEXBERT_COUNT, POSITIVE
from radscribe.metrics.significance import Floats
from radscribe.models.evidence import FilmEvidence
from radscribe.models.knowledge.prompts import report_sentences

# Training studies, drawn from each stratum, among which the nearest by features is looked for.
SEARCHED = 5000
BATCH = 128  # studies whose films are read together


def with_baselines(
    card: Scorecard, references: SplitReferences, reporter: Reporter, evidence: FilmEvidence
) -> tuple[Scorecard, dict[str, Scorecard]]:
    """The scorecard with each baseline as a control, and the scorecards of those baselines that write reports.

    The training split of the same dataset is what they know; ``evidence`` is the ``reporter``'s own of the studies that
    are scored. Raises ``WrongUse`` where the training split is empty.
    """
    dataset, training = references.dataset, references.dataset.split("train")
    known = [study.report(references.section) for study in training]
    majority = references.score(majority_report(known, references.ids).values())
    films, own = pooled_films(dataset, training), pooled_films(dataset, references.studies)
    nearest = references.score([known[row] for row in nearest_by_pixels(films, own)])
    template = references.score(dict.fromkeys(references.ids, commonest_sentences(known)).values())
    drawn = stratified_rows(training, image_sources(dataset, training), SEARCHED)
    features = pooled_patches(reporter, dataset, [training[row] for row in drawn])
    nearest_rows = nearest_features(features, pooled(evidence.patches))
    alike = references.score([known[drawn[row]] for row in nearest_rows])
    baselines = {
        "majority_report": majority,
        "commonest_sentences": template,
        "nearest_neighbour": nearest,
        "nearest_features": alike,
    }
    if (looked_up := reference_reports(reporter, references, evidence)) is not None:
        baselines["reference_report"] = references.score(looked_up)
    for name, baseline in baselines.items():
        card = card.with_control(name, baseline)
    targets = states_of(training)[:, :CHEXBERT_COUNT] == POSITIVE
    rows = {study_id: row for row, study_id in enumerate(references.ids)}
    order = [rows[study_id] for study_id in card.per_study.study_ids]
    card = card.with_predictions("pixels_32x32_logistic_regression", predict(films, targets, own)[order])
    edge = standardised_logistic(at_the_edge(films), targets, at_the_edge(own)) > 0
    return card.with_predictions("film_edge_logistic_regression", edge[order]), baselines


def reference_reports(reporter: Reporter, references: SplitReferences, evidence: FilmEvidence) -> list[str] | None:
    """The report of the study that the model looks up for each film, as it stands; empty where none is near enough.

    None for a model that looks up none, or whose database are not the training studies of this dataset.
    """
    found = reporter.system.model.references(evidence)
    if found is None:
        return None
    known = {study.study_id: study.report(references.section) for study in references.dataset.split("train")}
    ids = reporter.system.knowledge.database.study_ids
    named = [ids[row] if row >= 0 else None for row in found.rows.tolist()]
    if any(name is not None and name not in known for name in named):
        return None
    return ["" if name is None else known[name] for name in named]


def commonest_sentences(reports: Sequence[str]) -> str:
    """A report of the commonest sentences: as many as a report of ``reports`` has on average, in their usual order.

    Each report counts a sentence once, however it is cased; the first of equally common ones in the alphabet is taken.
    """
    places: dict[str, list[float]] = {}
    spelled: dict[str, str] = {}
    lengths = []
    for report in reports:
        sentences = report_sentences(report)
        lengths.append(len(sentences))
        first: dict[str, int] = {}
        for place, sentence in enumerate(sentences):
            first.setdefault(sentence.lower(), place)
        for key, place in first.items():
            spelled.setdefault(key, sentences[place])
            places.setdefault(key, []).append(place / len(sentences))
    count = max(1, round(float(np.mean(lengths)))) if lengths else 0
    chosen = sorted(places, key=lambda key: (-len(places[key]), key))[:count]
    return " ".join(spelled[key] for key in sorted(chosen, key=lambda key: (np.mean(places[key]), key)))


def nearest_features(known: Floats, own: Floats) -> NDArray[np.int64]:
    """Index of the row of ``known`` (``N x D``) nearest to each of ``own`` (``M x D``): ``M``.

    Cosine of features standardised by ``known``.
    """
    mean, spread = known.mean(0), known.std(0)
    spread[spread == 0] = 1
    scaled = [(features - mean) / spread for features in (known, own)]
    unit = [features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12) for features in scaled]
    return np.asarray((unit[1] @ unit[0].T).argmax(1))


def pooled_patches(reporter: Reporter, dataset: PreparedDataset, studies: Sequence[Study]) -> Floats:
    """The mean patch of each study's films, ``N x width``: a batch at a time."""
    parts = [studies[first : first + BATCH] for first in range(0, len(studies), BATCH)]
    return np.concatenate([pooled(evidence_of(reporter, dataset, part).patches) for part in parts])


def pooled(patches: Tensor) -> Floats:
    """``N x P x width -> N x width``."""
    return np.asarray(patches.float().mean(1).cpu().numpy(), dtype=np.float64)


def pooled_films(dataset: PreparedDataset, studies: Sequence[Study]) -> NDArray[np.float64]:
    """The films of ``N`` studies at 32 x 32, ``N x 1024``: a few at a time, since all may be larger than memory."""
    parts = [studies[first : first + BATCH] for first in range(0, len(studies), BATCH)]
    return np.concatenate([pool(np.stack([dataset.film(study) for study in part])) for part in parts])
