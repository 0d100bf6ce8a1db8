"""Reads annotation files of the R2Gen lineage (R2GenCMN, XProNet, PromptMRG, REVTAF), of IU X-Ray or MIMIC-CXR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from radscribe.core.errors import WrongUse
from radscribe.core.files import sha256_of
from radscribe.core.json_files import read_json_file
from radscribe.core.report_text import tidy_lines
from radscribe.data.raw import RawStudy
from radscribe.data.source import Source
from radscribe.data.sources.listed_images import ImageFolder, ListedImage, images_hash
from radscribe.data.sources.table import SPLIT_NAMES
from radscribe.labels.conditions import CHEXBERT_COUNT, CONDITIONS, STATES
from radscribe.labels.lines import without_page_breaks

EXTRA_FIELDS = {"annotation_labels": pa.list_(pa.int8())}
LABEL_COUNTS = (CHEXBERT_COUNT, len(CONDITIONS))
Entry = Mapping[str, Any]


def annotation_source(annotation: Path, images: Path) -> Source:
    """The studies of an annotation file, one per entry; every ``image_path`` is relative to ``images``.

    R2Gen's file is ``{"train": [...], "val": [...], "test": [...]}`` of ``{"id", "report", "image_path", "split"}``,
    for MIMIC-CXR with ``study_id`` and ``subject_id`` too; PromptMRG adds ``labels`` (14 or 18 states) and
    ``clip_indices``, and its file of IU X-Ray is one bare list, all for testing. The split is the list that holds the
    entry, in a bare list the entry's ``split``, else test. The patient is ``subject_id``, else ``id``: every report of
    IU X-Ray is its own patient. The report becomes the findings; ``labels`` are kept in the column
    ``annotation_labels`` beside those of this project; ``clip_indices``, rows of another file, are dropped.

    Raises:
        WrongUse: for a missing folder, or a file that is not such an annotation.
    """
    if not images.is_dir():
        raise WrongUse(f"{images}: no such folder; give the one that the image paths are relative to")
    entries = _read(annotation)
    folder = ImageFolder(images)
    found = {path: folder.find(path) for _, entry in entries for path in entry["image_path"]}
    ids = _study_ids([str(entry["id"]) for _, entry in entries])
    studies = [_study(study_id, split, entry, found) for study_id, (split, entry) in zip(ids, entries, strict=True)]
    return Source(
        name="annotation",
        studies=lambda scratch: studies,
        inputs={
            annotation.name: sha256_of(annotation),
            images.resolve().name: images_hash(found.values(), images),
        },
        extra_fields=EXTRA_FIELDS,
    )


def _read(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every entry with its split, in the order of the file."""
    content = read_json_file(path, "give an annotation of R2Gen or PromptMRG as valid JSON")
    lists = content if isinstance(content, dict) else {"": content}
    if not lists or not all(isinstance(members, list) for members in lists.values()) or not any(lists.values()):
        raise WrongUse(f"{path}: not an annotation; it must hold lists train, val and test of studies, or one list")
    entries = []
    for name, members in lists.items():
        for entry in members:
            if not isinstance(entry, dict):
                raise WrongUse(f"{path}: an entry is not a JSON object; give an annotation of R2Gen or PromptMRG")
            _check(path, entry)
            split = str(name or entry.get("split", "test"))
            if split not in SPLIT_NAMES:
                raise WrongUse(f'{path}: the split "{split}" is not known; use train, val or test')
            entries.append((SPLIT_NAMES[split], {**entry, "image_path": _paths(entry)}))
    return entries


def _paths(entry: Entry) -> list[str]:
    """The images of an entry; one that is listed twice, to fill a two-view loader, counts once."""
    given = entry.get("image_path", [])
    return list(dict.fromkeys([given] if isinstance(given, str) else given))


def _check(path: Path, entry: Entry) -> None:
    if not _is_id(entry.get("id")) or not isinstance(entry.get("report"), str):
        raise WrongUse(f"{path}: an entry has no id or no report; give it both")
    if entry.get("subject_id") is not None and not _is_id(entry["subject_id"]):
        raise WrongUse(f"{path}: the subject_id of {entry['id']} is neither text nor a whole number; correct it")
    paths = entry.get("image_path", [])
    if not isinstance(paths, str) and not (isinstance(paths, list) and all(isinstance(each, str) for each in paths)):
        raise WrongUse(f"{path}: the image_path of {entry['id']} is neither a path nor a list of paths")
    labels = entry.get("labels")
    if labels is not None and (
        not isinstance(labels, list)
        or len(labels) not in LABEL_COUNTS
        or not all(isinstance(state, int) and 0 <= state < len(STATES) for state in labels)
    ):
        raise WrongUse(f"{path}: the labels of {entry['id']} are not 14 or 18 states from 0 to 3")


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip() != ""


def _study_ids(ids: Sequence[str]) -> list[str]:
    """The ids of the entries; the second entry with the same id becomes "id-2", and so on."""
    seen: Counter[str] = Counter()
    names = []
    for name in ids:
        seen[name] += 1
        names.append(f"{name}-{seen[name]}" if seen[name] > 1 else name)
    return names


def _study(study_id: str, split: str, entry: Entry, found: Mapping[str, ListedImage]) -> RawStudy:
    report = without_page_breaks(tidy_lines(entry["report"]))
    return RawStudy(
        study_id=study_id,
        patient_id=str(entry["id"] if entry.get("subject_id") is None else entry["subject_id"]),
        split=split,
        films=tuple(image.film() for image in dict.fromkeys(found[path] for path in entry["image_path"])),
        findings=report,
        extra={"annotation_labels": entry.get("labels")},
        refused=None if report else "its report is empty",
    )
