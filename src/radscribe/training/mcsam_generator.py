"""MCSAM's training: films and reports alone; studies of one and the same report are no negatives of each other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from radscribe.labels.conditions import CONDITIONS, POSITIVE
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.mcsam import Mcsam, McsamBatch, McsamSight
from radscribe.training.generator import GeneratorConfig, ReportObjective, Split


class McsamObjective(ReportObjective):
    """Trains ``Mcsam``."""

    def __init__(
        self,
        model: Mcsam,
        training: Split,
        validation: Split,
        config: GeneratorConfig,
        search: SearchConfig,
        seed: int,
        strata: NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__(model, model, training, validation, config, search, seed, strata)
        self.model, self.training, self.validation = model, training, validation
        # Contrast has nothing to tell one study from.
        self.smallest_batch = 2 if model.config.alignment else 1
        known = {text: number for number, text in enumerate(dict.fromkeys(training.reports))}
        self.same = torch.tensor([known[text] for text in training.reports])

    def begin_epoch(self, epoch: int) -> None:
        """Nothing is kept between epochs."""

    def load(self, indices: list[int], epoch: int) -> McsamBatch:
        healthy = self.training.labels[indices, CONDITIONS.index("no finding")] == POSITIVE
        films = self.training.films.augmented(indices, epoch)
        return McsamBatch(films, self.words(indices), self.same[indices], healthy)

    def see(self, indices: list[int]) -> McsamSight:
        return self.model.see(self.validation.films.plain(indices).to(self.device))
