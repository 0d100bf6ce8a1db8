"""REVTAF's training: entity predictions, the table of triplets, and a generator whose index moves with the ball."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from radscribe.core.records import Study
from radscribe.core.tensors import read_tensors, write_tensors
from radscribe.data.dataset import PreparedDataset
from radscribe.data.film_labels import film_states
from radscribe.drafting.features import entities_of, entities_of_films
from radscribe.drafting.system import System
from radscribe.labels.conditions import BLANK, POSITIVE
from radscribe.models.classification import class_rates, refreshed_rates, start_states
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.encoders.entity import EntityModel, FilmEntities
from radscribe.models.knowledge.database import build_database, stated_presence, triplet_table
from radscribe.models.knowledge.retrieval import RetrievalConfig, choose_references
from radscribe.models.knowledge.revtaf_knowledge import RevtafKnowledge, knowledge_from
from radscribe.models.revtaf import (
    Ranking,
    Revtaf,
    RevtafBatch,
    RevtafConfig,
    RevtafEvidence,
)
from radscribe.training.cache import Step
from radscribe.training.database import reference_database
from radscribe.training.entity_model import entity_model
from radscribe.training.generator import VALIDATION_BATCH, GeneratorStep, ReportObjective, Split, targets
from radscribe.training.recipe import GeneratorConfig
from radscribe.training.steps import SystemTraining, Training
from radscribe.training.text_encoder import TrainedText, text_encoder

SPLITS = ("train", "validate")


@dataclass(frozen=True)
class RevtafSplit(Split):
    """A split with entity predictions for its films."""

    entities: FilmEntities
    indexed: Tensor  # N x 75, the presence of entities by which the database places the studies
    film_states: Tensor  # N x 18, of the films: they are the labels where a report belongs to its film
    known: Tensor  # N x 18, which of them are known
    sources: Tensor | None = None  # N, whole numbers: of which image source a reference must be

    @property
    def known_states(self) -> Tensor:
        """The states of the films, blank where they are not known: N x 18."""
        return self.film_states.masked_fill(~self.known, BLANK)

    def entities_of(self, indices: Sequence[int]) -> FilmEntities:
        """Entity predictions for the films at ``indices``."""
        return FilmEntities(*(part[list(indices)] for part in self.entities))


class ModelWithKnowledge(nn.Module):
    """Revtaf and what it looks things up in, as one module for the loop; knowledge is no parameter.

    ``next_rates`` (18) are the rates of the classes for the epoch to come, kept apart: an epoch's weights are stored
    with the rates that they were trained with.
    """

    next_rates: Tensor

    def __init__(self, model: Revtaf, knowledge: RevtafKnowledge) -> None:
        super().__init__()
        self.model, self.knowledge = model, knowledge
        self.register_buffer("next_rates", model.classification.positive_rates.clone())

    def forward(self, batch: RevtafBatch) -> dict[str, Tensor]:
        """The losses of ``Revtaf.forward``."""
        losses: dict[str, Tensor] = self.model(batch, self.knowledge)
        return losses


def indexed_presence(config: RetrievalConfig | None, entities: FilmEntities, studies: Sequence[Study]) -> Tensor:
    """By which entities the database places its studies in the ball: N x 75."""
    return stated_presence(studies) if config and config.indexed == "reports" else entities.presence


def build_index(model: Revtaf, knowledge: RevtafKnowledge, presence: Tensor, fingerprint: str) -> RevtafKnowledge:
    """``knowledge`` with the training studies (``indexed_presence``, N x 75) where the model now puts them in the ball.

    Kept in half precision, so that a stored index ranks as this one does.
    """
    if model.config.retrieval is None:
        return knowledge
    device = next(model.parameters()).device
    with torch.no_grad():
        ball = model.retrieval(presence.to(device)).half().float()
    return knowledge.with_ball(ball, float(model.retrieval.curvature), fingerprint)


class RevtafObjective(ReportObjective):
    """Trains ``Revtaf`` beside its knowledge."""

    def __init__(
        self,
        model: Revtaf,
        knowledge: RevtafKnowledge,
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
        self.related_ids = knowledge.database.related_ids.cpu()
        self.neighbours = knowledge.database.nearest_films(
            training.entities.features, self.related_ids, model.config.classification.neighbours
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
        """Takes up the rates that validation found; rebuilds the index, where training searches the ball."""
        config = self.model.config
        self.model.classification.take_rates(self.module.next_rates)
        self.references = self.neighbours[:, : config.fusion.references] if config.fusion else self.neighbours[:, :1]
        if self.searches_ball:
            self.rebuild_index()
            self.model.eval()
            with torch.no_grad():
                entities = FilmEntities(*(part.to(self.device) for part in self.training.entities))
                knowledge = self.module.knowledge
                references, neighbours, _ = self.model.recall(entities, knowledge, self.related_ids.to(self.device))
            self.references, self.neighbours = references.cpu(), neighbours.cpu()
        elif config.retrieval is not None:
            self.references = None  # chosen by labels, batch by batch

    def load(self, indices: list[int], epoch: int) -> RevtafBatch:
        key = np.random.SeedSequence((self.seed, epoch, indices[0])).generate_state(1)
        generator = torch.Generator().manual_seed(int(key[0]))
        references = self.references_of(indices, generator)
        return RevtafBatch(
            films=self.training.films.augmented(indices, epoch),
            entities=self.training.entities_of(indices),
            labels=self.training.labels[indices],
            ranking=self.ranking(indices, generator),
            references=references,
            neighbours=self.neighbours[indices],
            tokens=self.words(indices),
            film_states=self.training.film_states[indices],
            known=self.training.known[indices],
        )

    def references_of(self, indices: list[int], generator: torch.Generator) -> Tensor:
        """B x k database rows; draws with ``generator``."""
        config, database = self.model.config, self.module.knowledge.database
        by_ball = None if self.references is None else self.references[indices]
        if by_ball is not None and (self.config.references != "both" or not config.fusion):
            return by_ball
        labels, known = self.training.labels[indices], database.labels.cpu()
        sources = self.training.sources
        own = None if sources is None else (sources[indices], sources)
        wanted = config.fusion.references if config.fusion else 1
        draws = [
            choose_references(labels, self.related_ids[indices], known, self.related_ids, generator, own)
            for _ in range(wanted)
        ]
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
        return Ranking(
            training.entities.presence[rows], training.indexed[rows], training.labels[rows], self.related_ids[rows]
        )

    def rebuild_index(self, fingerprint: str = "") -> None:
        """Places the training studies where the ball has them now."""
        self.module.knowledge = build_index(self.model, self.module.knowledge, self.training.indexed, fingerprint)

    def see(self, indices: list[int]) -> RevtafEvidence:
        entities = FilmEntities(*(part.to(self.device) for part in self.validation.entities_of(indices)))
        films = self.validation.films.plain(indices).to(self.device)
        return self.model.evidence_of(films, entities, self.module.knowledge)

    def validate(self) -> dict[str, float]:
        """The figures of the reports; brings the index up to date, and the rates of the classes for the next epoch."""
        self.rebuild_index()
        figures, seen = self.written()
        truth, first = self.validation.known_states, sum(map(len, seen))
        # The rates are of the whole split: of the studies that are drafted, a rare condition may be none's.
        rest = list(range(first, len(truth)))
        every = [*seen, *(self.see(rest[at : at + VALIDATION_BATCH]) for at in range(0, len(rest), VALIDATION_BATCH))]
        logits = torch.cat([evidence.state_logits for evidence in every if isinstance(evidence, RevtafEvidence)])
        last = self.model.classification.positive_rates.cpu()
        positive, least = logits.softmax(-1)[..., POSITIVE].cpu(), self.model.config.classification.least_positives
        self.module.next_rates.copy_(refreshed_rates(positive, truth, last, least))
        return figures


@dataclass(frozen=True)
class EntityPredictionsStep:
    """Entity predictions for every film of the training and validation splits."""

    name: ClassVar[str] = "features"
    training: Training
    entity_step: Step
    model: EntityModel

    @property
    def inputs(self) -> dict[str, Any]:
        return {"entity_model": self.entity_step.key}

    def build(self, folder: Path) -> dict[str, Any]:
        training = self.training
        device = training.fabric(training.recipe.entity_training).device
        self.model.to(device)
        for split in SPLITS:
            films = training.view(split, stage="middle")
            entities = entities_of(self.model, films, len(training.studies(split)), device)
            write_tensors(folder / f"{split}.safetensors", entities._asdict())
        self.model.cpu()
        return {}


@dataclass(frozen=True)
class TripletsStep:
    """The table of all triplets as text vectors."""

    name: ClassVar[str] = "triplets"
    text: TrainedText
    template: str

    @property
    def inputs(self) -> dict[str, Any]:
        return {"text": self.text.step.key, "template": self.template}

    def build(self, folder: Path) -> dict[str, Any]:
        table = triplet_table(self.text.encoder, self.template)
        write_tensors(folder / "table.safetensors", {"table": table.half()})
        return {}


@dataclass(frozen=True)
class RevtafGeneratorStep(GeneratorStep):
    """The generator, trained beside its knowledge."""

    text: TrainedText
    entity_model: EntityModel
    predictions_step: Step
    splits: Mapping[str, RevtafSplit]
    knowledge: RevtafKnowledge
    config: RevtafConfig

    @property
    def before(self) -> dict[str, Any]:
        return {"features": self.predictions_step.key, "template": self.training.recipe.triplet_template}

    def new_model(self) -> Revtaf:
        return Revtaf(self.config, self.text.encoder.width, self.training.report_tokenizer(self.text.encoder))

    def begin(self, model: Revtaf) -> None:
        self.training.starts.begin(model.image_encoder, self.text.film_encoder, self.entity_model.image_encoder)
        self.training.start_generator(model)
        branch = model.classification
        branch.positive_rates.copy_(class_rates(self.splits["train"].known_states))
        if head := self.training.labelled.head:
            start_states(branch.head, head, branch.positive_rates)

    def objective(self, model: Revtaf, device: torch.device) -> RevtafObjective:
        recipe, seed = self.training.recipe, self.training.generator_seed
        splits, strata = (self.splits["train"], self.splits["validate"]), self.training.strata()
        return RevtafObjective(model, self.knowledge.to(device), *splits, recipe.generator, recipe.search, seed, strata)


class RevtafTraining(SystemTraining):
    """The steps of a REVTAF training: text encoder, entity model, its predictions, triplets, generator."""

    def train(self) -> tuple[list[Step], System]:
        training, recipe = self.training, self.training.recipe
        assert isinstance(recipe.model, RevtafConfig)
        text = text_encoder(training)
        entity_step, entities = entity_model(training, text)
        predictions_step = training.cache.step(EntityPredictionsStep(training, entity_step, entities))
        splits = {name: self._split(name, predictions_step, recipe.model) for name in SPLITS}
        database = reference_database(training, text, splits["train"].entities.features)
        triplets_step = training.cache.step(TripletsStep(text, recipe.triplet_template))
        table = read_tensors(triplets_step.folder / "table.safetensors")["table"].float()
        knowledge = knowledge_from(database, table, training.report_tokenizer(text.encoder), recipe.model.fusion)
        last = RevtafGeneratorStep(training, text, entities, predictions_step, splits, knowledge, recipe.model)
        generator_step, model = last.trained()
        system = System(recipe.system(), text.encoder, model, entities, knowledge)
        if recipe.half_precision:  # what is shipped is what is indexed
            system.half().float()
        system.knowledge = build_index(model, knowledge, splits["train"].indexed, "")
        return [text.step, entity_step, generator_step], system

    def _split(self, name: str, predictions_step: Step, config: RevtafConfig) -> RevtafSplit:
        studies = self.training.studies(name)
        entities = FilmEntities(**read_tensors(predictions_step.folder / f"{name}.safetensors"))
        of_films = film_states(self.training.dataset, studies)
        same_source = self.training.recipe.generator.same_source
        return RevtafSplit(
            films=self.training.films(name),
            labels=torch.tensor([study.labels for study in studies]),
            reports=targets(self.training.reports(name), self.training.recipe.generator),
            entities=entities,
            indexed=indexed_presence(config.retrieval, entities, studies),
            film_states=torch.from_numpy(of_films.states),
            known=torch.from_numpy(of_films.known),
            sources=torch.from_numpy(self.training.sources(name)) if same_source else None,
        )

    @classmethod
    def knowledge_of(cls, system: System, dataset: PreparedDataset, fingerprint: str) -> RevtafKnowledge:
        studies, model, section = dataset.split("train"), system.model, system.config.section
        assert isinstance(model, Revtaf)
        entities = entities_of_films(dataset, studies, system)
        ids = dataset.column("report_id") if "report_id" in dataset.table.column_names else None
        report_ids = [ids[study.study_id] for study in studies] if ids else None
        database = build_database(studies, section, entities.features, system.text_encoder, report_ids)
        table = triplet_table(system.text_encoder, system.config.triplet_template)
        knowledge = knowledge_from(database, table, model.tokenizer, model.config.fusion)
        return build_index(model, knowledge, indexed_presence(model.config.retrieval, entities, studies), fingerprint)
