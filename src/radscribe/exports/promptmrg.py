"""Write PromptMRG's annotation with states and neighbours, class rates, and text vectors of training reports.

Read by jhb86253817/PromptMRG: ``dataset/medical_dataset.py`` (``image_path``, ``report``, ``labels`` and
``clip_indices`` of each entry, rows of ``clip_text_features.json``) and ``main_train.py`` (``base_probs.json``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from radscribe.core.errors import RadscribeError
from radscribe.core.json_files import read_json_file
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter
from radscribe.exports.annotation import ANNOTATION, entry_of, lists_of, section_of, write_images
from radscribe.exports.features import film_features, fitting, nearest_training_studies, related_ids_of
from radscribe.exports.folder import Contents, write_json, write_rows
from radscribe.exports.layout import Layout
from radscribe.labels.conditions import CHEXBERT_COUNT, CONDITIONS, POSITIVE
from radscribe.models.knowledge.database import ReportDatabase, build_database

RATES = "base_probs.json"
TEXT_FEATURES = "clip_text_features.json"
# CLIP's width, and that of the transformer that reads the retrieved reports (``models/blip.py``).
TEXT_WIDTH = 512
NO_TEXT_ENCODER = "its vectors are those of a model's text encoder: give --checkpoint"


def write_promptmrg(
    folder: Path,
    dataset: PreparedDataset,
    database: PreparedDataset,
    layout: Layout,
    labels: int,
    neighbours: int,
    reporter: Reporter | None,
) -> Contents:
    """Write what PromptMRG is trained and tested on to ``folder``.

    ``clip_indices`` are rows of the training studies of ``database``; the layout of IU X-Ray is the bare list of all
    studies, for testing. ``labels`` is the number of states of training entries; the others have 14, because the
    published trainer multiplies them with 14 probabilities.

    Raises:
        RadscribeError: ``database`` has no training studies, too few, or another report section than the model.
    """
    training = training_studies(database)
    lists = lists_of(dataset) if layout is Layout.MIMIC else {"test": list(dataset.studies)}
    queries = {name: film_features(dataset, studies, reporter) for name, studies in lists.items()}
    own_database = layout is Layout.MIMIC and database.fingerprint == dataset.fingerprint
    keys = queries["train"] if own_database else film_features(database, training, reporter)
    *own, other = related_ids_of([*((dataset, studies) for studies in lists.values()), (database, training)])
    near = nearest_training_studies(queries, keys, (dict(zip(lists, own, strict=True)), other), neighbours)
    entries = labelled_entries(dataset, lists, layout, labels)
    for name, indices in near.rows.items():
        for entry, row in zip(entries[name], indices.tolist(), strict=True):
            entry["clip_indices"] = row
    write_json(folder / ANNOTATION, entries if layout is Layout.MIMIC else entries["test"])
    write_rates(folder / RATES, training)
    missing = {}
    rows = {ANNOTATION: sum(map(len, entries.values())), RATES: CHEXBERT_COUNT}
    if reporter is None:
        missing[TEXT_FEATURES] = NO_TEXT_ENCODER
    else:
        vectors = report_vectors(text_database(database, training, keys, reporter))
        write_rows(folder / TEXT_FEATURES, vectors, lines=False)
        rows[TEXT_FEATURES] = len(vectors)
    counts = write_images(folder, dataset, lists, "png")
    counts["neighbours"] = {"a study": near.count, "training studies": len(training)}
    return Contents(counts, rows, missing)


def training_studies(database: PreparedDataset) -> list[Study]:
    """The studies that may be retrieved. Raises ``RadscribeError`` where there are none."""
    studies = database.split("train")
    if not studies:
        raise RadscribeError(
            f"{database.folder}: no study in the train split to retrieve; name a dataset that has some with --database"
        )
    return studies


def labelled_entries(
    dataset: PreparedDataset, lists: Mapping[str, Sequence[Study]], layout: Layout, labels: int, suffix: str = "png"
) -> dict[str, list[dict[str, Any]]]:
    """Entries with ``labels`` (0 blank, 1 positive, 2 negative, 3 uncertain): CheXbert's conditions, then our four."""
    section = section_of(dataset)
    return {
        name: [
            {
                **entry_of(study, section, layout, suffix),
                "labels": list(study.labels[: labels if name == "train" else CHEXBERT_COUNT]),
            }
            for study in studies
        ]
        for name, studies in lists.items()
    }


def write_rates(path: Path, training: Sequence[Study]) -> None:
    """Write base_probs.json: the share of training studies positive for each of CheXbert's 14 conditions, a list."""
    positive = torch.tensor([study.labels for study in training])[:, :CHEXBERT_COUNT] == POSITIVE
    write_json(path, positive.double().mean(0).tolist())


def read_rates(path: Path) -> dict[str, float]:
    """Class rates of base_probs.json by condition. Raises ``RadscribeError`` for anything but 14 from 0 to 1."""
    rates = read_json_file(path, "copy it again", RadscribeError)
    try:
        shares = [float(rate) for rate in rates]
    except (ValueError, TypeError, OverflowError) as error:
        raise RadscribeError(f"{path}: not a list of class rates; copy it again") from error
    if len(shares) != CHEXBERT_COUNT or not all(0 <= share <= 1 for share in shares):
        raise RadscribeError(f"{path}: {len(shares)} class rates; there must be 14, each between 0 and 1")
    return dict(zip(CONDITIONS, shares, strict=False))


def text_database(
    database: PreparedDataset, training: Sequence[Study], features: Tensor, reporter: Reporter
) -> ReportDatabase:
    """The reports of ``training`` as the text encoder's sentence vectors; ``features`` (N x w) are their films'."""
    system = reporter.system
    database.require_section(system.config.section)
    return build_database(training, system.config.section, features, system.text_encoder)


def report_vectors(reports: ReportDatabase) -> Tensor:
    """Mean sentence vector of each training report as a unit row, like CLIP's: N x 512."""
    vectors = reports.report_vectors @ fitting(reports.sentence_vectors, TEXT_WIDTH)
    return functional.normalize(vectors, dim=-1)[reports.report_of_study]
