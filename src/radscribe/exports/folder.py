"""Write an export folder: built in ``.partial``, moved into place when complete, ``export.json`` last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from radscribe.core import files
from radscribe.core.errors import RadscribeError
from radscribe.core.files import PARTIAL, read_json, replaced, sha256_of, written_whole
from radscribe.core.json_files import read_json_file, read_json_lines
from radscribe.core.progress import progress
from radscribe.core.records import Study, View
from radscribe.core.text_files import read_text
from radscribe.core.version import __version__
from radscribe.data.dataset import PreparedDataset

FORMAT = "radscribe-export/1"
RECORD = "export.json"
# Pillow's settings by film suffix; repositories that expect MIMIC-CXR-JPG's suffix get its quality.
ENCODINGS: Mapping[str, Mapping[str, Any]] = {"png": {"format": "PNG"}, "jpg": {"format": "JPEG", "quality": 95}}


@dataclass(frozen=True)
class Contents:
    """What an export wrote."""

    counts: Mapping[str, Mapping[str, int]]  # by list
    rows: Mapping[str, int] = field(default_factory=dict)  # of the files that have rows
    missing: Mapping[str, str] = field(default_factory=dict)  # file -> why it was not written


def export(
    dataset: PreparedDataset,
    out: Path,
    kind: str,
    settings: Mapping[str, Any],
    write: Callable[[Path], Contents],
) -> dict[str, Any]:
    """Run ``write`` on a folder inside ``out``, move its content to ``out`` and return that of export.json.

    If ``out`` holds the same export already, its record is returned; another export is refused. After an interruption
    the same call continues, and films already written are kept.

    Raises:
        RadscribeError: one line, when ``out`` holds something else or the files cannot be written.
    """
    about = {
        "format": FORMAT,
        "radscribe_version": __version__,
        "kind": kind,
        "dataset": {
            "fingerprint": dataset.fingerprint,
            **{name: dataset.manifest[name] for name in ("weakly_paired", "notice") if name in dataset.manifest},
        },
        "settings": dict(settings),
    }
    try:
        if (out / RECORD).exists():
            found = read_json(out / RECORD)
            _require_same(found, about, out)
            shutil.rmtree(out / PARTIAL, ignore_errors=True)
            return found
        partial = _begin(out, about)
        contents = write(partial)
        record = {
            **about,
            "counts": {name: dict(counts) for name, counts in contents.counts.items()},
            "files": {
                path.name: {"sha256": sha256_of(path)}
                | ({"rows": contents.rows[path.name]} if path.name in contents.rows else {})
                for path in sorted(partial.iterdir())
                if path.is_file() and path.name != RECORD
            },
            "missing": dict(contents.missing),
        }
        _finish(out, partial, record)
        return record
    except OSError as error:
        reason = error.strerror or f"written only in part, is the disk full? ({error})"
        raise RadscribeError(
            f"{error.filename or out}: {reason}; fix that and run the same command again: it continues"
        ) from error


def _begin(out: Path, about: Mapping[str, Any]) -> Path:
    """The folder of unfinished work, with a record of the export that it will become."""
    partial = out / PARTIAL
    if (partial / RECORD).exists():
        _require_same(read_json(partial / RECORD), about, out)
        return partial
    if out.exists() and any(entry.name != PARTIAL for entry in out.iterdir()):
        raise RadscribeError(f"{out}: the folder is not empty and not an export; give another --out")
    partial.mkdir(parents=True, exist_ok=True)
    _write_record(partial, about)
    return partial


def _require_same(found: Mapping[str, Any], about: Mapping[str, Any], out: Path) -> None:
    different = [name for name, value in about.items() if found.get(name) != value]
    if different:
        raise RadscribeError(
            f"{out}: another export is there (it differs in {', '.join(different)}); give another --out or delete it"
        )


def _finish(out: Path, partial: Path, record: Mapping[str, Any]) -> None:
    for path in partial.iterdir():
        if path.name == RECORD:  # the first record: while it exists, the same call can continue
            continue
        if (out / path.name).is_dir():  # moved by a call that was interrupted here
            shutil.rmtree(out / path.name)
        path.replace(out / path.name)
    _write_record(out, record)
    shutil.rmtree(partial)


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    files.write_json(folder / RECORD, record, indent=2)


def write_json(path: Path, content: Any) -> None:
    """Write JSON on one line: an annotation may hold hundreds of thousands of entries."""
    files.write_json(path, content, indent=None)


def write_rows(path: Path, rows: Tensor, lines: bool = True) -> None:
    """Write N x w numbers, rounded to six digits, as JSON lines (one list per line) or one JSON list of lists."""
    with replaced(path) as draft, draft.open("w", encoding="utf-8") as file:
        file.write("" if lines else "[")
        for number, row in enumerate(rows):
            between = "" if not number else "\n" if lines else ",\n"
            file.write(between + json.dumps([round(value, 6) for value in row.tolist()]))
        file.write("\n" if lines else "]\n")


def read_rows(path: Path, width: int | None = None) -> NDArray[np.float64]:
    """The rows (N x w) of a file of JSON lines, or of one JSON list of lists.

    Raises:
        RadscribeError: one line, for a file that is missing, damaged, ragged, or not ``width`` wide.
    """
    fix = "it is not a file of number rows, copy it again"
    nested = "".join(read_text(path, fix, RadscribeError)[:80].split()).startswith("[[")
    rows = (read_json_file if nested else read_json_lines)(path, fix, RadscribeError)
    try:
        found = np.array(rows, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise RadscribeError(f"{path}: not a file of number rows of equal length; copy it again") from error
    if found.ndim != 2 or (width is not None and found.shape[1] != width):
        raise RadscribeError(f"{path}: its rows have shape {found.shape}, not {width or 'equally many'} numbers each")
    return found


def shown_views(study: Study, least: int = 1) -> tuple[View, ...]:
    """The views of a study as a loader reads them, the frontal first; the last one repeats up to ``least`` views."""
    return study.read(max(least, len(study.views)))


def film_paths(study: Study, suffix: str, least: int = 1) -> list[str]:
    """The paths of ``shown_views`` below images/, ``<study id>/0.png`` and so on; a repeated view is one file."""
    # Ids are arbitrary text: what a folder name cannot contain is percent-encoded.
    folder = quote(study.study_id, safe=" ")
    folder = folder.replace(".", "%2E") if set(folder) == {"."} else folder
    views = shown_views(study, least)
    return [f"{folder}/{views.index(view)}.{suffix}" for view in views]


def write_films(folder: Path, dataset: PreparedDataset, studies: Sequence[Study], suffix: str) -> int:
    """Write the films of ``studies`` to images/ as 8-bit grey levels, keeping existing files; returns their number."""
    count = 0
    for study in progress(studies, "writing films", "study"):
        for view, name in zip(shown_views(study), film_paths(study, suffix), strict=True):
            path = folder / "images" / name
            count += 1
            if path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            encoded = BytesIO()
            Image.fromarray(np.ascontiguousarray(dataset.pixels[view.image_index])).save(encoded, **ENCODINGS[suffix])
            with written_whole(path) as file:
                file.write(encoded.getvalue())
    return count
