"""Reads the reports of IU X-Ray from copies of the collection: Kaggle's tables and R2Gen's annotation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radscribe.core.errors import WrongUse
from radscribe.core.json_files import read_json_file
from radscribe.core.report_text import tidy_lines
from radscribe.data.sources.iu_reports import IuReport
from radscribe.data.sources.listed_images import slashed
from radscribe.data.sources.listing import read_rows
from radscribe.data.sources.table import SPLIT_NAMES

ANNOTATION_LISTS = ("train", "val", "test")
# R2Gen's folders: CXR2384_IM-0942/0.png, numbered in the order of the views.
R2GEN_FOLDER = re.compile(r"(CXR\d+)(?:_.*)?")
REPORT_COLUMNS = ("uid", "MeSH", "indication", "comparison", "findings", "impression")
PROJECTION_COLUMNS = ("uid", "filename", "projection")


def film_key(name: str) -> str:
    """The key of an image by its path: "CXR25_IM-1024-2001" for NLM and Kaggle names, "CXR25/0" in R2Gen's folders."""
    path = Path(slashed(name))
    stem = re.sub(r"(\.(png|jpe?g|dcm|dicom))+$", "", path.name, flags=re.IGNORECASE)
    folder = R2GEN_FOLDER.fullmatch(path.parent.name)
    if stem.isdigit() and folder:
        return f"{folder[1]}/{int(stem)}"
    return f"CXR{stem}" if stem[:1].isdigit() else stem


def projected_views(path: Path) -> dict[str, str]:
    """Film key -> view, from indiana_projections.csv; raises ``WrongUse`` for another table."""
    rows = read_rows(path, ("filename", "projection"))
    return {film_key(row["filename"]): row["projection"].lower() for row in rows}


def native_shapes(path: Path) -> dict[str, tuple[int, int]]:
    """Film key -> rows and columns of its DICOM file, from a table with image, rows and columns.

    Raises ``WrongUse`` for another table, or a number of rows or columns that is none.
    """
    shapes = {}
    for number, row in enumerate(read_rows(path, ("image", "rows", "columns")), 2):
        if not all(row[name].isdecimal() and int(row[name]) > 0 for name in ("rows", "columns")):
            raise WrongUse(f"{path}: row {number}: rows and columns must be whole numbers above 0; correct them")
        shapes[film_key(row["image"])] = (int(row["rows"]), int(row["columns"]))
    return shapes


def kaggle_reports(reports: Path, projections: Path) -> list[IuReport]:
    """The reports of indiana_reports.csv, in its order, with their images from indiana_projections.csv.

    Raises:
        WrongUse: for a table that is missing or lacks a column, or when the two share no uid.
    """
    images: dict[str, list[str]] = {}
    for row in read_rows(projections, PROJECTION_COLUMNS):
        images.setdefault(row["uid"], []).append(film_key(row["filename"]))
    rows = read_rows(reports, REPORT_COLUMNS)
    if not any(row["uid"] in images for row in rows):
        raise WrongUse(f"{projections}: none of its uids is in {reports.name}; give both tables of one copy")
    return [
        IuReport(
            report_id=f"CXR{row['uid']}",
            **{name: tidy_lines(row[name]) for name in ("findings", "impression", "indication", "comparison")},
            images=tuple(images.get(row["uid"], ())),
            mesh=tuple(filter(None, (tag.strip() for tag in row["MeSH"].split(";")))),
        )
        for row in rows
    ]


def r2gen_reports(path: Path) -> list[IuReport]:
    """The reports of R2Gen's annotation.json, which are findings; raises ``WrongUse`` for another file."""
    reports = []
    for entry in _entries(path, ("id", "report", "image_path")):
        images, text = entry["image_path"], tidy_lines(str(entry["report"]))
        images = [images] if isinstance(images, str) else images
        reports.append(IuReport(_report_id(entry), text, "", "", "", tuple(map(film_key, map(str, images)))))
    return reports


def annotation_splits(path: Path) -> dict[str, str]:
    """Report id -> split, from R2Gen's annotation.json; raises ``WrongUse`` for another file."""
    return {_report_id(entry): SPLIT_NAMES[entry["list"]] for entry in _entries(path, ("id",))}


def _report_id(entry: Mapping[str, Any]) -> str:
    return str(entry["id"]).partition("_")[0]


def _entries(path: Path, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """All studies of an annotation: their ``keys`` and the name of the ``list`` that holds them."""
    lists = read_json_file(path, "it is not an annotation of R2Gen, give its annotation.json")
    try:
        entries = [
            {**{key: entry[key] for key in keys}, "list": name} for name in ANNOTATION_LISTS for entry in lists[name]
        ]
    except (KeyError, TypeError):
        entries = []
    kinds = {"id": str | int, "report": str, "image_path": str | list}
    if not entries or not all(isinstance(entry[key], kinds[key]) for entry in entries for key in keys):
        raise WrongUse(
            f"{path}: not an annotation of R2Gen (lists train, val and test of studies with {', '.join(keys)})"
        )
    return entries
