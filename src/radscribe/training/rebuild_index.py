"""`radscribe index build`: the reference database anew for weights that stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from radscribe.core.errors import RadscribeError
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.checkpoint import copy_records, load_networks, save_checkpoint, triplet_table
from radscribe.drafting.features import entities_of
from radscribe.drafting.films import Films
from radscribe.models.knowledge.database import build_database
from radscribe.models.revtaf import Knowledge, Revtaf
from radscribe.training.revtaf_generator import build_index, indexed_presence


def rebuild_index(checkpoint: Path, dataset: PreparedDataset, out: Path, texts: bool) -> int:
    """Writes to ``out`` the weights of ``checkpoint`` with ``dataset``'s training split as database; its size."""
    system, about = load_networks(checkpoint)
    model, entity_model = system.model, system.entity_model
    if not isinstance(model, Revtaf) or entity_model is None:
        raise RadscribeError(
            f"{checkpoint}: an MCSAM model is one with its training studies; train it anew on {dataset.folder}"
        )
    studies = dataset.split("train")
    if not studies:
        raise RadscribeError(f"{dataset.folder}: no study in the train split; the database would be empty")
    dataset.require_section(system.config.section)
    rows = [study.frontal.image_index for study in studies]
    films = Films(dataset.pixels, rows, system.config.film)
    entities = entities_of(entity_model, films, len(studies), next(system.parameters()).device)
    ids = dataset.column("report_id") if "report_id" in dataset.table.column_names else None
    report_ids = [ids[study.study_id] for study in studies] if ids else None
    database = build_database(studies, system.config.section, entities.features, system.text_encoder, report_ids)
    table = triplet_table(system.text_encoder, system.config.triplet_template)
    knowledge = Knowledge(database, table, database.report_vectors)
    indexed = indexed_presence(model.config.retrieval, entities, studies)
    system.knowledge = build_index(model, knowledge, indexed, about["fingerprint"])
    kept: dict[str, Any] = {name: about[name] for name in ("recipe", "dataset", "measured") if name in about}
    kept["index_dataset"] = dataset.fingerprint
    save_checkpoint(out, system, kept, about["precision"] == "float16", texts)
    copy_records(checkpoint, out)
    return len(studies)
