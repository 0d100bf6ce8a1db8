"""Assembles shards into a dataset: drops duplicates across splits, numbers the images and writes the manifest.

Full rows are held in memory for one group of shards at a time; for all other studies, only the fields that decide
whether they are kept.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from radscribe.core.errors import RadscribeError
from radscribe.core.files import json_bytes, sha256_of, written_whole
from radscribe.core.records import SPLITS
from radscribe.core.version import __version__
from radscribe.data.counts import add_counts, label_counts, triplet_counts
from radscribe.data.leaks import Entry, count_near_twins, count_shared, duplicates_to_drop, report_hash
from radscribe.data.reading import Rejection
from radscribe.data.schema import FORMAT, HASH_FIELDS, TEXTS, study_schema
from radscribe.data.shards import STUDIES_A_SHARD, Shard
from radscribe.data.source import Source
from radscribe.data.splits import split_of

DUPLICATES = {
    "identical_images": "an identical image",
    "near_identical_images": "a near-identical image",
    "identical_reports": "an identical report",
}
WEAKLY_PAIRED_NOTICE = (
    "weakly paired: no report here was written for its film; each film has a real report of the same findings"
)
SHARDS_A_GROUP = 64  # shards whose rows are held in memory and written to studies.parquet together
ENTRY_COLUMNS = ("study_id", "patient_id", "split", "findings", "impression", *HASH_FIELDS)


def assemble(
    source: Source,
    shards: Sequence[Shard],
    partial: Path,
    out: Path,
    settings: Mapping[str, Any],
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """Write the dataset of ``shards`` to ``partial``, move it to ``out``, remove ``partial`` and return the manifest.

    Raises:
        RadscribeError: for a repeated study_id, a patient in two splits, or when no study is left.
    """
    entries = [entry for shard in shards for entry in _entries(shard, settings["section"])]
    _check_ids(entries, out)
    duplicates = duplicates_to_drop(entries, settings.get("drop", ()))
    rejections = [*source.rejections, *(entry for shard in shards for entry in shard.rejections())]
    rejections += [
        Rejection(entries[position].study_id, f"{DUPLICATES[rule]} is in the {keeper} split")
        for rule, found in duplicates.items()
        for position, keeper in found.items()
    ]
    dropped = {position for found in duplicates.values() for position in found}
    kept = np.array([position not in dropped for position in range(len(entries))], np.bool_)
    entries = [entry for position, entry in enumerate(entries) if kept[position]]
    if not entries:
        shutil.rmtree(partial)  # nothing to resume, and a corrected source may be prepared here
        raise RadscribeError(f"{out}: no study is left{_commonest(rejections)}")
    counts = _write_studies(partial / "studies.parquet", source, shards, kept)
    texts = list(source.texts(settings["section"])) if source.texts else []
    if texts:
        with written_whole(partial / TEXTS) as file:
            file.write(json_bytes({"texts": texts}))
    _write_pixels(partial / "pixels.npy", shards, kept, settings["size"])
    with written_whole(partial / "rejected.csv") as file:
        file.write(_rejected_csv(rejections))
    manifest = {
        "format": FORMAT,
        "radscribe_version": __version__,
        "weakly_paired": source.weakly_paired,
        **({"notice": WEAKLY_PAIRED_NOTICE} if source.weakly_paired else {}),
        "counts": _counts(entries),
        **counts,
        **({"texts": len(texts)} if texts else {}),
        "rejected": len(rejections),
        "sources": [{"name": name, "sha256": digest} for name, digest in source.inputs.items()]
        or [{"name": source.name}],
        "hashes": {
            "studies": sha256_of(partial / "studies.parquet"),
            "pixels": sha256_of(partial / "pixels.npy"),
            "settings": sha256_of(json_bytes(settings)),
            **({"texts": sha256_of(partial / TEXTS)} if texts else {}),
        },
        "settings": dict(settings),
        "versions": dict(versions),
        "leaks": _leaks(entries),
        "dropped": {rule: len(found) for rule, found in duplicates.items()},
        **source.notes,
    }
    with written_whole(partial / "manifest.json") as file:
        file.write(json_bytes(manifest))
    own = (TEXTS,) if texts else ()
    names = (*source.secrets, *own, "pixels.npy", "studies.parquet", "rejected.csv", "manifest.json")
    for name in names:  # the manifest comes last: it marks a complete dataset
        (partial / name).replace(out / name)
    shutil.rmtree(partial)
    return manifest


def _entries(shard: Shard, section: str) -> Iterator[Entry]:
    for row in shard.table().select(ENTRY_COLUMNS).to_pylist():
        yield Entry(
            study_id=row["study_id"],
            patient_id=row["patient_id"],
            split=row["split"] or split_of(row["patient_id"]),
            report=report_hash(row["findings"], row["impression"], section) if section != "none" else b"",
            images=tuple(map(bytes.fromhex, row["image_hashes"])),
            differences=tuple(row["difference_hashes"]),
        )


def _check_ids(entries: Sequence[Entry], out: Path) -> None:
    if len({entry.study_id for entry in entries}) < len(entries):
        raise RadscribeError(f"{out}: two studies of the source have the same study_id; give each its own")
    shared = count_shared((entry.split, entry.patient_id) for entry in entries)
    if shared:
        raise RadscribeError(f"{out}: {shared} patients are in two splits; give all studies of a patient one split")


def _shares(shards: Sequence[Shard], kept: npt.NDArray[np.bool_]) -> Iterator[tuple[Shard, npt.NDArray[np.bool_]]]:
    """Each shard with its slice of ``kept``, which has one flag per study over all shards in order."""
    first = 0
    for shard in shards:
        count = shard.count()
        yield shard, kept[first : first + count]
        first += count


def _write_studies(
    path: Path, source: Source, shards: Sequence[Shard], kept: npt.NDArray[np.bool_]
) -> dict[str, dict[str, Any]]:
    """Write the kept rows with their images numbered; return the counts of labels and triplets by split."""
    counts: dict[str, dict[str, Any]] = {"labels": label_counts([]), "triplets": triplet_counts([])}
    schema = study_schema(source.extra_fields)
    images = 0
    rows: list[dict[str, Any]] = []
    with written_whole(path) as file, pq.ParquetWriter(file, schema) as writer:
        for number, (shard, share) in enumerate(_shares(shards, kept), start=1):
            rows += [row for row, stays in zip(shard.table().to_pylist(), share, strict=True) if stays]
            if not rows or (number % SHARDS_A_GROUP and number < len(shards)):
                continue
            for row in rows:
                row["split"] = row["split"] or split_of(row["patient_id"])
                for view in row["views"]:
                    view["image_index"] = images
                    images += 1
                for name in HASH_FIELDS:
                    del row[name]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            add_counts(counts["labels"], label_counts(rows))
            add_counts(counts["triplets"], triplet_counts(rows))
            rows = []
    return counts


def _write_pixels(path: Path, shards: Sequence[Shard], kept: npt.NDArray[np.bool_], size: int) -> None:
    masks = [np.repeat(share, shard.images_of_studies()) for shard, share in _shares(shards, kept)]
    # Written sequentially: through a memory map, a full disk would end in a bus error.
    with written_whole(path) as file:
        shape = (int(sum(mask.sum() for mask in masks)), size, size)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        bar = tqdm(total=len(kept), unit="study", desc="writing films", disable=None, leave=False)
        for shard, mask in zip(shards, masks, strict=True):
            file.write(shard.pixels()[mask].tobytes())
            bar.update(STUDIES_A_SHARD)
        bar.close()


def _leaks(entries: Sequence[Entry]) -> dict[str, int]:
    """Count what the finished dataset has in more than one split; patients and identical images are always 0."""
    near = [(entry.split, value) for entry in entries for value in entry.differences]
    return {
        "patients": count_shared((entry.split, entry.patient_id) for entry in entries),
        "identical_images": count_shared((entry.split, value) for entry in entries for value in entry.images),
        "near_identical_images": count_near_twins([split for split, _ in near], [value for _, value in near]),
        "identical_reports": count_shared((entry.split, entry.report) for entry in entries if entry.report),
    }


def _counts(entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    by_split = {split: [entry for entry in entries if entry.split == split] for split in SPLITS}
    return {
        split: {
            "studies": len(members),
            "patients": len({entry.patient_id for entry in members}),
            "images": sum(len(entry.images) for entry in members),
        }
        for split, members in by_split.items()
    }


def _commonest(rejections: Sequence[Rejection]) -> str:
    """The most common reason for rejection, as the end of an error message."""
    reasons = Counter(rejection.reason for rejection in rejections)
    return f"; the most common reason: {reasons.most_common(1)[0][0]}" if reasons else ""


def _rejected_csv(rejections: Sequence[Rejection]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "reason"])
    # A lone carriage return would not be quoted; a file's name may hold bytes that are no text.
    writer.writerows((entry.source.replace("\r", " "), entry.reason.replace("\r", " ")) for entry in rejections)
    return text.getvalue().encode(errors="backslashreplace")
