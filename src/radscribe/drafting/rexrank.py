"""ReXrank's files: its studies in, the same studies with our drafts out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from radscribe.core.errors import WrongUse
from radscribe.drafting.reporter import Reporter
from radscribe.imaging.refusal import RefusedFilm

PREDICTION = "model_prediction"
SAVED_EVERY = 50


def read_studies(path: Path) -> dict[str, dict[str, Any]]:
    """The studies of a ReXrank file by id.

    Raises ``WrongUse``: one line, for a file that is no such JSON or a study without an image path.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WrongUse(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise WrongUse(f"{path}: it is no JSON") from None
    if not isinstance(found, dict) or not all(isinstance(study, dict) for study in found.values()):
        raise WrongUse(f"{path}: it must be one JSON object from study id to study")
    without = [study_id for study_id, study in found.items() if not _image(study)]
    if without:
        raise WrongUse(f"{path}: study {without[0]} has neither key_image_path nor image_path")
    return found


def draft_studies(reporter: Reporter, studies: Mapping[str, Mapping[str, Any]], images: Path, out: Path) -> int:
    """Draft each study from its key image, below ``images``, into ``out``; returns how many films were refused.

    Studies that ``out`` holds already stay, so that an interrupted run goes on. Raises ``OSError`` as the disk does.
    """
    done = read_studies(out) if out.exists() else {}
    refused = 0
    out.parent.mkdir(parents=True, exist_ok=True)
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
            _save(done, out)
    _save(done, out)
    return refused


def _image(study: Mapping[str, Any]) -> str:
    """The path of the frontal film, else of the first one, "" where there is none."""
    paths = study.get("image_path") or [""]
    return str(study.get("key_image_path") or (paths if isinstance(paths, str) else paths[0]))


def _save(studies: Mapping[str, Any], out: Path) -> None:
    part = out.with_name(out.name + ".part")
    part.write_text(json.dumps(studies, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, out)
