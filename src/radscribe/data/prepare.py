"""From raw studies to a prepared dataset folder: resumable, deterministic, with a leak report."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from radscribe import __version__
from radscribe.data.files import sha256_of, written_whole
from radscribe.data.leaks import count_near_twins, count_shared, studies_to_drop
from radscribe.data.raw import StudyTask
from radscribe.data.reading import Rejection
from radscribe.data.schema import FORMAT, HASH_FIELDS, study_schema
from radscribe.data.shards import Shard, write_shards
from radscribe.data.splits import FRACTIONS, SALT, split_of
from radscribe.study import SPLITS, RadscribeError, Study

PARTIAL = ".partial"
WEAKLY_PAIRED_NOTICE = (
    "weakly paired: no report here was written for its film; each film has a real report of the same findings"
)


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


def prepare(
    source: Source, out: Path, size: int = 256, section: str = "findings", workers: int | None = None
) -> dict[str, Any]:
    """Prepare ``source`` into the folder ``out`` and return its manifest.

    Interrupted at any moment, the same call resumes and gives the same bytes; on a folder that is done it only
    returns the manifest. ``size`` is the side of the stored films in pixels, ``section`` the part of the report
    that is labelled and that a study must have, ``workers`` the number of processes.

    Raises:
        RadscribeError: one line, when ``out`` holds something else or a patient stands in two splits, or
            when the disk does not take the files.
    """
    settings = {
        "source": source.name,
        **source.settings,
        "size": size,
        "section": section,
        "split_fractions": list(FRACTIONS),
        "split_salt": SALT,
        "inputs": dict(source.inputs),
    }
    versions = {name: version(name) for name in ("pillow", "pydicom", "numpy")}
    try:
        done = _finished(out, settings)
        if done is not None:
            return done
        state = {"radscribe_version": __version__, "settings": settings, "versions": versions}
        partial = _begin(out, state, source.secrets)
        shards = write_shards(source.studies(partial / "scratch"), partial, source.extra_fields, size, section, workers)
        return _assemble(source, shards, out, settings, versions)
    except OSError as error:
        # NumPy tells a full disk as counts of what was asked for and written.
        reason = error.strerror or f"written in part only, is the disk full? ({error})"
        raise RadscribeError(
            f"{error.filename or out}: {reason}; mend that and run the same command again: it resumes"
        ) from error


def _finished(out: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    path = out / "manifest.json"
    if not path.exists():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
        found = manifest["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise RadscribeError(f"{path}: it is damaged; give another --out or delete the folder") from error
    _require_same(found, settings, out)
    shutil.rmtree(out / PARTIAL, ignore_errors=True)
    return manifest


def _begin(out: Path, state: Mapping[str, Any], secrets: Mapping[str, bytes]) -> Path:
    """The folder of unfinished work, with the secrets and the settings it is made with."""
    partial = out / PARTIAL
    path = partial / "settings.json"
    if path.exists():
        found = json.loads(path.read_text("utf-8"))
        _require_same(found["settings"], state["settings"], out)
        if found != state:
            raise RadscribeError(f"{out}: it was begun with other versions of the libraries; delete it and start anew")
    elif out.exists() and any(entry.name != PARTIAL for entry in out.iterdir()):
        raise RadscribeError(f"{out}: the folder is not empty and no prepared dataset; give another --out")
    partial.mkdir(parents=True, exist_ok=True)
    for name, content in secrets.items():
        with written_whole(partial / name) as file:
            os.chmod(file.name, 0o600)
            file.write(content)
    with written_whole(path) as file:
        file.write(_json(state))
    return partial


def _require_same(found: Mapping[str, Any], wanted: Mapping[str, Any], out: Path) -> None:
    different = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    if different:
        raise RadscribeError(
            f"{out}: it was prepared with another setting ({', '.join(different)}); give another --out or delete it"
        )


def _assemble(
    source: Source, shards: Sequence[Shard], out: Path, settings: Mapping[str, Any], versions: Mapping[str, str]
) -> dict[str, Any]:
    partial = out / PARTIAL
    rows: list[dict[str, Any]] = [row for shard in shards for row in shard.table().to_pylist()]
    for row in rows:
        row["split"] = row["split"] or split_of(row["patient_id"])
    _check_ids(rows, out)
    dropped = studies_to_drop([row["split"] for row in rows], [row["image_hashes"] for row in rows])
    rejections = [*source.rejections, *(entry for shard in shards for entry in shard.rejections())]
    rejections += [
        Rejection(rows[position]["study_id"], f"an identical image is in the {keeper} split")
        for position, keeper in sorted(dropped.items())
    ]
    kept = [row for position, row in enumerate(rows) if position not in dropped]
    if not kept:
        raise RadscribeError(f"{out}: no study is left{_commonest(rejections)}")
    _write_pixels(partial / "pixels.npy", shards, {row["study_id"] for row in kept}, settings["size"])
    leaks = _leaks(kept, settings["section"])
    _number_images(kept)
    table = pa.Table.from_pylist(kept, schema=study_schema(source.extra_fields))
    with written_whole(partial / "studies.parquet") as file:
        pq.write_table(table, file)
    with written_whole(partial / "rejected.csv") as file:
        file.write(_rejected_csv(rejections))
    manifest = {
        "format": FORMAT,
        "radscribe_version": __version__,
        "weakly_paired": source.weakly_paired,
        **({"notice": WEAKLY_PAIRED_NOTICE} if source.weakly_paired else {}),
        "counts": _counts(kept),
        "rejected": len(rejections),
        "sources": [{"name": name, "sha256": digest} for name, digest in source.inputs.items()]
        or [{"name": source.name}],
        "hashes": {
            "studies": sha256_of(partial / "studies.parquet"),
            "pixels": sha256_of(partial / "pixels.npy"),
            "settings": hashlib.sha256(_json(settings)).hexdigest(),
        },
        "settings": dict(settings),
        "versions": dict(versions),
        "leaks": leaks,
        "dropped": {"identical_images": len(dropped)},
        **source.notes,
    }
    with written_whole(partial / "manifest.json") as file:
        file.write(_json(manifest))
    names = (*source.secrets, "pixels.npy", "studies.parquet", "rejected.csv", "manifest.json")
    for name in names:  # the manifest, last of them, says: all there
        (partial / name).replace(out / name)
    shutil.rmtree(partial)
    return manifest


def _check_ids(rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    if len({row["study_id"] for row in rows}) < len(rows):
        raise RadscribeError(f"{out}: two studies of the source carry the same study_id; give each its own")
    shared = count_shared((row["split"], row["patient_id"]) for row in rows)
    if shared:
        raise RadscribeError(f"{out}: {shared} patients stand in two splits; give all studies of a patient one split")


def _write_pixels(path: Path, shards: Sequence[Shard], kept: set[str], size: int) -> None:
    masks = [
        np.repeat([row["study_id"] in kept for row in rows], [len(row["views"]) for row in rows]).astype(np.bool_)
        for rows in (shard.table().select(["study_id", "views"]).to_pylist() for shard in shards)
    ]
    # Written in sequence, not through a memory map: on a full disk that would end in a bus error.
    with written_whole(path) as file:
        shape = (int(sum(mask.sum() for mask in masks)), size, size)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for shard, mask in zip(shards, masks, strict=True):
            file.write(shard.pixels()[mask].tobytes())


def _number_images(rows: Sequence[dict[str, Any]]) -> None:
    """Give every view its row in ``pixels.npy``, and take the hashes off."""
    count = 0
    for row in rows:
        for view in row["views"]:
            view["image_index"] = count
            count += 1
        for name in HASH_FIELDS:
            del row[name]


def _leaks(rows: Sequence[Mapping[str, Any]], section: str) -> dict[str, int]:
    """What the finished dataset holds in more than one split; patients and identical images are 0 by the rules."""
    images = [(row["split"], value) for row in rows for value in row["image_hashes"]]
    near = [(row["split"], value) for row in rows for value in row["difference_hashes"]]
    reports = []
    for row in rows:
        study = Study("", "", "", (), findings=row["findings"], impression=row["impression"])
        reports.append((row["split"], " ".join(study.report(section).lower().split())))
    return {
        "patients": count_shared((row["split"], row["patient_id"]) for row in rows),
        "identical_images": count_shared(images),
        "near_identical_images": count_near_twins([split for split, _ in near], [value for _, value in near]),
        "identical_reports": count_shared(reports),
    }


def _counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    by_split = {split: [row for row in rows if row["split"] == split] for split in SPLITS}
    return {
        split: {
            "studies": len(members),
            "patients": len({row["patient_id"] for row in members}),
            "images": sum(len(row["views"]) for row in members),
        }
        for split, members in by_split.items()
    }


def _commonest(rejections: Sequence[Rejection]) -> str:
    """The commonest reason that something was set aside, to close an error with."""
    reasons = Counter(rejection.reason for rejection in rejections)
    return f"; most were set aside because: {reasons.most_common(1)[0][0]}" if reasons else ""


def _rejected_csv(rejections: Sequence[Rejection]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "reason"])
    writer.writerows((entry.source, entry.reason) for entry in rejections)
    return text.getvalue().encode()


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
