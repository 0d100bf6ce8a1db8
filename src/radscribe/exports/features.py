"""Find similar training films for exports, and bring text vectors to the width that published code expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from radscribe.core.errors import RadscribeError
from radscribe.core.progress import progress
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.features import BATCH, entities_of_films
from radscribe.drafting.reporter import Reporter, batches
from radscribe.evaluation.controls.pixels_baseline import FILMS_PER_BLOCK, pool
from radscribe.models.knowledge.nearest import nearest


def film_features(dataset: PreparedDataset, studies: Sequence[Study], reporter: Reporter | None) -> Tensor:
    """Features of the films of ``studies`` (N x w), to be compared by cosine similarity.

    REVTAF: the entity model's pooled features, as in the model's own index. MCSAM: the mean over patches. Without a
    model: grey levels pooled to 32 x 32, minus the film's mean.
    """
    if reporter is None:
        return _pixels(dataset, studies)
    if reporter.system.entity_model is not None:
        return entities_of_films(dataset, studies, reporter.system).features
    views = reporter.system.config.views
    parts = []
    for batch in batches(progress(studies, "reading films", "film"), BATCH):
        films = [np.stack([reporter.view(film) for film in dataset.films(study, views)]) for study in batch]
        parts.append(reporter.see(films).patches.mean(1).float().cpu())
    return torch.cat(parts) if parts else torch.zeros(0, 0)


def _pixels(dataset: PreparedDataset, studies: Sequence[Study]) -> Tensor:
    parts = [torch.zeros(0, 0)]
    for batch in batches(progress(studies, "reading films", "film"), FILMS_PER_BLOCK):
        pooled = torch.from_numpy(pool(dataset.pixels[[study.frontal.image_index for study in batch]]))
        parts.append((pooled - pooled.mean(1, keepdim=True)).float())
    return torch.cat(parts[1:] or parts)


@dataclass(frozen=True)
class Nearest:
    """The most similar training studies of each study, by list."""

    rows: Mapping[str, Tensor]  # N x count rows of the training studies, best first
    count: int


def nearest_training_studies(
    queries: Mapping[str, Tensor],
    keys: Tensor,
    related_ids: tuple[Mapping[str, Tensor], Tensor],
    count: int,
) -> Nearest:
    """The ``count`` training studies most similar to each query by cosine, related ones left out.

    ``queries`` hold N x w features by list, ``keys`` the M x w features of the training studies; ``related_ids`` are
    those of the queries (N x 2 by list) and of the training studies (M x 2). Published loaders stack the rows of a
    batch, so every study gets the same number: fewer than ``count`` where one of them has fewer unrelated studies.

    Raises:
        RadscribeError: a study has no training study of another patient and report.
    """
    unit = functional.normalize(keys, dim=-1)
    found = {
        name: nearest(features, unit, count, (related_ids[0][name], related_ids[1]))[1]
        for name, features in queries.items()
        if len(features)
    }
    least = min((int((rows >= 0).sum(1).min()) for rows in found.values()), default=count)
    if least < 1:
        raise RadscribeError("a study has no training study of another patient and report; export a larger dataset")
    rows = {name: found[name][:, :least] if name in found else torch.zeros(0, least).long() for name in queries}
    return Nearest(rows, least)


def related_ids_of(lists: Sequence[tuple[PreparedDataset, Sequence[Study]]]) -> list[Tensor]:
    """For each list of studies their patients and reports as integer ids shared by all lists: N x 2 (int64).

    With weak pairs several patients share a report: the report to be learned must not be retrieved.
    """
    patients, reports = [], []
    for dataset, studies in lists:
        named = dataset.column("report_id") if "report_id" in dataset.table.column_names else {}
        patients += [study.patient_id for study in studies]
        reports += [named.get(study.study_id, study.study_id) for study in studies]
    numbers = np.stack([np.unique(names, return_inverse=True)[1] for names in (patients, reports)], 1)
    return list(torch.split(torch.from_numpy(numbers), [len(studies) for _, studies in lists]))


def fitting(vectors: Tensor, width: int) -> Tensor:
    """A matrix d x ``width`` that maps vectors like ``vectors`` (N x d) to the width that published code expects.

    Narrower ones are padded with zeros, which changes no inner product; of wider ones the ``width`` directions with the
    largest sum of squares are kept, which changes them least.
    """
    own = vectors.shape[1]
    if own <= width:
        return torch.eye(own, width)
    wide = vectors.double()
    directions = torch.linalg.eigh(wide.T @ wide).eigenvectors.flip(1)[:, :width]
    # The sign of an eigenvector is arbitrary: make its largest component positive.
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    signed: Tensor = directions * largest.sign()
    return signed.float()
