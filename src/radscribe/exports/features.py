"""What exports look up: which films are alike, and text vectors of the width that published code asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from radscribe.core.errors import RadscribeError
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.features import BATCH, entities_of_films
from radscribe.drafting.reporter import Reporter, batches
from radscribe.evaluation.controls.pixels_baseline import FILMS_PER_BLOCK, pool
from radscribe.models.knowledge.nearest import nearest


def film_features(dataset: PreparedDataset, studies: Sequence[Study], reporter: Reporter | None) -> Tensor:
    """What tells the films of ``studies`` apart, N x w, by the cosine of rows.

    Of a REVTAF model the entity model's pooled films, which its own index holds; of an MCSAM model the mean patch;
    without a model the grey levels pooled to 32 x 32, each film less its mean.
    """
    if reporter is None:
        return _pixels(dataset, studies)
    if reporter.system.entity_model is not None:
        return entities_of_films(dataset, studies, reporter.system).features
    views = reporter.system.config.views
    parts = []
    for batch in batches(tqdm(studies, unit="film", desc="looking at films", disable=None), BATCH):
        films = [np.stack([reporter.view(film) for film in dataset.films(study, views)]) for study in batch]
        parts.append(reporter.see(films).patches.mean(1).float().cpu())
    return torch.cat(parts) if parts else torch.zeros(0, 0)


def _pixels(dataset: PreparedDataset, studies: Sequence[Study]) -> Tensor:
    parts = [torch.zeros(0, 0)]
    for batch in batches(tqdm(studies, unit="film", desc="looking at films", disable=None), FILMS_PER_BLOCK):
        pooled = torch.from_numpy(pool(dataset.pixels[[study.frontal.image_index for study in batch]]))
        parts.append((pooled - pooled.mean(1, keepdim=True)).float())
    return torch.cat(parts[1:] or parts)


@dataclass(frozen=True)
class Nearest:
    """For each list, rows of the training studies that are most alike, best first: N x ``count``."""

    rows: Mapping[str, Tensor]
    count: int


def nearest_training_studies(
    queries: Mapping[str, Tensor],
    keys: Tensor,
    kin: tuple[Mapping[str, Tensor], Tensor],
    count: int,
) -> Nearest:
    """The ``count`` training studies (``keys``, M x w) most alike to each query (N x w), never of kin.

    Published loaders stack the rows of a batch, so that every study gets equally many: fewer than ``count`` where one
    of them has fewer studies of other patients and reports.

    Raises:
        RadscribeError: where a study has none.
    """
    unit = functional.normalize(keys, dim=-1)
    found = {
        name: nearest(features, unit, count, (kin[0][name], kin[1]))[1]
        for name, features in queries.items()
        if len(features)
    }
    least = min((int((rows >= 0).sum(1).min()) for rows in found.values()), default=count)
    if least < 1:
        raise RadscribeError("a study has no training study of another patient and report; export a larger dataset")
    rows = {name: found[name][:, :least] if name in found else torch.zeros(0, least).long() for name in queries}
    return Nearest(rows, least)


def kin_of(groups: Sequence[tuple[PreparedDataset, Sequence[Study]]]) -> list[Tensor]:
    """For each group of studies their patients and reports as whole numbers that hold across groups: N x 2.

    With weak pairs one report belongs to several patients: what is to be learned must not be looked up.
    """
    patients, reports = [], []
    for dataset, studies in groups:
        named = dataset.column("report_id") if "report_id" in dataset.table.column_names else {}
        patients += [study.patient_id for study in studies]
        reports += [named.get(study.study_id, study.study_id) for study in studies]
    numbers = np.stack([np.unique(names, return_inverse=True)[1] for names in (patients, reports)], 1)
    return list(torch.split(torch.from_numpy(numbers), [len(studies) for _, studies in groups]))


def fitting(vectors: Tensor, width: int) -> Tensor:
    """The matrix d x ``width`` that brings vectors like ``vectors`` (N x d) to the width that published code has.

    Narrower ones are filled up with zeros, which changes no inner product; of wider ones the ``width`` directions with
    the largest sum of squares are kept, which changes them least.
    """
    own = vectors.shape[1]
    if own <= width:
        return torch.eye(own, width)
    wide = vectors.double()
    directions = torch.linalg.eigh(wide.T @ wide).eigenvectors.flip(1)[:, :width]
    # An eigenvector's sign is nobody's choice: the largest component is made positive.
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    signed: Tensor = directions * largest.sign()
    return signed.float()
