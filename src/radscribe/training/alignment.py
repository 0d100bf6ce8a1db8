"""One space for films and reports: two small heads over frozen encoders, aligned by contrast (MCSAM's aligned pair)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from radscribe.models.encoders.text import TextEncoder
from radscribe.models.fusion.alignment import LARGEST_SCALE, contrastive_loss
from radscribe.models.knowledge.prompts import sentence_table

# What the lineage starts its contrast from.
TEMPERATURE = 0.07
DROPOUT = 0.2


class PairFeatures(NamedTuple):
    """What frozen encoders say of N studies: ``films`` N x d_v, ``texts`` N x d_t, ``reports`` N, a number a text."""

    films: Tensor
    texts: Tensor
    reports: Tensor

    def rows(self, indices: Sequence[int]) -> PairFeatures:
        """Those of the studies at ``indices``."""
        return PairFeatures(*(part[list(indices)] for part in self))


class AlignmentHeads(nn.Module):
    """Features of a film and of a report to unit vectors of one width, v and t."""

    film_mean: Tensor
    film_spread: Tensor
    text_mean: Tensor
    text_spread: Tensor

    def __init__(self, training: PairFeatures, width: int) -> None:
        super().__init__()
        for name, features in (("film", training.films), ("text", training.texts)):
            self.register_buffer(f"{name}_mean", features.mean(0))
            self.register_buffer(f"{name}_spread", features.std(0).clamp(min=1e-4))
        self.film_head, self.text_head = (
            nn.Sequential(nn.Linear(size, 2 * width), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(2 * width, width))
            for size in (training.films.shape[1], training.texts.shape[1])
        )
        self.log_scale = nn.Parameter(torch.tensor(-math.log(TEMPERATURE)))

    def films(self, features: Tensor) -> Tensor:
        """v: N x d_v -> N x width, unit rows."""
        return functional.normalize(self.film_head((features - self.film_mean) / self.film_spread).float(), dim=-1)

    def texts(self, features: Tensor) -> Tensor:
        """t: N x d_t -> N x width, unit rows."""
        return functional.normalize(self.text_head((features - self.text_mean) / self.text_spread).float(), dim=-1)

    def forward(self, batch: PairFeatures) -> dict[str, Tensor]:
        """The symmetric contrast; studies of one and the same report are no negatives of each other."""
        scale = self.log_scale.exp().clamp(max=LARGEST_SCALE)
        same = batch.reports[:, None] == batch.reports
        return {"loss": contrastive_loss(self.films(batch.films), self.texts(batch.texts), scale, same)}


class AlignmentObjective:
    """Takes the last epoch: what the validation split says is logged, and reaches no memory slot.

    ``found`` is the share of its films whose own report is nearest.
    """

    name = "alignment"
    saves_within_epoch = True
    smallest_batch = 2
    strata: NDArray[np.int64] | None = None

    def __init__(self, heads: AlignmentHeads, training: PairFeatures, validation: PairFeatures) -> None:
        self.module, self.training, self.validation = heads, training, validation
        self.count, self.epoch = len(training.reports), 0

    def begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def load(self, indices: list[int], epoch: int) -> PairFeatures:
        return self.training.rows(indices)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        figures = {"score": float(self.epoch)}
        if len(self.validation.reports) > 1:
            batch = PairFeatures(*(part.to(self.module.log_scale.device) for part in self.validation))
            nearest = (self.module.films(batch.films) @ self.module.texts(batch.texts).T).argmax(1)
            figures["loss"] = float(self.module(batch)["loss"])
            figures["found"] = float((batch.reports[nearest] == batch.reports).float().mean())
        return figures


def report_features(text_encoder: TextEncoder, reports: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The mean vector of each report's sentences (N x d_t), and a whole number for each text (N)."""
    distinct = list(dict.fromkeys(reports))
    sentences, rows = sentence_table(distinct)
    vectors = text_encoder.encode(sentences)
    means = torch.stack([vectors[row].mean(0) if row else vectors.new_zeros(text_encoder.width) for row in rows])
    number = {text: position for position, text in enumerate(distinct)}
    numbers = torch.tensor([number[text] for text in reports])
    return means[numbers], numbers
