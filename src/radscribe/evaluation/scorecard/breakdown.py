"""Break scores down by severity and by frequency of conditions, and compare reports with labels of the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import WrongUse
from radscribe.evaluation.scorecard.per_study import PerStudy
from radscribe.labels.conditions import (
    CHEXBERT_CONDITIONS,
    CHEXBERT_COUNT,
    CONDITIONS,
    NO_FINDING,
    POSITIVE,
    UNCERTAIN,
)
from radscribe.metrics.clinical import THIRTEEN, condition_sums, macro, micro, outcomes
from radscribe.metrics.significance import Figure, Resampling, balanced_accuracy, interval, mean_of, ratio

SEVERITIES = (1, 2, 3)
FREQUENCY_BOUNDS = (0.05, 0.15)
# Language figures of a group of studies.
GROUP_FIGURES = ("bleu_4", "rouge_l")
# Conditions by which a report states an infiltrate.
INFILTRATE = ("pneumonia", "consolidation", "lung opacity")


@dataclass(frozen=True)
class SeverityBand:
    """Scores over the positives of one severity."""

    support: int  # positives
    recall: Figure
    f1: Figure


@dataclass(frozen=True)
class FrequencyBand:
    """Scores over the conditions of one range of training frequencies."""

    conditions: tuple[str, ...]
    support: int  # positives of these conditions
    micro_f1: Figure
    macro_f1: Figure


@dataclass(frozen=True)
class StudyGroup:
    """Scores over the studies whose reference states "no finding", or over all others."""

    studies: int
    called_normal: Figure  # share of their reports that state "no finding" too
    micro_f1_13: Figure
    language: Mapping[str, Figure]  # those of BLEU-4 and ROUGE-L that were computed


def by_normality(rows: PerStudy) -> dict[str, StudyGroup]:
    """The studies without a finding and those with one, each apart: who always writes "normal" looks well on all.

    A group without a study is left out. CIDEr is not among the figures: its weights are those of all studies.
    """
    normal = rows.reference_states[:, NO_FINDING] == POSITIVE
    stated = (rows.hypothesis_states[:, NO_FINDING] == POSITIVE).astype(np.float64)
    found = {}
    for name, members in (("normal", normal), ("abnormal", ~normal)):
        if not members.any():
            continue
        resampling = rows.resampling.subset(members)
        sums = condition_sums(rows.outcomes()[members], resampling)
        language: dict[str, Figure] = {}
        for part in rows.parts:
            if set(part.names) & set(GROUP_FIGURES):
                language |= replace(part, counts=part.counts[members]).figures(resampling)
        found[name] = StudyGroup(
            studies=int(members.sum()),
            called_normal=mean_of("share", stated[members]).figures(resampling)["share"],
            micro_f1_13=interval(micro(sums[:, THIRTEEN])[:, 2]),
            language={figure: language[figure] for figure in GROUP_FIGURES if figure in language},
        )
    return found


def by_severity(
    study_ids: Sequence[str],
    hypothesis_states: NDArray[np.integer],
    reference_states: NDArray[np.integer],
    severities: Mapping[str, Mapping[str, int]],
    resampling: Resampling | None = None,
) -> dict[str, SeverityBand]:
    """Recall and F1, micro over conditions, of the positives of severity 1, 2 and 3.

    States are ``N x 14`` or ``N x 18``. ``severities`` maps study id to condition to severity; conditions that never
    have one are left out. A false positive has no severity: the bands share them in proportion to their support, so
    that they add up to the micro-average and precision differs between bands only as recall does.
    """
    resampling = resampling or Resampling()
    counts = outcomes(hypothesis_states, reference_states)
    grades = np.zeros(counts.shape[:2], dtype=np.int64)
    for row, study_id in enumerate(study_ids):
        for condition, severity in severities.get(study_id, {}).items():
            if condition in CHEXBERT_CONDITIONS:
                grades[row, CHEXBERT_CONDITIONS.index(condition)] = severity
    graded = grades.any(axis=0)
    hits, misses = counts[:, :, 0], counts[:, :, 2]
    columns = [counts[:, graded, 1].sum(axis=1)]
    for severity in SEVERITIES:
        columns += [(hits * (grades == severity)).sum(axis=1), (misses * (grades == severity)).sum(axis=1)]
    sums = resampling.sums(np.stack(columns, axis=1))
    false_alarms, band_hits, band_misses = sums[:, :1], sums[:, 1::2], sums[:, 2::2]
    support = band_hits + band_misses
    shared = ratio(false_alarms * support, support.sum(axis=1, keepdims=True))
    recall = ratio(band_hits, support)
    f1 = ratio(band_hits, band_hits + (shared + band_misses) / 2)
    return {
        str(severity): SeverityBand(int(support[0, band]), interval(recall[:, band]), interval(f1[:, band]))
        for band, severity in enumerate(SEVERITIES)
    }


def by_frequency(
    hypothesis_states: NDArray[np.integer],
    reference_states: NDArray[np.integer],
    training_states: NDArray[np.integer],
    resampling: Resampling | None = None,
) -> dict[str, FrequencyBand]:
    """Micro- and macro-F1 of rare, middling and common conditions, by their positive rate in training.

    States are ``studies x 14`` or ``studies x 18``. A band that holds no condition is left out.
    """
    resampling = resampling or Resampling()
    sums = condition_sums(outcomes(hypothesis_states, reference_states), resampling)
    bands = {}
    for name, columns in frequency_bands(training_states):
        if len(columns):
            of_band = sums[:, columns]
            bands[name] = FrequencyBand(
                conditions=tuple(CHEXBERT_CONDITIONS[column] for column in columns),
                support=int(of_band[0, :, 0].sum() + of_band[0, :, 2].sum()),
                micro_f1=interval(micro(of_band)[:, 2]),
                macro_f1=interval(macro(of_band)[:, 2]),
            )
    return bands


def frequency_bands(training_states: NDArray[np.integer]) -> list[tuple[str, NDArray[np.int64]]]:
    """Rare, middling and common conditions by their positive rate in training: name and columns of each band."""
    rates = (training_states[:, :CHEXBERT_COUNT] == POSITIVE).mean(axis=0)
    rare, common = FREQUENCY_BOUNDS
    names = (f"rare (< {rare:.0%})", f"middling ({rare:.0%} to {common:.0%})", f"common (>= {common:.0%})")
    members = np.digitize(rates, FREQUENCY_BOUNDS)
    return [(name, np.flatnonzero(members == band)) for band, name in enumerate(names)]


def mentions(states: NDArray[np.integer], conditions: Sequence[str] = INFILTRATE) -> NDArray[np.bool_]:
    """Whether each report (states ``N x 18``) states any of ``conditions`` as positive or uncertain; ``N``."""
    columns = [CONDITIONS.index(name) for name in conditions]
    return np.asarray(np.isin(states[:, columns], (POSITIVE, UNCERTAIN)).any(axis=1))


def agreement(
    states: NDArray[np.integer],
    image_positive: NDArray[np.bool_],
    conditions: Sequence[str] = INFILTRATE,
    resampling: Resampling | None = None,
) -> Figure:
    """Balanced accuracy of whether reports (states ``N x 18``) state a condition, for labels of their images (``N``).

    Raises ``WrongUse`` where the labels hold one class only.
    """
    return balanced_accuracy(mentions(states, conditions), image_positive, resampling)


def agreement_by_group(
    states: NDArray[np.integer],
    image_positive: NDArray[np.bool_],
    groups: Sequence[str],
    conditions: Sequence[str] = INFILTRATE,
    resampling: Resampling | None = None,
) -> dict[str, Figure | None]:
    """``agreement`` within each of the ``groups`` (``N`` names, such as AP and PA views), by name.

    ``None`` where all images of a group are of one class. Raises ``WrongUse`` where the counts do not match.
    """
    if len(groups) != len(states):
        raise WrongUse(f"{len(groups)} groups for {len(states)} reports; give one for each report")
    resampling = resampling or Resampling()
    actual, names = np.asarray(image_positive, dtype=bool), np.asarray(groups)
    found: dict[str, Figure | None] = {}
    for name in sorted(set(groups)):
        rows = names == name
        one_class = actual[rows].all() or not actual[rows].any()
        within = resampling.subset(rows)
        found[name] = None if one_class else agreement(states[rows], actual[rows], conditions, within)
    return found
