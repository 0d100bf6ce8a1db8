"""The generator's training: references by labels or from the ball, losses of the model, validation by its reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from radscribe.decoding.search import SearchConfig
from radscribe.evaluation.clinical import micro, outcomes
from radscribe.knowledge.database import stated_presence
from radscribe.knowledge.index import IndexConfig, ReferenceIndex
from radscribe.knowledge.retrieval import RetrievalConfig, choose_references
from radscribe.labels.rules import label_report
from radscribe.models.classification import refreshed_rates
from radscribe.models.revtaf import Batch, FilmEntities, Knowledge, Ranking, Revtaf
from radscribe.study import Study
from radscribe.training.films import FilmSource


@dataclass(frozen=True)
class GeneratorConfig:
    """``references``: where training takes the reference report from, nearest by "labels" (the paper), in the "ball" as
    inference does, or from "both", drawn anew for each film and epoch. ``validation_studies`` bounds the reports
    written after each epoch; an epoch whose commonest report is more than ``commonest`` of them has collapsed and is
    chosen only where all have. ``seed``: another seed for the generator alone, in place of the recipe's; runs that
    differ in it share the cached steps before it.
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
    """Studies of one split for the generator: films, what the entity model says of them, labels and reports.

    ``indexed`` (N x 75) is the presence of entities by which the database places them.
    """

    films: FilmSource
    entities: FilmEntities
    indexed: Tensor
    labels: Tensor  # N x 18
    reports: Sequence[str]

    def entities_of(self, indices: Sequence[int]) -> FilmEntities:
        return FilmEntities(*(part[list(indices)] for part in self.entities))


class ModelWithKnowledge(nn.Module):
    """Revtaf and what it looks things up in, as one module for the loop; knowledge is no parameter."""

    def __init__(self, model: Revtaf, knowledge: Knowledge) -> None:
        super().__init__()
        self.model, self.knowledge = model, knowledge

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.model(batch, self.knowledge)
        return losses


def indexed_presence(config: RetrievalConfig | None, entities: FilmEntities, studies: Sequence[Study]) -> Tensor:
    """By which entities the database places its studies in the ball: N x 75."""
    return stated_presence(studies) if config and config.indexed == "reports" else entities.presence


def build_index(model: Revtaf, knowledge: Knowledge, presence: Tensor, fingerprint: str) -> Knowledge:
    """``knowledge`` with the training studies (``indexed_presence``, N x 75) where the model now puts them in the ball.

    Kept in half precision, so that a stored index ranks as this one does.
    """
    if model.config.retrieval is None:
        return knowledge
    device = next(model.parameters()).device
    with torch.no_grad():
        ball = model.retrieval(presence.to(device)).half().float()
    return with_index(model, knowledge, ball, fingerprint)


def with_index(model: Revtaf, knowledge: Knowledge, ball: Tensor, fingerprint: str) -> Knowledge:
    """``knowledge`` with an index over the given ball embeddings (N x width)."""
    database = knowledge.database.with_ball(ball)
    curvature = float(model.retrieval.curvature)
    index = ReferenceIndex(ball, curvature, fingerprint, database.kin.to(ball.device), IndexConfig())
    return replace(knowledge, database=database, index=index)


class GeneratorObjective:
    """Chooses the epoch by the micro-F1 over 14 conditions of the reports written for the validation split."""

    name = "generator"

    def __init__(
        self,
        model: Revtaf,
        knowledge: Knowledge,
        training: Split,
        validation: Split,
        config: GeneratorConfig,
        search: SearchConfig,
        seed: int,
        strata: NDArray[np.int64] | None = None,
    ) -> None:
        self.strata = strata
        self.module = ModelWithKnowledge(model, knowledge)
        self.training, self.validation, self.config, self.seed = training, validation, config, seed
        self.count = len(training.reports)
        self.search = replace(search, beams=config.validation_beams)
        self.kin = knowledge.database.kin.cpu()
        self.neighbours = knowledge.database.nearest_films(
            training.entities.features, self.kin, model.config.classification.neighbours
        )
        self.references: Tensor | None = None

    @property
    def model(self) -> Revtaf:
        return self.module.model

    @property
    def searches_ball(self) -> bool:
        """Whether training itself searches the ball, which then is rebuilt every epoch."""
        config = self.model.config
        return config.retrieval is not None and (config.fusion is None or self.config.references != "labels")

    @property
    def saves_within_epoch(self) -> bool:
        return not self.searches_ball

    def begin_epoch(self, epoch: int) -> None:
        config = self.model.config
        self.references = self.neighbours[:, : config.fusion.references] if config.fusion else self.neighbours[:, :1]
        if self.searches_ball:
            self.rebuild_index()
            self.model.eval()
            with torch.no_grad():
                device = next(self.model.parameters()).device
                entities = FilmEntities(*(part.to(device) for part in self.training.entities))
                knowledge = self.module.knowledge
                references, neighbours, _ = self.model.recall(entities, knowledge, self.kin.to(device))
            self.references, self.neighbours = references.cpu(), neighbours.cpu()
        elif config.retrieval is not None:
            self.references = None  # chosen by labels, batch by batch

    def load(self, indices: list[int], epoch: int) -> Batch:
        labels = self.training.labels[indices]
        key = np.random.SeedSequence((self.seed, epoch, indices[0])).generate_state(1)
        generator = torch.Generator().manual_seed(int(key[0]))
        references = self.references_of(indices, generator)
        tokenizer = self.model.tokenizer
        words = [tokenizer.encode(self.training.reports[index], self.config.max_words) for index in indices]
        longest = max(map(len, words))
        tokens = torch.tensor([row + [tokenizer.padding] * (longest - len(row)) for row in words])
        films = self.training.films.augmented(indices, epoch)
        entities = self.training.entities_of(indices)
        ranking = self.ranking(indices, generator)
        return Batch(films, entities, labels, ranking, references, self.neighbours[indices], tokens)

    def references_of(self, indices: list[int], generator: torch.Generator) -> Tensor:
        """B x k database rows; draws with ``generator``."""
        config, database = self.model.config, self.module.knowledge.database
        by_ball = None if self.references is None else self.references[indices]
        if by_ball is not None and (self.config.references != "both" or not config.fusion):
            return by_ball
        labels, known = self.training.labels[indices], database.labels.cpu()
        wanted = config.fusion.references if config.fusion else 1
        draws = [choose_references(labels, self.kin[indices], known, self.kin, generator) for _ in range(wanted)]
        by_labels = torch.stack(draws, 1)
        if by_ball is None:
            return by_labels
        return torch.where(torch.rand(len(indices), 1, generator=generator) < 0.5, by_labels, by_ball)

    def ranking(self, indices: list[int], generator: torch.Generator) -> Ranking:
        """The studies of a batch and the configured pool of others, drawn with ``generator``."""
        retrieval = self.model.config.retrieval
        rows = torch.tensor(indices)
        if retrieval and retrieval.pool:
            order = torch.randperm(self.count, generator=generator)
            rows = torch.cat((rows, order[~torch.isin(order, rows)][: retrieval.pool]))
        training = self.training
        return Ranking(training.entities.presence[rows], training.indexed[rows], training.labels[rows], self.kin[rows])

    def rebuild_index(self, fingerprint: str = "") -> None:
        self.module.knowledge = build_index(self.model, self.module.knowledge, self.training.indexed, fingerprint)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        self.rebuild_index()
        count = min(self.config.validation_studies, len(self.validation.reports))
        reports, probabilities = [], []
        device = next(self.model.parameters()).device
        for first in range(0, count, 64):
            indices = list(range(first, min(first + 64, count)))
            entities = FilmEntities(*(part.to(device) for part in self.validation.entities_of(indices)))
            sight = self.model.see(self.validation.films.plain(indices).to(device), entities, self.module.knowledge)
            written, _ = self.model.write(sight, self.search)
            reports += [self.model.tokenizer.decode(tokens) for tokens in written]
            probabilities.append(sight.state_logits.softmax(-1)[..., 1].cpu())
        truth = self.validation.labels[:count]
        rates = self.model.classification.positive_rates
        rates.copy_(refreshed_rates(torch.cat(probabilities), truth, rates.cpu()))
        stated = np.array([label_report(report) for report in reports])
        micro_f1 = float(micro(outcomes(stated, truth.numpy()).sum(0))[2])
        commonest = max(Counter(reports).values(), default=0) / max(count, 1)
        return {
            "score": micro_f1 if commonest <= self.config.commonest else micro_f1 - 1,
            "micro_f1": micro_f1,
            "distinct": len(set(reports)) / max(count, 1),
            "commonest": commonest,
        }
