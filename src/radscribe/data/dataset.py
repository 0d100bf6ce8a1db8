"""Opens a prepared dataset for reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.files import PARTIAL
from radscribe.core.records import SPLITS, Study, View
from radscribe.data.schema import FORMAT, TEXTS
from radscribe.imaging.levels import Pixels


@dataclass(frozen=True, eq=False)
class PreparedDataset:
    """The studies, films and manifest of a prepared dataset folder.

    ``pixels`` is uint8, images x size x size, memory-mapped and read-only; ``View.image_index`` is a row of it.
    """

    folder: Path
    manifest: Mapping[str, Any]
    table: pa.Table
    pixels: Pixels

    @classmethod
    def open(cls, folder: str | Path) -> PreparedDataset:
        """Open ``folder`` and check that its files belong together.

        Raises:
            RadscribeError: for a missing, unfinished, damaged or foreign folder.
        """
        folder = Path(folder)
        manifest = _read_manifest(folder)
        try:
            table = pq.read_table(folder / "studies.parquet")
            pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, pa.ArrowException) as error:
            raise RadscribeError(f"{folder}: its files are missing or damaged; prepare it again") from error
        counts = manifest["counts"].values()
        images, studies = (sum(split[what] for split in counts) for what in ("images", "studies"))
        size = manifest["settings"]["size"]
        if table.num_rows != studies or pixels.shape != (images, size, size) or pixels.dtype != np.uint8:
            raise RadscribeError(f"{folder}: its files do not agree with its manifest.json; prepare it again")
        return cls(folder, manifest, table, pixels)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the content hashes of the manifest: datasets with the same fingerprint are the same."""
        return hashlib.sha256(json.dumps(self.manifest["hashes"], sort_keys=True).encode()).hexdigest()

    @property
    def origin(self) -> str:
        """The fingerprint; for phantoms without their pixels, which settings and seed determine up to rounding.

        Rounding differs between processors, and the origin of a phantom set must not depend on the machine.
        """
        if self.manifest["settings"]["source"] != "phantom":
            return self.fingerprint
        hashes = {name: value for name, value in self.manifest["hashes"].items() if name != "pixels"}
        return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()

    @cached_property
    def studies(self) -> list[Study]:
        """All studies, in the order of ``studies.parquet``."""
        return [_study(row) for row in self.table.to_pylist()]

    @cached_property
    def texts(self) -> list[str]:
        """Reports without a study here, which may train a text encoder: none of them is one of a scored study."""
        path = self.folder / TEXTS
        if "texts" not in self.manifest["hashes"]:
            return []
        try:
            texts: list[str] = json.loads(path.read_text("utf-8"))["texts"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RadscribeError(f"{path}: missing or damaged; prepare the dataset again") from error
        return texts

    def split(self, name: str) -> list[Study]:
        """The studies of the split "train", "validate" or "test"; raises ``WrongUse`` for another name."""
        if name not in SPLITS:
            raise WrongUse(f'"{name}" is not a split; use {", ".join(SPLITS)}')
        return [study for study in self.studies if study.split == name]

    def require_section(self, section: str) -> None:
        """Raise ``RadscribeError`` if the dataset was prepared for another section than ``section``."""
        own = self.manifest["settings"].get("section")
        if own == "none":
            raise RadscribeError(f"{self.folder}: its films have labels and no reports; give it to train as --labelled")
        if own is not None and own != section:
            raise RadscribeError(
                f"{self.folder}: prepared for the section {own}, but {section} is needed; prepare the data again with "
                f"--section {section}, or use a recipe or model for {own}"
            )

    def column(self, name: str) -> dict[str, Any]:
        """A column that the source added (such as ``severities`` or ``image_labels``), by study id.

        Raises:
            RadscribeError: when the dataset has no such column.
        """
        if name not in self.table.column_names:
            raise RadscribeError(f"{self.folder}: it has no column {name}")
        ids: Sequence[str] = self.table["study_id"].to_pylist()
        return dict(zip(ids, self.table[name].to_pylist(), strict=True))

    def film(self, study: Study) -> Pixels:
        """The film that a one-view model reads: uint8, size x size."""
        film: Pixels = self.pixels[study.frontal.image_index]
        return film

    def films(self, study: Study, count: int) -> list[Pixels]:
        """The ``count`` films (uint8, size x size) that a model of several views reads, the frontal first."""
        return [self.pixels[view.image_index] for view in study.read(count)]


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.exists():
        if (folder / PARTIAL).exists():
            raise RadscribeError(f"{folder}: its preparation was interrupted; run the same prepare command again")
        raise RadscribeError(f"{folder}: no prepared dataset here; make one with radscribe prepare")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
        found = manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RadscribeError(f"{path}: it is damaged; prepare the dataset again") from error
    if found != FORMAT:
        raise RadscribeError(f"{path}: its format is {found}, but this version reads {FORMAT}; prepare it again")
    return manifest


def _study(row: Mapping[str, Any]) -> Study:
    return Study(
        study_id=row["study_id"],
        patient_id=row["patient_id"],
        split=row["split"],
        views=tuple(View(view["image_index"], view["view"], view["source"]) for view in row["views"]),
        findings=row["findings"],
        impression=row["impression"],
        indication=row["indication"],
        labels=tuple(row["labels"]),
        triplets=tuple((entry["entity"], entry["place"], entry["present"]) for entry in row["triplets"]),
    )
