"""Defines the columns of ``studies.parquet`` and of the shards."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

# Reports without a study, their texts; absent where the source has none.
TEXTS = "texts.json"
FORMAT = "radscribe-dataset/1"

VIEW = pa.struct([("image_index", pa.int32()), ("view", pa.string()), ("source", pa.string())])
TRIPLET = pa.struct([("entity", pa.int16()), ("place", pa.int16()), ("present", pa.int8())])
STUDY_FIELDS: Mapping[str, pa.DataType] = {
    "study_id": pa.string(),
    "patient_id": pa.string(),
    "split": pa.string(),
    "views": pa.list_(VIEW),
    "findings": pa.string(),
    "impression": pa.string(),
    "indication": pa.string(),
    "labels": pa.list_(pa.int8()),
    "triplets": pa.list_(TRIPLET),
}
# Columns of the shards only: one SHA-256 and one difference hash per image, in the order of the views.
HASH_FIELDS: Mapping[str, pa.DataType] = {
    "image_hashes": pa.list_(pa.string()),
    "difference_hashes": pa.list_(pa.binary()),
}


def study_schema(extra_fields: Mapping[str, pa.DataType]) -> pa.Schema:
    """The columns of ``studies.parquet``: those of every dataset, then those that the source adds."""
    return pa.schema([*STUDY_FIELDS.items(), *extra_fields.items()])


def shard_schema(extra_fields: Mapping[str, pa.DataType]) -> pa.Schema:
    """The columns of a shard: those of ``studies.parquet``, then the hashes of the images."""
    return pa.schema([*STUDY_FIELDS.items(), *extra_fields.items(), *HASH_FIELDS.items()])
