"""What training any report generator shares: the words of a batch, and validation by the reports it writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from radscribe.drafting.films import FilmSource
from radscribe.labels.rules import label_report
from radscribe.metrics.clinical import micro, outcomes
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.evidence import ReportModel, Sight

VALIDATION_BATCH = 64


@dataclass(frozen=True)
class GeneratorConfig:
    """``references``: where training takes the reference report from, nearest by "labels" (the paper), in the "ball" as
    inference does, or from "both", drawn anew for each film and epoch (REVTAF alone has references).
    ``validation_studies`` bounds the reports written after each epoch; an epoch whose commonest report is more than
    ``commonest`` of them has collapsed and is chosen only where all have. ``seed``: another seed for the generator
    alone, in place of the recipe's; runs that differ in it share the cached steps before it.
    """

    references: Literal["labels", "ball", "both"] = "labels"
    max_words: int = 150
    validation_studies: int = 300
    validation_beams: int = 1
    commonest: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.seed is not None and self.seed < 0:
            raise ValueError(f"seed {self.seed} must not be negative")
        if not 0 < self.commonest <= 1:
            raise ValueError(f"commonest {self.commonest} is no share")


@dataclass(frozen=True)
class Split:
    """Studies of one split for a generator: films, labels (N x 18) and reports."""

    films: FilmSource
    labels: Tensor
    reports: Sequence[str]


class ReportObjective(ABC):
    """Chooses the epoch by the micro-F1 over 14 conditions of the reports written for the validation split."""

    name = "generator"
    smallest_batch = 1
    saves_within_epoch = True

    def __init__(
        self,
        module: nn.Module,
        model: ReportModel,
        training: Split,
        validation: Split,
        config: GeneratorConfig,
        search: SearchConfig,
        seed: int,
        strata: NDArray[np.int64] | None = None,
    ) -> None:
        self.module: Any = module
        self.writer, self.config, self.seed, self.strata = model, config, seed, strata
        self.validation_split, self.count = validation, len(training.reports)
        self.reports = training.reports
        self.search = replace(search, beams=config.validation_beams)

    @property
    def device(self) -> torch.device:
        parameter: Tensor = next(self.module.parameters())
        return parameter.device

    def words(self, indices: Sequence[int]) -> Tensor:
        """B x L: report words and [SEP], padded."""
        tokenizer = self.writer.tokenizer
        words = [tokenizer.encode(self.reports[index], self.config.max_words) for index in indices]
        longest = max(map(len, words))
        return torch.tensor([row + [tokenizer.padding] * (longest - len(row)) for row in words])

    @abstractmethod
    def begin_epoch(self, epoch: int) -> None:
        """What is brought up to date before each epoch."""

    @abstractmethod
    def see(self, indices: list[int]) -> Sight:
        """The sight of these validation studies."""

    def validate(self) -> dict[str, float]:
        return self.written()[0]

    @torch.no_grad()
    def written(self) -> tuple[dict[str, float], list[Sight]]:
        """Figures of the reports written for the validation studies, and what they were written from."""
        truth = self.validation_split.labels[: self.config.validation_studies]
        reports, sights = [], []
        for first in range(0, len(truth), VALIDATION_BATCH):
            sights.append(self.see(list(range(first, min(first + VALIDATION_BATCH, len(truth))))))
            written = self.writer.write(sights[-1], self.search)
            reports += [self.writer.tokenizer.decode(tokens) for tokens in written]
        stated = np.array([label_report(report) for report in reports])
        micro_f1 = float(micro(outcomes(stated, truth.numpy()).sum(0))[2])
        count = max(len(truth), 1)
        commonest = max(Counter(reports).values(), default=0) / count
        figures = {
            "score": micro_f1 if commonest <= self.config.commonest else micro_f1 - 1,
            "micro_f1": micro_f1,
            "distinct": len(set(reports)) / count,
            "commonest": commonest,
        }
        return figures, sights
