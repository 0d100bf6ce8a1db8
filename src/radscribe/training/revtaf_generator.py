"""REVTAF's training: references by labels or from the ball, studies to rank, the index rebuilt as the ball moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from radscribe.core.records import Study
from radscribe.models.classification import refreshed_rates
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.knowledge.database import stated_presence
from radscribe.models.knowledge.index import IndexConfig, ReferenceIndex
from radscribe.models.knowledge.retrieval import RetrievalConfig, choose_references
from radscribe.models.revtaf import Batch, FilmEntities, Knowledge, Ranking, Revtaf, RevtafSight
from radscribe.training.generator import GeneratorConfig, ReportObjective, Split


@dataclass(frozen=True)
class RevtafSplit(Split):
    """A split with what the entity model says of its films; ``indexed`` (N x 75) is the presence of entities by which
    the database places them."""

    entities: FilmEntities
    indexed: Tensor

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


class RevtafObjective(ReportObjective):
    """Trains ``Revtaf`` beside its knowledge."""

    def __init__(
        self,
        model: Revtaf,
        knowledge: Knowledge,
        training: RevtafSplit,
        validation: RevtafSplit,
        config: GeneratorConfig,
        search: SearchConfig,
        seed: int,
        strata: NDArray[np.int64] | None = None,
    ) -> None:
        module = ModelWithKnowledge(model, knowledge)
        super().__init__(module, model, training, validation, config, search, seed, strata)
        self.model, self.training, self.validation = model, training, validation
        self.kin = knowledge.database.kin.cpu()
        self.neighbours = knowledge.database.nearest_films(
            training.entities.features, self.kin, model.config.classification.neighbours
        )
        self.references: Tensor | None = None

    @property
    def searches_ball(self) -> bool:
        """Whether training itself searches the ball, which then is rebuilt every epoch."""
        config = self.model.config
        return config.retrieval is not None and (config.fusion is None or self.config.references != "labels")

    @property
    def saves_within_epoch(self) -> bool:  # type: ignore[override]
        return not self.searches_ball

    def begin_epoch(self, epoch: int) -> None:
        config = self.model.config
        self.references = self.neighbours[:, : config.fusion.references] if config.fusion else self.neighbours[:, :1]
        if self.searches_ball:
            self.rebuild_index()
            self.model.eval()
            with torch.no_grad():
                entities = FilmEntities(*(part.to(self.device) for part in self.training.entities))
                knowledge = self.module.knowledge
                references, neighbours, _ = self.model.recall(entities, knowledge, self.kin.to(self.device))
            self.references, self.neighbours = references.cpu(), neighbours.cpu()
        elif config.retrieval is not None:
            self.references = None  # chosen by labels, batch by batch

    def load(self, indices: list[int], epoch: int) -> Batch:
        key = np.random.SeedSequence((self.seed, epoch, indices[0])).generate_state(1)
        generator = torch.Generator().manual_seed(int(key[0]))
        references = self.references_of(indices, generator)
        return Batch(
            films=self.training.films.augmented(indices, epoch),
            entities=self.training.entities_of(indices),
            labels=self.training.labels[indices],
            ranking=self.ranking(indices, generator),
            references=references,
            neighbours=self.neighbours[indices],
            tokens=self.words(indices),
        )

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

    def see(self, indices: list[int]) -> RevtafSight:
        entities = FilmEntities(*(part.to(self.device) for part in self.validation.entities_of(indices)))
        films = self.validation.films.plain(indices).to(self.device)
        return self.model.see(films, entities, self.module.knowledge)

    def validate(self) -> dict[str, float]:
        """The figures of the reports; brings the index and the rates of the classes up to date."""
        self.rebuild_index()
        figures, sights = self.written()
        logits = torch.cat([sight.state_logits for sight in sights if isinstance(sight, RevtafSight)])
        rates = self.model.classification.positive_rates
        truth = self.validation.labels[: len(logits)]
        rates.copy_(refreshed_rates(logits.softmax(-1)[..., 1].cpu(), truth, rates.cpu()))
        return figures
