"""`radscribe index build`: the reference database anew for weights that stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from radscribe.core.errors import RadscribeError
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.checkpoint import copy_records, load_networks, save_checkpoint
from radscribe.training.train import TRAININGS


def rebuild_index(checkpoint: Path, dataset: PreparedDataset, out: Path, texts: bool) -> int:
    """Writes to ``out`` the weights of ``checkpoint`` with ``dataset``'s training split as database; its size.

    Raises ``RadscribeError`` for an empty training split, and for a model that cannot be given another database.
    """
    system, about = load_networks(checkpoint)
    studies = dataset.split("train")
    if not studies:
        raise RadscribeError(f"{dataset.folder}: no study in the train split; the database would be empty")
    dataset.require_section(system.config.section)
    system.knowledge = TRAININGS[system.config.model.method].knowledge_of(system, dataset, about["fingerprint"])
    kept: dict[str, Any] = {name: about[name] for name in ("recipe", "dataset", "measured") if name in about}
    kept["index_dataset"] = dataset.fingerprint
    save_checkpoint(out, system, kept, about["precision"] == "float16", texts)
    copy_records(checkpoint, out)
    return len(studies)
