"""What a preparation starts from."""

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
    """A raw source, ready to be read.

    ``studies`` gives its studies in a fixed order; it is called once work really begins, with a scratch folder that
    lives until the preparation is done. ``settings`` and ``inputs`` (file name -> SHA-256 of the tables
    and archives it was made from) decide the output and tell one preparation from another; ``notes`` go into the
    manifest; ``extra_fields`` are the columns it adds; ``rejections`` were made before any film was read. ``secrets``
    are files of the dataset folder that only its owner may read (name -> content), written before anything else.
    """

    name: str
    studies: Callable[[Path], Sequence[StudyTask]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    extra_fields: Mapping[str, pa.DataType] = field(default_factory=dict)
    rejections: tuple[Rejection, ...] = ()
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    weakly_paired: bool = False
