"""Write R2Gen's files with 14 binary labels per study for XProNet, as the JSON that its pickle is made from.

Read by Markin-Wang/XProNet (``modules/datasets.py``): ``labels[id]``; for IU X-Ray the key is the first two
hyphen-separated parts of the id. As in its ``files/gen_labels.ipynb``, positive and uncertain are 1; without any, the
last label ("no finding") is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radscribe.core.errors import RadscribeError
from radscribe.core.files import read_json
from radscribe.data.dataset import PreparedDataset
from radscribe.exports.annotation import ANNOTATION, entry_of, lists_of, section_of, write_images
from radscribe.exports.folder import Contents, write_json
from radscribe.exports.layout import Layout
from radscribe.labels.conditions import CHEXBERT_CONDITIONS, CHEXBERT_COUNT, POSITIVE, UNCERTAIN

LABELS = "labels.json"
# Labels of IU X-Ray came from CheXbert, in its order; those of MIMIC-CXR from a table in alphabetical order.
ORDERS: dict[Layout, tuple[str, ...]] = {
    Layout.IU: CHEXBERT_CONDITIONS,
    Layout.MIMIC: (
        *sorted(set(CHEXBERT_CONDITIONS) - {"support devices", "no finding"}),
        "support devices",
        "no finding",
    ),
}


def write_xpronet(folder: Path, dataset: PreparedDataset, layout: Layout) -> Contents:
    """Write annotation.json, images/ and labels.json to ``folder``."""
    lists, section = lists_of(dataset), section_of(dataset)
    studies = [study for members in lists.values() for study in members]
    named = [study.study_id for study in studies]
    ids = dict(zip(named, ids_of(named) if layout is Layout.IU else named, strict=True))
    entries = {
        name: [{**entry_of(study, section, layout), "id": ids[study.study_id]} for study in members]
        for name, members in lists.items()
    }
    write_json(folder / ANNOTATION, entries)
    labels = {key_of(ids[study.study_id], layout): binary_labels(study.labels, ORDERS[layout]) for study in studies}
    write_json(folder / LABELS, labels)
    return Contents(write_images(folder, dataset, lists, "png"), {ANNOTATION: len(studies), LABELS: len(labels)})


def ids_of(study_ids: Sequence[str]) -> list[str]:
    """Ids that differ in their first two hyphen-separated parts; those of R2Gen's split already do and are kept."""
    if all("-" in name for name in study_ids) and len({key_of(name, Layout.IU) for name in study_ids}) == len(
        study_ids
    ):
        return list(study_ids)
    return [f"{name.replace('-', '_')}-{number:06d}" for number, name in enumerate(study_ids)]


def key_of(study_id: str, layout: Layout) -> str:
    """The key by which XProNet looks up the labels of a study."""
    return "-".join(study_id.split("-")[:2]) if layout is Layout.IU else study_id


def binary_labels(states: Sequence[int], order: Sequence[str]) -> list[int]:
    """14 zeros and ones from 18 (or 14) states, in ``order``, whose last is "no finding"."""
    said = [int(states[CHEXBERT_CONDITIONS.index(name)] in (POSITIVE, UNCERTAIN)) for name in order]
    return said if any(said) else [*said[:-1], 1]


def read_labels(path: Path) -> dict[str, list[int]]:
    """Labels of labels.json by key. Raises ``RadscribeError`` for anything but 14 zeros and ones per study."""
    labels: dict[str, list[int]] = read_json(path)
    wrong = [key for key, row in labels.items() if not isinstance(row, list) or len(row) != CHEXBERT_COUNT]
    if wrong or not all(number in (0, 1) for row in labels.values() for number in row):
        raise RadscribeError(f"{path}: it does not hold 14 zeros and ones per study; copy it again")
    return labels
