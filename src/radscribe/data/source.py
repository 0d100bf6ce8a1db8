"""Describes a raw source that is ready to be prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from radscribe.data.raw import StudyTask
from radscribe.data.reading import Rejection


@dataclass(frozen=True)
class Source:
    """A raw source, ready to be read; ``settings`` and ``inputs`` decide the output and identify a preparation."""

    name: str
    # Gives the studies in a fixed order; called when reading begins, with a scratch folder kept until the end.
    studies: Callable[[Path], Sequence[StudyTask]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    # Name -> SHA-256 of each table, archive and folder listing that the source was made from.
    inputs: Mapping[str, str] = field(default_factory=dict)
    # The section's texts of reports without a study here, for training a text encoder alone; none of them a report that
    # is scored.
    texts: Callable[[str], Sequence[str]] | None = None
    # Added to the manifest.
    notes: Mapping[str, Any] = field(default_factory=dict)
    # Columns that the source adds to studies.parquet.
    extra_fields: Mapping[str, pa.DataType] = field(default_factory=dict)
    # Made before any film was read.
    rejections: tuple[Rejection, ...] = ()
    # File name -> content of files in the dataset folder that only its owner may read; written first.
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    # Whether the reports were not written for their films.
    weakly_paired: bool = False
