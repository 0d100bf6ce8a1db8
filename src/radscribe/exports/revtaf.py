"""Write entity predictions of films and text vectors of training reports as REVTAF's published code reads them.

Read by banbooliang/REVTAF-RRG: ``dataset/medical_dataset.py`` and the constructor of ``models/blip.py``, below
``data/mimic_cxr/`` (all files) and ``data/iu_xray/`` (those of films).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.json_files import read_json_file
from radscribe.core.progress import progress
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.features import entities_of_films
from radscribe.drafting.reporter import Reporter
from radscribe.exports.annotation import lists_of, write_images
from radscribe.exports.features import fitting, nearest_training_studies, related_ids_of
from radscribe.exports.folder import Contents, film_paths, write_json, write_rows
from radscribe.exports.layout import Layout
from radscribe.exports.promptmrg import (
    RATES,
    TEXT_WIDTH,
    labelled_entries,
    report_vectors,
    text_database,
    training_studies,
    write_rates,
)
from radscribe.labels.conditions import CHEXBERT_COUNT, CONDITIONS, STATES
from radscribe.models.encoders.entity import FilmEntities
from radscribe.models.knowledge.nearest import nearest
from radscribe.models.knowledge.prompts import local_prompts
from radscribe.models.knowledge.revtaf_knowledge import RevtafKnowledge

ANNOTATIONS = {Layout.MIMIC: "mimic_annotation_promptmrg.json", Layout.IU: "iu_annotation_promptmrg.json"}
# The loaders name a film's .npy file by replacing this suffix.
SUFFIXES = {Layout.MIMIC: "jpg", Layout.IU: "png"}
TEXT_FEATURES = "medclip_text_features.json"
DISTANCES = "hash_distance.json"
SENTENCES = "medclip_txt_embeddings"
REGIONS = "region_txt_embeddings"
# ClinicalBERT's width, from which ``ot_txt_proj1`` projects.
REGION_WIDTH = 768


def write_revtaf(
    folder: Path,
    dataset: PreparedDataset,
    database: PreparedDataset,
    layout: Layout,
    neighbours: int,
    reporter: Reporter,
) -> Contents:
    """Write what the published REVTAF is trained and tested on, by the networks of ``reporter``, to ``folder``.

    The layout of IU X-Ray is the bare list of all studies, for testing, without the files of the training reports: the
    published code reads those from ``data/mimic_cxr/``, where ``database`` is to be exported.

    Raises:
        WrongUse: ``reporter`` has no entity model.
        RadscribeError: ``database`` has no training studies, too few, or another report section than the model.
    """
    knowledge = reporter.system.knowledge
    if not isinstance(knowledge, RevtafKnowledge):
        raise WrongUse(f"{reporter.system.config.name}: it has no entity model; give the checkpoint of a REVTAF model")
    training = training_studies(database)
    suffix = SUFFIXES[layout]
    lists = lists_of(dataset) if layout is Layout.MIMIC else {"test": list(dataset.studies)}
    system = reporter.system
    entities = {name: entities_of_films(dataset, studies, system) for name, studies in lists.items() if studies}
    own_database = layout is Layout.MIMIC and database.fingerprint == dataset.fingerprint
    keys = (entities["train"] if own_database else entities_of_films(database, training, system)).features
    *own, other = related_ids_of([*((dataset, lists[name]) for name in entities), (database, training)])
    queries = {name: found.features for name, found in entities.items()}
    near = nearest_training_studies(queries, keys, (dict(zip(entities, own, strict=True)), other), neighbours)
    entries = labelled_entries(dataset, lists, layout, len(CONDITIONS), suffix)
    write_json(folder / ANNOTATIONS[layout], entries if layout is Layout.MIMIC else entries["test"])
    rows = {ANNOTATIONS[layout]: sum(map(len, entries.values()))}
    for name, found in entities.items():
        write_rows(folder / f"labels_indices_{name}.json", near.rows[name])
        write_rows(folder / f"image_region_score_{name}.json", found.presence)
        rows |= {f"labels_indices_{name}.json": len(lists[name]), f"image_region_score_{name}.json": len(lists[name])}
        _write_regions(folder / REGIONS, lists[name], found, knowledge.table.cpu(), suffix)
    if layout is Layout.MIMIC:
        reports = text_database(database, training, keys, reporter)
        write_rates(folder / RATES, training)
        write_rows(folder / TEXT_FEATURES, report_vectors(reports))
        write_json(folder / DISTANCES, label_distances(training, other, near.count))
        narrow = replace(
            reports, sentence_vectors=reports.sentence_vectors @ fitting(reports.sentence_vectors, TEXT_WIDTH)
        )
        for row, study in enumerate(progress(training, "writing sentences", "report")):
            _save(folder / SENTENCES, study, suffix, narrow.global_prompts(torch.tensor([row]))[0][0])
        rows |= {RATES: CHEXBERT_COUNT, TEXT_FEATURES: len(training), DISTANCES: len(training)}
    counts = write_images(folder, dataset, lists, suffix)
    counts["neighbours"] = {"a study": near.count, "training studies": len(training)}
    return Contents(counts, rows)


def label_distances(training: Sequence[Study], related_ids: Tensor, count: int) -> list[dict[str, int]]:
    """hash_distance.json: for each training study the nearest by Hamming distance over 18 x 4 bits, nearest first.

    Keys are rows of the training list as text; the published loader takes the first. Studies with a common id in
    ``related_ids`` (N x 2: patient, report) are skipped: the reference would be the answer.
    """
    states = torch.tensor([study.labels for study in training]).long()
    bits = functional.one_hot(states, len(STATES)).flatten(1).float()
    # All rows have the same norm, so that cosine similarity ranks as Hamming distance does.
    rows = nearest(bits, functional.normalize(bits, dim=-1), count, (related_ids, related_ids))[1]
    return [
        {str(other): int((bits[row] != bits[other]).sum()) for other in found if other >= 0}
        for row, found in enumerate(rows.tolist())
    ]


def _write_regions(folder: Path, studies: Sequence[Study], entities: FilmEntities, table: Tensor, suffix: str) -> None:
    narrow = fitting(table.flatten(0, 2), REGION_WIDTH)
    for row, study in enumerate(progress(studies, "writing triplets", "film")):
        prompts = local_prompts(table, entities.presence[row : row + 1], entities.positions[row : row + 1])[0]
        _save(folder, study, suffix, prompts @ narrow)


def _save(folder: Path, study: Study, suffix: str, vectors: Tensor) -> None:
    """Write in half precision: the loaders convert to single, and there are 75 rows per film."""
    path = (folder / film_paths(study, suffix)[0]).with_suffix(".npy")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, vectors.half().numpy(), allow_pickle=False)


def read_embedding(path: Path, width: int | None = None) -> NDArray[Any]:
    """The rows (n x w) of an embedding file. Raises ``RadscribeError`` where it holds anything else, code included."""
    try:
        found: NDArray[Any] = np.load(path, allow_pickle=False)
    except OSError as error:
        raise RadscribeError(f"{path}: it cannot be opened: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise RadscribeError(f"{path}: not an array of numbers; copy it again") from error
    if found.ndim != 2 or (width is not None and found.shape[1] != width):
        raise RadscribeError(
            f"{path}: its array has shape {found.shape}, not rows of {width or 'equally many'} numbers"
        )
    return found


def read_distances(path: Path) -> list[dict[int, int]]:
    """hash_distance.json: for each training study, row of the training list -> distance, nearest first.

    Raises ``RadscribeError`` where the file is missing or holds anything else.
    """
    found: list[Mapping[str, Any]] = read_json_file(path, "copy it again", RadscribeError)
    try:
        return [{int(other): int(distance) for other, distance in near.items()} for near in found]
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise RadscribeError(f"{path}: not a list of distances by row; copy it again") from error
