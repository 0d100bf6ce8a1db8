"""Controls that draft from another patient's film, from one part of it, or from noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from radscribe.core.errors import RadscribeError
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter
from radscribe.evaluation.drafted import Change, evidence_of, write_reports
from radscribe.evaluation.scorecard.card import Control
from radscribe.evaluation.split import SplitReferences
from radscribe.imaging.crop import only_edge
from radscribe.labels.conditions import NO_FINDING, POSITIVE
from radscribe.models.evidence import FilmEvidence

NOISE_FILMS = 8


def other_films(studies: Sequence[Study], sources: Sequence[str], seed: int = 0) -> NDArray[np.int64]:
    """For each of ``N`` studies the row of another patient's study of the same image source, drawn with ``seed``.

    Where the source has no other patient, the study is of any source. Raises ``RadscribeError`` where all studies are
    of one patient.
    """
    random = np.random.default_rng(seed)
    patients = np.array([study.patient_id for study in studies])
    names = np.array(sources)
    chosen = np.empty(len(studies), dtype=np.int64)
    for row in range(len(studies)):
        others = np.nonzero((patients != patients[row]) & (names == names[row]))[0]
        if not len(others):
            others = np.nonzero(patients != patients[row])[0]
        if not len(others):
            raise RadscribeError("all studies are of one patient: no other film to shuffle with; score more studies")
        chosen[row] = random.choice(others)
    return chosen


def image_sources(dataset: PreparedDataset, studies: Sequence[Study]) -> list[str]:
    """The collection that each study's image comes from, "" where the dataset does not record it."""
    if "image_source" not in dataset.table.column_names:
        return [""] * len(studies)
    column = dataset.column("image_source")
    return [column[study.study_id] for study in studies]


def stratified_rows(studies: Sequence[Study], sources: Sequence[str], count: int, seed: int = 0) -> list[int]:
    """At most ``count`` rows of the studies, sorted: of each image source and of studies with and without a finding as
    large a share as among all, to within one study; drawn with ``seed``.
    """
    strata = [(source, study.labels[NO_FINDING] == POSITIVE) for study, source in zip(studies, sources, strict=True)]
    number = np.unique([f"{healthy} {source}" for source, healthy in strata], return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(len(studies))
    order = order[np.argsort(number[order], kind="stable")]
    count = min(count, len(studies))
    steps = (np.arange(count) + 0.5) * len(studies) / max(count, 1)
    return sorted(order[steps.astype(int)].tolist())


def part_controls(
    reporter: Reporter,
    references: SplitReferences,
    evidence: FilmEvidence,
    reports: Sequence[str],
    shuffled: NDArray[np.int64],
    rows: Sequence[int],
) -> dict[str, Control]:
    """For each part of the evidence (patches, retrieved text, memory) the control ``other_PART``.

    The studies of ``rows`` are drafted again with that part alone taken from the film of row ``shuffled`` (``N``), and
    compared with their own ``reports``; where these are not all, the control ``same_studies`` has the figures of those.
    """
    own = references.score([reports[row] for row in rows], rows)
    controls = {}
    if len(rows) < len(reports):
        controls["same_studies"] = own.with_control("own", own).controls["own"]
    for part in evidence.parts:
        other = evidence.rows(torch.from_numpy(shuffled[list(rows)]))
        exchanged = evidence.rows(torch.tensor(rows)).with_part_of(part, other)
        written = write_reports(reporter, exchanged, f"other {part}")
        controls[f"other_{part}"] = own.with_control(part, references.score(written, rows)).controls[part]
    return controls


def without_top(film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The film (H x W) with its upper sixth, where letters stand and hardly a lung, at its mean grey."""
    blanked = film.copy()
    blanked[: film.shape[0] // 6] = film.mean()
    return blanked


# Controls of films that are changed alike: with the edge alone a draft should know nothing, without the top everything.
CHANGED: Mapping[str, Change] = {"edge_alone": only_edge, "without_top": without_top}


def changed_controls(
    reporter: Reporter, references: SplitReferences, reports: Sequence[str], rows: Sequence[int]
) -> dict[str, Control]:
    """For each change of ``CHANGED`` the control of that name: the studies of ``rows`` drafted from changed films."""
    own = references.score([reports[row] for row in rows], rows)
    studies = [references.studies[row] for row in rows]
    controls = {}
    for name, change in CHANGED.items():
        evidence = evidence_of(reporter, references.dataset, studies, change)
        written = write_reports(reporter, evidence, name.replace("_", " "))
        controls[name] = own.with_control(name, references.score(written, rows)).controls[name]
    return controls


def noise_reports(reporter: Reporter, count: int) -> list[str]:
    """``count`` reports drafted from films of uniform noise, of which there are eight."""
    size = reporter.system.config.film.crop
    noise = np.random.default_rng(0).integers(0, 256, (NOISE_FILMS, size, size)).astype(np.uint8)
    reports = reporter.write(reporter.see(noise))
    return [reports[row % NOISE_FILMS] for row in range(count)]
