"""Reads the tables of MIMIC-CXR-JPG and joins them by study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from radscribe.core.csv_files import shown_columns
from radscribe.core.errors import WrongUse
from radscribe.core.records import SPLITS
from radscribe.labels.conditions import BLANK, CHEXBERT_CONDITIONS, NEGATIVE, POSITIVE, UNCERTAIN

CHEXPERT_COLUMNS = tuple(condition.title() for condition in CHEXBERT_CONDITIONS)
CHEXPERT_STATES = {None: BLANK, 1.0: POSITIVE, 0.0: NEGATIVE, -1.0: UNCERTAIN}


def table_path(root: Path, name: str) -> Path | None:
    """``mimic-cxr-2.X.X-NAME.csv`` or ``.csv.gz`` under ``root``, the newest version; None where there is none."""
    return max((path for end in ("csv", "csv.gz") for path in root.glob(f"mimic-cxr-2.*-{name}.{end}")), default=None)


def study_table(split: Path, metadata: Path | None, chexpert: Path | None) -> pa.Table:
    """One row per study, sorted by patient and study.

    Columns: ``subject_id``, ``study_id``, ``split``, ``dicom_id`` and ``ViewPosition`` (lists, in the order of the
    dicom ids; a position is null where the table has none), and where ``chexpert`` is given ``chexpert``: 14 states
    in the order of ``CHEXBERT_CONDITIONS``, null for a study that is not in that table.

    Raises:
        WrongUse: for a table that is damaged, lacks a column, or belongs to other data.
    """
    films = _read(split, dict.fromkeys(("subject_id", "study_id", "dicom_id", "split"), pa.string()))
    _check_splits(split, films)
    positions = pa.nulls(len(films), pa.string())
    if metadata is not None:
        found = _read(metadata, dict.fromkeys(("dicom_id", "ViewPosition"), pa.string()))
        positions = _looked_up(metadata, found, "dicom_id", films)["ViewPosition"]
    films = films.append_column("ViewPosition", positions)
    keys = ["subject_id", "study_id"]
    # In one thread the lists keep the order of the rows; the groups themselves are in any order.
    grouped = films.sort_by("dicom_id").group_by(keys, use_threads=False)
    studies = grouped.aggregate([("split", "first"), ("dicom_id", "list"), ("ViewPosition", "list")])
    studies = studies.rename_columns([*keys, "split", "dicom_id", "ViewPosition"])
    studies = studies.sort_by([(key, "ascending") for key in keys])
    if chexpert is not None:
        found = _read(chexpert, {"study_id": pa.string(), **dict.fromkeys(CHEXPERT_COLUMNS, pa.float64())})
        labels = _looked_up(chexpert, found, "study_id", studies).to_pylist()
        states = [None if row["study_id"] is None else _states(chexpert, row) for row in labels]
        studies = studies.append_column("chexpert", pa.array(states, pa.list_(pa.int8())))
    return studies


def _read(path: Path, columns: Mapping[str, pa.DataType]) -> pa.Table:
    try:
        with csv.open_csv(path) as reader:
            header = reader.schema.names
        missing = [name for name in columns if name not in header]
        if missing:
            raise WrongUse(
                f"{path}: the column {', '.join(missing)} is missing; {shown_columns(header, list(columns))}"
            )
        options = csv.ConvertOptions(include_columns=list(columns), column_types=dict(columns))
        table = csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path}: it cannot be read as the published CSV table; fetch it again") from error
    if not len(table):
        raise WrongUse(f"{path}: it has a header and no rows; fetch it again")
    return table.combine_chunks()


def _check_splits(path: Path, films: pa.Table) -> None:
    unknown = sorted(set(pc.unique(films["split"]).to_pylist()) - set(SPLITS))
    if unknown:
        raise WrongUse(f'{path}: the split "{unknown[0]}" is not known; the published ones are {", ".join(SPLITS)}')
    counts = films.group_by("subject_id").aggregate([("split", "count_distinct")])["split_count_distinct"]
    if pc.max(counts).as_py() > 1:
        raise WrongUse(f"{path}: a patient is in two splits; fetch the published table again")


def _looked_up(path: Path, table: pa.Table, key: str, wanted: pa.Table) -> pa.Table:
    """The row of ``table`` for each ``key`` of ``wanted``; nulls where there is none."""
    places = pc.index_in(wanted[key], value_set=table[key])
    if places.null_count == len(wanted):
        raise WrongUse(f"{path}: it shares no {key} with the table of the splits; give tables of one release")
    return table.take(places)


def _states(path: Path, row: Mapping[str, Any]) -> list[int]:
    try:
        return [CHEXPERT_STATES[row[column]] for column in CHEXPERT_COLUMNS]
    except KeyError as error:
        raise WrongUse(f"{path}: the label {error} is not known; CheXpert's are 1.0, 0.0, -1.0 and blank") from error
