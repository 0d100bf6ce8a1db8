"""Reads a user's own data from a CSV table of images and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from radscribe.core.errors import WrongUse
from radscribe.core.files import sha256_of
from radscribe.core.report_text import tidy_lines
from radscribe.data.raw import RawStudy
from radscribe.data.source import Source
from radscribe.data.sources.listed_images import ImageFolder, ListedImage, images_hash
from radscribe.data.sources.listing import read_rows, view_of

REQUIRED = ("image", "report", "patient_id")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validate",
    "valid": "validate",
    "validate": "validate",
    "validation": "validate",
    "test": "test",
}
Row = Mapping[str, str]


def table_source(table: Path, images: Path) -> Source:
    """Studies from a CSV table with the columns image, report, patient_id and optionally study_id, split, view.

    ``image`` is a path below ``images``. Rows with the same study_id are views of one study; without a study_id
    each image is its own study. A patient without a given split gets one by hash. The report becomes the findings.

    Raises:
        WrongUse: for a missing table or folder, or a table that lacks a column or contradicts itself.
    """
    if not images.is_dir():
        raise WrongUse(f"{images}: no such folder")
    folder = ImageFolder(images)
    rows = read_rows(table, REQUIRED)
    found = {row["image"]: folder.find(row["image"]) for row in rows}
    rows = [{**row, "image": found[row["image"]].name if row["image"] else ""} for row in rows]
    listed = {image.name: image for image in found.values()}
    _require_single_images(table, rows)
    splits = _patient_splits(table, rows)
    studies: dict[str, list[Row]] = {}
    for row in rows:
        studies.setdefault(row.get("study_id") or _study_id(row["image"]), []).append(row)
    for study_id, members in studies.items():
        _require_one_study(table, study_id, members)
    tasks = [_study(study_id, members, listed, splits) for study_id, members in studies.items()]
    return Source(
        name="table",
        studies=lambda scratch: tasks,
        inputs={table.name: sha256_of(table), images.resolve().name: images_hash(found.values(), images)},
    )


def _study_id(image: str) -> str:
    path = Path(image)
    return (path.with_suffix("") if path.name else path).as_posix().replace("/", "-")


def _require_single_images(table: Path, rows: Sequence[Row]) -> None:
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        for column in ("image", "patient_id"):
            if not row[column]:
                raise WrongUse(f"{table}: row {number} has no {column}; fill it in")
        image = row["image"]
        if image in seen:
            raise WrongUse(f"{table}: the image {image} is listed twice; keep one of its rows")
        seen.add(image)


def _patient_splits(table: Path, rows: Sequence[Row]) -> dict[str, str]:
    """The split of each patient for whom the table gives one."""
    splits: dict[str, set[str]] = {}
    for row in rows:
        given = row.get("split", "")
        if not given:
            continue
        if given.lower() not in SPLIT_NAMES:
            raise WrongUse(f'{table}: the split "{given}" of {row["image"]} is not known; use train, validate or test')
        splits.setdefault(row["patient_id"], set()).add(SPLIT_NAMES[given.lower()])
    shared = [patient for patient, found in splits.items() if len(found) > 1]
    if shared:
        raise WrongUse(
            f"{table}: {len(shared)} patient(s) are in two splits; give all rows of a patient the same split, or "
            "omit the column to split by patient"
        )
    return {patient: next(iter(found)) for patient, found in splits.items()}


def _require_one_study(table: Path, study_id: str, members: Sequence[Row]) -> None:
    for column in ("report", "patient_id"):
        if len({row[column] for row in members}) > 1:
            raise WrongUse(
                f"{table}: the study_id {study_id} is on rows with a different {column}; views of one study must "
                "share it, other studies need another study_id"
            )


def _study(
    study_id: str, members: Sequence[Row], listed: Mapping[str, ListedImage], splits: Mapping[str, str]
) -> RawStudy:
    patient, report = members[0]["patient_id"], tidy_lines(members[0]["report"])
    return RawStudy(
        study_id=study_id,
        patient_id=patient,
        split=splits.get(patient),
        films=tuple(listed[row["image"]].film(view_of(row.get("view", ""))) for row in members),
        findings=report,
        refused=None if report else "its report is empty",
    )
