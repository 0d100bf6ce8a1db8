"""What a checkpoint scored on films that it has not learned from, as figures in a file beside its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radscribe.core.config import RecipeError, from_mapping, to_mapping
from radscribe.core.files import read_json, sha256_of, write_json
from radscribe.drafting.checkpoint import RECORDS, SCORES, checkpoint_names
from radscribe.drafting.index_files import CheckpointError

FORMAT = "radscribe-checkpoint-scores/1"
# Weights and configuration have the fingerprint; the others change no word of a draft.
NOT_COMPANIONS = {
    *("config.json", "model.safetensors", "calibration.png", SCORES, "index/index.json", "index/studies.parquet"),
    *RECORDS,
}


@dataclass(frozen=True)
class CheckpointScores:
    """Figures of one evaluation of a checkpoint; raises ``ValueError`` for a figure that is no number."""

    fingerprint: str  # of the model
    companions: str  # of the files beside its weights, as they were evaluated: ``companions_hash``
    split: str
    dataset: str  # fingerprint of the dataset
    protocol: str
    labeler_version: str
    studies: int
    # By name: ``value`` and, where it is known, the interval ``low`` to ``high``.
    figures: dict[str, Any]

    def __post_init__(self) -> None:
        for name, figure in self.figures.items():
            numbers = figure.values() if isinstance(figure, dict) and "value" in figure else [None]
            if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
                raise ValueError(f"figures.{name}: a value, and low and high where they are known, are needed")


def companions_hash(folder: Path) -> str:
    """The SHA-256 over all files of a checkpoint that decide its drafts beside weights and configuration.

    They are the tokenizers, the calibration, the gate, the phrases, the vectors that are looked up and the like.
    """
    names = sorted(name for name in checkpoint_names() - NOT_COMPANIONS if (folder / name).is_file())
    listing = "".join(f"{name} {sha256_of(folder / name)}\n" for name in names)
    return sha256_of(listing.encode())


def save_scores(scores: CheckpointScores, folder: Path) -> None:
    """Write the scores into a checkpoint's folder; raises ``RadscribeError`` where the disk refuses."""
    write_json(folder / SCORES, {"format": FORMAT, **to_mapping(scores)})


def load_scores(folder: Path) -> CheckpointScores | None:
    """The scores in a checkpoint's folder, None where there are none; raises ``CheckpointError`` for damaged ones."""
    path = folder / SCORES
    if not path.exists():
        return None
    content = read_json(path)
    fix = "score again with `radscribe evaluate --card`"
    if content.pop("format", None) != FORMAT:
        raise CheckpointError(f"{path}: not of this version; {fix}")
    try:
        return from_mapping(CheckpointScores, content, SCORES)
    except RecipeError as error:
        raise CheckpointError(f"{path}: {error}; {fix}") from None
