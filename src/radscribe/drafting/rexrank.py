"""Draft the studies of a ReXrank file, and write them back with the drafts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radscribe.core.errors import WrongUse
from radscribe.core.files import read_given_json, write_json
from radscribe.core.progress import progress
from radscribe.data.sources.listed_images import ImageFolder
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

    Studies that have a draft in ``out`` stay as they are, so that an interrupted run continues; others, among them the
    refused ones of a run before, whose draft is empty, are tried anew.

    Raises:
        WrongUse: ``out`` exists and is not a ReXrank file.
        RadscribeError: the disk refuses.
    """
    done = read_studies(out) if out.exists() else {}
    refused = 0
    waiting = [study_id for study_id in studies if not done.get(study_id, {}).get(PREDICTION)]
    folder = ImageFolder(images)
    for count, study_id in enumerate(progress(waiting, "drafting", "study"), start=1):
        image = folder.find(_image(studies[study_id]))
        try:
            if image.path is None:
                raise RefusedFilm(str(images / image.name), image.reason)
            # The whole report, as the benchmark scores it: no sentence withheld, no film refused.
            report = reporter.write(reporter.see([reporter.view(reporter.read(image.path).pixels)]))[0]
        except RefusedFilm as refusal:
            print(f"radscribe: {refusal}", file=sys.stderr)
            report, refused = "", refused + 1
        done[study_id] = {**studies[study_id], PREDICTION: report}
        if count % SAVED_EVERY == 0:
            write_json(out, done, indent=2)
    write_json(out, done, indent=2)
    return refused


def key_images(studies: Mapping[str, Mapping[str, Any]], images: Path) -> list[Path]:
    """The files of the studies' key images below ``images``, those that are there."""
    folder = ImageFolder(images)
    return [image.path for study in studies.values() if (image := folder.find(_image(study))).path]


def _image(study: Mapping[str, Any]) -> str:
    """The path of the key image, else of the first image, "" where there is none."""
    paths = study.get("image_path")
    first = paths[0] if isinstance(paths, list) and paths else paths
    return next((path for path in (study.get("key_image_path"), first) if path and isinstance(path, str)), "")
