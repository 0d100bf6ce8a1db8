"""Reads one raw study into a row and its fitted films, in a worker process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from radscribe.core.records import Study
from radscribe.data.raw import RawStudy, StudyTask
from radscribe.imaging.film import fit
from radscribe.imaging.levels import Pixels
from radscribe.imaging.refusal import RefusedFilm


@dataclass(frozen=True)
class Rejection:
    """A rejected film or study: a line of ``rejected.csv``."""

    source: str
    reason: str


@dataclass(frozen=True, eq=False)
class ReadStudy:
    """What a study gives to its shard."""

    row: dict[str, Any] | None  # the columns of the shard; None for a rejected study
    pixels: Pixels  # uint8, images x size x size
    rejections: tuple[Rejection, ...]


def read_study(task: StudyTask, size: int, section: str) -> ReadStudy:
    """Read the films of one study, fit them to ``size`` x ``size`` and label its report.

    The report is the chosen ``section`` ("findings", "impression" or "both"; "none" wants no report). A refused film is
    rejected, and the study too when no film is left; bad input raises nothing.
    """
    study = task.resolve()
    nothing = np.empty((0, size, size), np.uint8)
    text = _report(study, section)
    if study.refused or not (text or section == "none"):
        reason = study.refused or ("no report" if section == "both" else f"no {section} section")
        return ReadStudy(None, nothing, (Rejection(study.study_id, reason),))
    films: list[Pixels] = []
    views: list[dict[str, Any]] = []
    rejections: list[Rejection] = []
    for raw in study.films:
        try:
            film = raw.load(size)
        except RefusedFilm as refusal:
            rejections.append(Rejection(raw.source, refusal.reason))
            continue
        views.append({"image_index": len(films), "view": raw.view or film.view or "unknown", "source": raw.source})
        films.append(fit(film.pixels, size))
    if not films:
        return ReadStudy(None, nothing, (*rejections, Rejection(study.study_id, "no film of it could be read")))
    row = {
        "study_id": study.study_id,
        "patient_id": study.patient_id,
        "split": study.split,
        "views": views,
        "findings": study.findings,
        "impression": study.impression,
        "indication": study.indication,
        "labels": list(study.labels) if study.labels is not None else _labels(text),
        "triplets": _triplets(text),
        **study.extra,
        "image_hashes": [hashlib.sha256(film.tobytes()).hexdigest() for film in films],
        "difference_hashes": [difference_hash(film) for film in films],
    }
    return ReadStudy(row, np.stack(films), tuple(rejections))


def difference_hash(film: Pixels) -> bytes:
    """32 bytes for a film (size x size): whether each cell of a 16 x 16 grid is brighter than its right neighbour."""
    cells: npt.NDArray[np.uint8] = np.asarray(Image.fromarray(film).resize((17, 16), Image.Resampling.BOX))
    return np.packbits(cells[:, :-1] > cells[:, 1:]).tobytes()


def _report(study: RawStudy, section: str) -> str:
    record = Study("", "", "", (), findings=study.findings, impression=study.impression)
    return record.report(section).strip()


def _labels(text: str) -> list[int]:
    from radscribe.labels.rules import label_report

    return label_report(text)


def _triplets(text: str) -> list[dict[str, int]]:
    from radscribe.labels.triplets import extract_triplets

    return [
        {"entity": entity, "place": place, "present": int(present)} for entity, place, present in extract_triplets(text)
    ]
