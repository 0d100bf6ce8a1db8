"""Small real-shaped sources for the tests."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

NORMAL = "The heart is normal in size. The lungs are clear. No pleural effusion or pneumothorax."
OPACITY = "There is a patchy opacity in the right lower lobe. No pleural effusion or pneumothorax."

_ENCODER = {
    "embedding_size": 4,
    "hidden_sizes": [4, 4, 8, 8],
    "depths": [1, 1, 1, 1],
    "stride": 16,
    "layer_type": "basic",
    "start": "previous",
}
_TRAINING = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "warmup_steps": 2, "save_every": 2}
# The smallest recipe that has every part.
TINY = {
    "name": "tiny",
    "store_reports": True,
    "half_precision": True,
    "film": {"resize": 72, "crop": 64},
    "text_encoder": {"layers": 1, "width": 16, "heads": 2, "feed_forward": 16, "vocabulary_size": 300},
    "entity_model": {
        "width": 8,
        "layers": 1,
        "heads": 2,
        "feed_forward": 16,
        "patch_positions": True,
        "image_encoder": _ENCODER,
    },
    "model": {
        "width": 8,
        "image_encoder": _ENCODER,
        "retrieval": {"width": 8, "pool": 4, "indexed": "reports", "noise": 0.5},
        "classification": {"width": 8, "layers": 1, "heads": 2, "feed_forward": 16, "neighbours": 4},
        "decoder": {"layers": 1, "width": 16, "heads": 2, "feed_forward": 16, "rest": True},
        "predicted_states": 0.2,
        "borrowed_states": 0.2,
        "healthy_patches": 0.5,
        "borrowed_local": 0.2,
        "patch_positions": True,
        "standardised_places": 16,
    },
    "generator": {"max_words": 60, "validation_studies": 4},
    "search": {"beams": 2, "max_new_tokens": 12, "min_new_tokens": 6},
    "text_training": _TRAINING,
    "entity_training": _TRAINING,
    "training": _TRAINING,
}

# Its MCSAM sister: every part, two tokens of memory.
TINY_MCSAM = {
    **TINY,
    "name": "tiny-mcsam",
    "entity_start": True,
    "alignment_training": _TRAINING,
    "model": {
        "method": "mcsam",
        "width": 16,
        "image_encoder": _ENCODER,
        "memory": {"start": {"count": 6, "rounds": 3}, "slot_width": 12, "heads": 2, "nearest": 3},
        "alignment": {"width": 8},
        "encoder": {"layers": 1, "heads": 2, "feed_forward": 16, "dropout": 0.0},
        "decoder": {
            "layers": 1,
            "width": 16,
            "heads": 2,
            "feed_forward": 16,
            "dropout": 0.0,
            "attention_dropout": 0.0,
            "rest": True,
            "memory_tokens": 2,
        },
        "patch_positions": True,
        "standardised_places": 16,
    },
}


def write_film(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 20), np.uint8)
    Image.fromarray(pixels).resize((80, 96)).save(path)


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def small_table(folder: Path, studies: int = 12) -> tuple[Path, Path]:
    """A table of ``studies`` studies of as many patients, and the folder of its images."""
    rows = []
    for number in range(studies):
        write_film(folder / "films" / f"{number}.png", number)
        rows.append(
            {"image": f"{number}.png", "report": f"{NORMAL} Study {number}.", "patient_id": f"patient-{number}"}
        )
    return write_table(folder / "table.csv", rows), folder / "films"


def report_xml(number: int, findings: str, images: Sequence[str], impression: str = "No acute disease.") -> str:
    parents = "".join(f'<parentImage id="{image}"/>' for image in images)
    return f"""<?xml version="1.0" encoding="utf-8"?>
        <eCitation><uId id="CXR{number}"/><MedlineCitation><Article><Abstract>
        <AbstractText Label="COMPARISON">None.</AbstractText>
        <AbstractText Label="INDICATION">Chest &lt; pain</AbstractText>
        <AbstractText Label="FINDINGS">{findings}</AbstractText>
        <AbstractText Label="IMPRESSION">{impression}</AbstractText>
        </Abstract></Article></MedlineCitation>{parents}</eCitation>"""


def write_archive(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_reports(path: Path, reports: Sequence[str]) -> Path:
    return write_archive(path, {f"ecgen-radiology/{number}.xml": text.encode() for number, text in enumerate(reports)})
