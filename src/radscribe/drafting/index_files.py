"""The reference database of a checkpoint, its ``index/`` folder: written and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from radscribe.core.errors import RadscribeError
from radscribe.core.files import read_json, saving, write_json, written_whole
from radscribe.core.tensors import read_tensors, write_tensors
from radscribe.core.version import __version__
from radscribe.models.knowledge.database import ReportDatabase

INDEX_FORMAT = "radscribe-index/1"
INDEX_FILES = ("vectors.safetensors", "studies.parquet", "index.json")


class CheckpointError(RadscribeError):
    """A checkpoint folder that is not whole, not of this version, or not of one piece."""


def save_index(folder: Path, database: ReportDatabase, fingerprint: str, texts: bool) -> None:
    """The reference database: vectors in half precision, ids, and the model's fingerprint; text where ``texts``."""
    folder.mkdir(parents=True, exist_ok=True)
    half = ("sentence_vectors", "features", "ball")
    vectors = {name: getattr(database, name).half() for name in half}
    vectors |= {
        "groups": database.patients.int(),
        "report_of_study": database.report_of_study.int(),
        "sentences_of_report": database.sentences_of_report.int(),
    }
    vectors["labels"] = database.labels
    write_tensors(folder / "vectors.safetensors", vectors)
    columns: dict[str, Any] = {"study_id": list(database.study_ids), "report_id": list(database.report_ids)}
    if texts and database.sentences is not None:
        columns["report"] = [database.report_text(row) for row in range(len(database))]
    with saving(folder), written_whole(folder / "studies.parquet") as file:
        pq.write_table(pa.table(columns), file)
    write_json(
        folder / "index.json",
        {
            "format": INDEX_FORMAT,
            "radscribe_version": __version__,
            "fingerprint": fingerprint,
            "studies": len(database),
            "reports": len(database.sentences_of_report),
            "sentences": len(database.sentence_vectors),
            "sentence_hashes": list(database.hashes),
        },
    )


def load_index(folder: Path) -> tuple[ReportDatabase, str]:
    """The reference database of an ``index/`` folder and the fingerprint of the model that built it."""
    about = read_json(folder / "index.json")
    tensors = read_tensors(folder / "vectors.safetensors")
    try:
        table = pq.read_table(folder / "studies.parquet")
    except (OSError, pa.ArrowException):
        raise CheckpointError(f"{folder / 'studies.parquet'}: missing or damaged; copy the whole checkpoint") from None
    if about.get("format") != INDEX_FORMAT or table.num_rows != len(tensors.get("groups", ())):
        raise CheckpointError(f"{folder}: its files do not belong together; copy the whole checkpoint folder again")
    database = ReportDatabase(
        study_ids=tuple(table["study_id"].to_pylist()),
        report_ids=tuple(table["report_id"].to_pylist()),
        patients=tensors["groups"].long(),
        labels=tensors["labels"],
        report_of_study=tensors["report_of_study"].long(),
        sentences_of_report=tensors["sentences_of_report"].long(),
        sentence_vectors=tensors["sentence_vectors"].float(),
        features=tensors["features"].float(),
        ball=tensors["ball"].float(),
        hashes=tuple(about["sentence_hashes"]),
    )
    if "report" in table.column_names:
        database = database.with_reports(dict(zip(database.report_ids, table["report"].to_pylist(), strict=True)))
    return database, str(about["fingerprint"])
