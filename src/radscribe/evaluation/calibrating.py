"""Fit on validation studies how likely a model's statements are true, and what its drafts should not say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import RadscribeError
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.calibration import SIGNS, Calibration, PresenceFit, stated_signs
from radscribe.drafting.doubt import SIZE
from radscribe.drafting.reporter import Reporter
from radscribe.evaluation.drafted import draft_reports
from radscribe.evaluation.statements import DraftedSplit, drafted_split
from radscribe.labels.conditions import CONDITIONS
from radscribe.metrics.areas import roc_area
from radscribe.metrics.clinical import THIRTEEN
from radscribe.metrics.logistic import fit_logistic

# A condition is told apart if the area of its sign is at least this on so many studies that show it.
LEAST_AREA = 0.70
LEAST_SHOWN = 8
FOLDS = 5
# A size is right within this share of one in the study's own report.
SIZE_SLACK = 0.25
# From fewer sizes nothing follows.
LEAST_SIZES = 8
# What micro-F1 may fall by where unlikely findings are withheld: less than it differs from seed to seed.
F1_GIVEN = 0.005
THRESHOLDS = np.arange(0.0, 0.5, 0.02)


def calibrate(
    reporter: Reporter, dataset: PreparedDataset, split: str = "validate"
) -> tuple[Calibration, DraftedSplit, NDArray[np.float64]]:
    """The calibration of a model by the studies of ``split``, what it drafted for them, and how likely its statements
    are (N x 18) by regressions that have not seen their patient.

    Raises ``RadscribeError`` for a split with too few patients.
    """
    studies = dataset.split(split)
    if len({study.patient_id for study in studies}) < 2 * FOLDS:
        raise RadscribeError(f"{dataset.folder}: the {split} split has too few patients to calibrate on; prepare more")
    drafted = drafted_split(studies, draft_reports(reporter, dataset, studies))
    areas = sign_areas(drafted)
    presence = fit_presence(drafted)
    means = presence.probabilities(drafted.states, drafted.signs).mean(0)
    calibration = Calibration(
        fingerprint=reporter.fingerprint,
        presence=presence,
        not_assessed=tuple(name for name, area in areas.items() if area is None or area < LEAST_AREA),
        sizes=sizes_are_right(drafted),
        measured={
            "split": split,
            "studies": len(studies),
            "dataset": dataset.fingerprint,
            "areas": areas,
            "mean_probabilities": dict(zip(CONDITIONS, means.round(4).tolist(), strict=True)),
        },
    )
    unseen = held_out(drafted, calibration)
    calibration = replace(calibration, withheld_below=best_threshold(drafted, unseen, calibration.not_assessed))
    return calibration, drafted, unseen


def sign_areas(drafted: DraftedSplit) -> dict[str, float | None]:
    """For each condition the ROC area of the model's probability, of its draws where it has none, or without either of
    what its reports state; None where fewer than ``LEAST_SHOWN`` studies show it."""
    present, absent = np.moveaxis(stated_signs(drafted.states), -1, 0)
    told = next((signs for signs in np.moveaxis(drafted.signs, -1, 0) if signs.any()), present - absent)
    found: dict[str, float | None] = {}
    for column, name in enumerate(CONDITIONS):
        shown = drafted.shown[:, column]
        enough = LEAST_SHOWN <= shown.sum() < len(shown)
        found[name] = roc_area(told[:, column], shown) if enough else None
    return found


def fit_presence(drafted: DraftedSplit, without: NDArray[np.bool_] | None = None) -> PresenceFit:
    """The regression of which conditions the studies show, on all studies but those ``without`` (N).

    Every study counts with every condition, so that what no report states is learned from, too.
    """
    kept = np.ones(len(drafted.studies), dtype=bool) if without is None else ~without
    signs, states = drafted.signs[kept], drafted.states[kept]
    conditions = np.broadcast_to(np.eye(len(CONDITIONS)), (*states.shape, len(CONDITIONS)))
    features = np.concatenate((signs, stated_signs(states), conditions), -1)
    shown = drafted.shown[kept].reshape(-1, 1)
    weights, bias = fit_logistic(features.reshape(len(shown), -1), shown)
    rest = weights[:, 0].tolist()
    of_signs, rest = rest[: len(SIGNS)], rest[len(SIGNS) :]
    return PresenceFit(float(bias[0]), tuple(of_signs), (rest[0], rest[1]), tuple(rest[2:]))


def held_out(drafted: DraftedSplit, calibration: Calibration) -> NDArray[np.float64]:
    """How likely each statement is by regressions on the other patients: N x 18, NaN where nothing is stated."""
    patients = sorted(set(drafted.patients))
    order = np.random.default_rng(0).permutation(len(patients))
    fold = {patient: int(place) % FOLDS for patient, place in zip(patients, order, strict=True)}
    folds = np.array([fold[patient] for patient in drafted.patients])
    found = np.full(drafted.states.shape, np.nan)
    for number in range(FOLDS):
        rows = folds == number
        fitted = replace(calibration, presence=fit_presence(drafted, rows))
        found[rows] = fitted.probabilities(drafted.states[rows], drafted.signs[rows])
    return found


def best_threshold(drafted: DraftedSplit, likely: NDArray[np.float64], not_assessed: tuple[str, ...]) -> float:
    """The highest probability below which findings can be left unsaid for at most ``F1_GIVEN`` of the best micro-F1 of
    the 13 conditions that any such threshold reaches."""
    columns = [column for column in THIRTEEN if CONDITIONS[column] not in not_assessed]
    stated, shown = drafted.places(True)[:, columns], drafted.shown[:, columns]
    likely = np.where(stated, likely[:, columns], 0.0)
    scores = []
    for threshold in THRESHOLDS:
        kept = stated & (likely >= threshold)
        scores.append(2 * (kept & shown).sum() / max(1, kept.sum() + shown.sum()))
    return round(float(THRESHOLDS[np.flatnonzero(np.array(scores) >= max(scores) - F1_GIVEN)[-1]]), 2)


def sizes_are_right(drafted: DraftedSplit) -> bool:
    """Whether the sizes in the reports stand in the studies' own reports more often than not, of enough to tell."""
    right = told = 0
    for study, sentences in zip(drafted.studies, drafted.sentences, strict=True):
        own = _sizes(study.report("both"))
        for size in _sizes(" ".join(sentences)):
            told += 1
            right += any(abs(size - other) <= SIZE_SLACK * other for other in own)
    return told >= LEAST_SIZES and right > told / 2


def _sizes(text: str) -> list[float]:
    """The sizes in a text, in centimetres."""
    return [float(number) / (10 if unit.lower().startswith("m") else 1) for number, unit in SIZE.findall(text)]
