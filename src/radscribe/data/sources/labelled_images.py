"""Reads labelled images without reports, from a labels.csv or from folders whose names are the labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from radscribe.core.errors import WrongUse
from radscribe.data.sources.listed_images import ImageFolder
from radscribe.data.sources.listing import image_files, read_rows, view_of
from radscribe.labels.conditions import CHEXBERT_CONDITIONS, NO_FINDING, SUPPORT_DEVICES

# The conditions that an image label can name; no finding and support devices say nothing about the lungs.
COMPARED = tuple(name for index, name in enumerate(CHEXBERT_CONDITIONS) if index not in (NO_FINDING, SUPPORT_DEVICES))
# The names of NIH ChestX-ray14 that differ from CheXbert's.
OTHER_NAMES = {
    "infiltration": "lung opacity",
    "effusion": "pleural effusion",
    "mass": "lung lesion",
    "nodule": "lung lesion",
    "pleural thickening": "pleural other",
}
NOTHING_POSITIVE = ("", "no finding", "normal", "support devices")
# Findings of NIH ChestX-ray14 that are none of the compared conditions.
IGNORED = ("emphysema", "fibrosis", "hernia")
# The file names of the paediatric collection (Kermany et al. 2018); patient numbers start again for each prefix.
PATIENT_NAMES = re.compile(r"(?P<person>person)(?P<sick>\d+)_|(?P<series>(?:NORMAL\d*-)?IM)-(?P<well>\d+)-")


@dataclass(frozen=True)
class LabelledImage:
    """One image with its published labels."""

    path: Path | None  # None where the table names a file that is not there
    missing: str | None  # why it is not there
    name: str
    source: str
    patient_id: str
    labels: tuple[str, ...]  # names as published
    positive: frozenset[int]  # indices of its compared conditions
    view: str | None  # "frontal", "lateral" or None
    view_position: str  # "PA", "AP" or ""


def labelled_images(place: Path) -> list[LabelledImage]:
    """The images of a labels.csv, or of a folder with one sub-folder per label, in a fixed order.

    Raises:
        WrongUse: for a table that lacks a column, a label that is not known, or a folder without
            labelled images.
    """
    return _from_folder(place) if place.is_dir() else _from_table(place)


def positive_conditions(labels: Iterable[str]) -> frozenset[int]:
    """Indices into ``CONDITIONS`` of the conditions that the labels name.

    Pneumonia on a film is by definition an opacity of the air spaces: it counts as both.

    Raises:
        KeyError: with the label that is not known.
    """
    positive = set()
    for label in labels:
        name = _normal(label)
        if name in NOTHING_POSITIVE or name in IGNORED:
            continue
        name = OTHER_NAMES.get(name, name)
        if name not in COMPARED:
            raise KeyError(label)
        positive.add(CHEXBERT_CONDITIONS.index(name))
        if name == "pneumonia":
            positive.add(CHEXBERT_CONDITIONS.index("lung opacity"))
    return frozenset(positive)


def is_ignored(label: str) -> bool:
    """Whether a label is known but not one of the compared conditions."""
    return _normal(label) in IGNORED


def patient_of(file_name: str) -> str:
    """The patient in a file name of the paediatric collection ("person12", "IM-12", "NORMAL2-IM-12"), else its stem."""
    match = PATIENT_NAMES.match(file_name)
    if match is None:
        return Path(file_name).stem
    if match["person"]:
        return f"person{int(match['sick'])}"
    return f"{match['series']}-{int(match['well'])}"


def _normal(label: str) -> str:
    return " ".join(label.replace("_", " ").lower().split())


def _from_table(table: Path) -> list[LabelledImage]:
    images = []
    seen: set[str] = set()
    folders = [ImageFolder(table.parent), ImageFolder(table.parent / "images")]
    for row in read_rows(table, ("image", "labels", "patient_id")):
        listed = [folder.find(row["image"]) for folder in folders]
        found = next((image for image in listed if image.path), listed[0])
        name = found.name
        if name in seen:
            raise WrongUse(f"{table}: the image {name} is listed twice; keep one of its rows")
        seen.add(name)
        if not row["patient_id"]:
            raise WrongUse(f"{table}: the image {name} has no patient_id; fill it in, or patients may leak")
        labels = tuple(label.strip() for label in row["labels"].split("|"))
        try:
            positive = positive_conditions(labels)
        except KeyError as error:
            raise WrongUse(
                f"{table}: the label {error} of {name} is not known; use the names of CheXpert or NIH ChestX-ray14"
            ) from error
        view = row.get("view", "")
        images.append(
            LabelledImage(
                path=found.path,
                name=name,
                missing=None if found.path else found.reason,
                source=row.get("source") or table.resolve().parent.name,
                patient_id=row["patient_id"],
                labels=labels,
                positive=positive,
                view=view_of(view),
                view_position=view.upper() if view.upper() in ("PA", "AP") else "",
            )
        )
    return images


def _from_folder(folder: Path) -> list[LabelledImage]:
    images = []
    for path in image_files(folder):
        relative = path.relative_to(folder)
        label = next((part for part in reversed(relative.parts[:-1]) if _is_label(part)), None)
        if label is None:
            raise WrongUse(f"{path}: no folder above it names a known label; put it under one such as normal/")
        images.append(
            LabelledImage(
                path=path,
                missing=None,
                name=relative.as_posix(),
                source=folder.resolve().name,
                patient_id=patient_of(path.name),
                labels=(label,),
                positive=positive_conditions([label]),
                view=None,
                view_position="",
            )
        )
    return images


def _is_label(name: str) -> bool:
    try:
        positive_conditions([name])
    except KeyError:
        return False
    return True
