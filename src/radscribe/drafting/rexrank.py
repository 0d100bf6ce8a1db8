"""Draft the studies of a ReXrank file, and write them back with the drafts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from radscribe.core.errors import WrongUse
from radscribe.core.files import read_given_json, write_json
from radscribe.drafting.reporter import Reporter
from radscribe.imaging.refusal import RefusedFilm

PREDICTION = "model_prediction"
SAVED_EVERY = 50  # studies


def read_studies(path: Path) -> dict[str, dict[str, Any]]:
    """The studies of a ReXrank file by id.

    Raises ``WrongUse``, in one line, for a file that is not such JSON, or a study without an image path.
    """
    found = read_given_json(path, "give a ReXrank file, one JSON object from study id to study")
    for study_id, study in found.items():
        if not isinstance(study, dict):
            raise WrongUse(f"{path}: study {study_id} is not a JSON object; give ReXrank's input file")
        if not _image(study):
            raise WrongUse(f"{path}: study {study_id} has neither key_image_path nor image_path; give it one")
    return found


def draft_studies(reporter: Reporter, studies: Mapping[str, Mapping[str, Any]], images: Path, out: Path) -> int:
    """Draft each study from its key image, below ``images``, into ``out``; returns how many films were refused.

    Studies that ``out`` has already stay as they are, so that an interrupted run continues.

    Raises:
        WrongUse: ``out`` exists and is not a ReXrank file.
        RadscribeError: the disk refuses.
    """
    done = read_studies(out) if out.exists() else {}
    refused = 0
    waiting = [study_id for study_id in studies if PREDICTION not in done.get(study_id, {})]
    for count, study_id in enumerate(tqdm(waiting, desc="drafting", disable=None, leave=False), start=1):
        path = images / _image(studies[study_id]).lstrip("/")
        try:
            report = reporter.drafts([reporter.view(reporter.read(path).pixels)], [study_id])[0].report
        except RefusedFilm as refusal:
            print(f"radscribe: {refusal}", file=sys.stderr)
            report, refused = "", refused + 1
        done[study_id] = {**studies[study_id], PREDICTION: report}
        if count % SAVED_EVERY == 0:
            write_json(out, done, indent=2)
    write_json(out, done, indent=2)
    return refused


def _image(study: Mapping[str, Any]) -> str:
    """The path of the key image, else of the first image, "" where there is none."""
    paths = study.get("image_path") or [""]
    return str(study.get("key_image_path") or (paths if isinstance(paths, str) else paths[0]))
