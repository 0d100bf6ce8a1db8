"""Write ``annotation.json`` and ``images/`` for R2Gen and R2GenCMN.

Read by ``modules/datasets.py`` of zhjohnchan/R2Gen and R2GenCMN: ``report`` and ``image_path`` of each entry in the
lists train, val and test; two images per entry for ``iu_xray``, the first one for ``mimic_cxr``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from radscribe.core.records import Study
from radscribe.core.report_text import one_line
from radscribe.data.dataset import PreparedDataset
from radscribe.exports.folder import Contents, film_paths, write_films, write_json
from radscribe.exports.layout import Layout

ANNOTATION = "annotation.json"
# List of an annotation -> our split.
LISTS = {"train": "train", "val": "validate", "test": "test"}
# Our split -> list of an annotation.
NAMES = {split: name for name, split in LISTS.items()}


def lists_of(dataset: PreparedDataset) -> dict[str, list[Study]]:
    """The studies of each split, by the name of its list in an annotation."""
    return {name: dataset.split(split) for name, split in LISTS.items()}


def section_of(dataset: PreparedDataset) -> str:
    """The report section that the dataset was prepared for."""
    return str(dataset.manifest["settings"].get("section", "findings"))


def entry_of(study: Study, section: str, layout: Layout, suffix: str = "png") -> dict[str, Any]:
    """One entry with the keys of R2Gen's file of IU X-Ray, or of MIMIC-CXR, which also names study and patient."""
    known = {"study_id": study.study_id, "subject_id": study.patient_id} if layout is Layout.MIMIC else {}
    return {
        "id": study.study_id,
        **known,
        "report": one_line(study.report(section)),  # as published: their readers cut sentences at spaces
        "image_path": film_paths(study, suffix, least=2 if layout is Layout.IU else 1),
        "split": NAMES[study.split],
    }


def write_annotation(folder: Path, dataset: PreparedDataset, layout: Layout) -> Contents:
    """Write annotation.json and images/ for R2Gen and R2GenCMN to ``folder``."""
    section = section_of(dataset)
    lists = lists_of(dataset)
    entries = {name: [entry_of(study, section, layout) for study in studies] for name, studies in lists.items()}
    write_json(folder / ANNOTATION, entries)
    counts = write_images(folder, dataset, lists, "png")
    return Contents(counts, {ANNOTATION: sum(map(len, entries.values()))})


def write_images(
    folder: Path, dataset: PreparedDataset, lists: Mapping[str, Sequence[Study]], suffix: str
) -> dict[str, dict[str, int]]:
    """Write the films of each list to images/; returns the numbers of studies and images by list."""
    return {
        name: {"studies": len(studies), "images": write_films(folder, dataset, studies, suffix)}
        for name, studies in lists.items()
    }
