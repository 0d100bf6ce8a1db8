"""REVTAF (arXiv 2507.07568): learnable hyperbolic retrieval, transport-attention fusion, and a prompted decoder.

Read ``Revtaf.forward`` for training and ``Revtaf.see`` with ``Revtaf.write`` for inference; the paper's figure is the
order of their lines. A part that the configuration leaves out has no parameters and is never called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.labels.conditions import CONDITIONS, POSITIVE
from radscribe.models.augmentation import Loans
from radscribe.models.classification import ClassificationBranch, ClassificationConfig
from radscribe.models.decoding.decoder import DecoderConfig, ReportDecoder
from radscribe.models.decoding.search import SearchConfig, search
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.encoders.entity import EntityOutput
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.models.encoders.positions import grid_positions
from radscribe.models.evidence import Explanation, Sight, seeds_of
from radscribe.models.fusion.consistency import consistency_loss
from radscribe.models.fusion.transport_attention import TransportAttention, TransportAttentionConfig
from radscribe.models.knowledge.database import ReportDatabase
from radscribe.models.knowledge.index import ReferenceIndex
from radscribe.models.knowledge.prompts import local_prompts
from radscribe.models.knowledge.retrieval import HyperbolicNetwork, RetrievalConfig, noisy, ranking_loss


@dataclass(frozen=True)
class FusionConfig:
    """FVTAF. ``local_marginal`` "presence" gives absent entities less mass; ``references`` joins several reports;
    ``farthest_reference`` (ball distance) calls nothing near enough beyond it: options of ours, off by default."""

    heads: int = 8
    epsilon: float = 0.05
    iterations: int = 20
    mode: Literal["full", "degenerate"] = "full"
    projection: Literal["linear", "block"] = "linear"
    unbalanced: float | None = None
    consistency: Literal["soft", "hard"] = "soft"
    local_marginal: Literal["uniform", "presence"] = "uniform"
    references: int = 1
    farthest_reference: float | None = None

    def __post_init__(self) -> None:
        if self.references < 1:
            raise ValueError(f"references must be at least 1, not {self.references}")


@dataclass(frozen=True)
class LossConfig:
    """L = L_task + 4 L_cls + 2 L_rank + 0.5 L_fcc (Eq. 15 with the classification term its baseline carries)."""

    classification: float = 4.0
    rank: float = 2.0
    consistency: float = 0.5
    label_smoothing: float = 0.1


@dataclass(frozen=True)
class RevtafConfig:
    """The paper's sizes by default; ``retrieval`` or ``fusion`` None is the part switched off (Table 3).

    ``predicted_states`` is the share of state tokens that training takes from the branch instead of the truth, so that
    the decoder learns to check them against the film; ``borrowed_states`` is the share that it takes from another study
    of the batch, whose errors go either way, rare conditions included; up to ``healthy_patches`` of the patches (a
    share drawn for each study) come to the fusion from a study without finding, so that a finding is told by where it
    is and not by where healthy lung is left, and by the prompts where the patches do not show it; ``borrowed_local`` is
    the share of studies whose local prompt is another's, which leaves the global one to tell: all 0 in the paper.
    ``patch_positions`` adds to each patch where it is, which a small network does not tell by itself.
    """

    method: Literal["revtaf"] = "revtaf"
    width: int = 768
    image_encoder: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    retrieval: RetrievalConfig | None = field(default_factory=RetrievalConfig)
    fusion: FusionConfig | None = field(default_factory=FusionConfig)
    classification: ClassificationConfig = field(default_factory=ClassificationConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    predicted_states: float = 0.0
    borrowed_states: float = 0.0
    healthy_patches: float = 0.0
    borrowed_local: float = 0.0
    patch_positions: bool = False

    def __post_init__(self) -> None:
        shares = (self.predicted_states, self.borrowed_states)
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError("predicted_states and borrowed_states are shares of the states, at most 1 together")
        if self.fusion and (self.fusion.heads < 1 or self.image_encoder.width % self.fusion.heads):
            raise ValueError(
                f"patches of width {self.image_encoder.width} cannot be split into {self.fusion.heads} heads"
            )
        if self.patch_positions and self.image_encoder.width % 4:
            raise ValueError(f"patch_positions: width {self.image_encoder.width} is no multiple of 4")
        for name in ("healthy_patches", "borrowed_local"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)} is no share")


class FilmEntities(NamedTuple):
    """What the frozen entity model says of B films; computed once a film and kept."""

    presence: Tensor  # B x 75 probabilities
    positions: Tensor  # B x 75 place indices
    features: Tensor  # B x w pooled film features

    @classmethod
    def of(cls, output: EntityOutput) -> FilmEntities:
        return cls(output.presence, output.position_logits.argmax(-1), output.pooled.float())


@dataclass(frozen=True)
class Knowledge:
    """What the model looks things up in: the reference database, its index in the ball, the table of triplets."""

    database: ReportDatabase
    table: Tensor
    report_vectors: Tensor
    index: ReferenceIndex | None = None


class Ranking(NamedTuple):
    """R studies to be ranked by each other in the ball: those of the batch, and a pool where there is one."""

    presence: Tensor  # R x 75, by which they search
    indexed: Tensor  # R x 75, by which the database places them
    labels: Tensor  # R x 18
    groups: Tensor  # R x 2, patients and reports


class Batch(NamedTuple):
    """One training batch; ``references`` B x k and ``neighbours`` B x 21 index the database, -1 for none."""

    films: Tensor  # B x 1 x H x W
    entities: FilmEntities
    labels: Tensor  # B x 18
    ranking: Ranking
    references: Tensor
    neighbours: Tensor
    tokens: Tensor  # B x L: report words and [SEP], padded


@dataclass(frozen=True)
class RevtafSight(Sight):
    """What the decoder reads of B films; ``patches`` are F_v."""

    PARTS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "patches": ("patches",),
        "states": ("states", "state_logits"),
        "global": ("global_text", "global_mask"),
        "local": ("local_text", "entities"),  # the presence of the entities is the marginal of their text
    }

    state_logits: Tensor  # B x 18 x 4
    states: Tensor  # B x 18
    entities: FilmEntities
    global_text: Tensor  # F_g: B x N x d_t
    global_mask: Tensor  # B x N
    local_text: Tensor  # F_l: B x 75 x d_t
    references: Tensor | None  # B, database rows
    distances: Tensor | None  # B, in the ball


class Revtaf(nn.Module):
    def __init__(self, config: RevtafConfig, text_width: int, tokenizer: ReportTokenizer) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.image_encoder = ImageEncoder(config.image_encoder)
        visual = self.image_encoder.width
        if config.retrieval:
            self.retrieval = HyperbolicNetwork(config.retrieval)
        if config.fusion:
            attention = TransportAttentionConfig(
                visual_width=visual,
                text_width=text_width,
                output_width=config.width,
                heads=config.fusion.heads,
                epsilon=config.fusion.epsilon,
                iterations=config.fusion.iterations,
                mode=config.fusion.mode,
                projection=config.fusion.projection,
                unbalanced=config.fusion.unbalanced,
            )
            self.global_branch = TransportAttention(attention)
            self.local_branch = TransportAttention(attention)
        else:
            self.project = nn.Linear(visual, config.width)
        self.classification = ClassificationBranch(config.classification, visual, text_width)
        memory_width = 2 * config.width if config.fusion else config.width
        self.decoder = ReportDecoder(config.decoder, len(tokenizer), memory_width)

    def forward(self, batch: Batch, knowledge: Knowledge) -> dict[str, Tensor]:
        """The losses of one training batch, their weighted sum under "loss" (Eq. 15)."""
        weights = self.config.losses
        patches = self.look(batch.films)  # F_v
        reports = knowledge.database.neighbour_vectors(batch.neighbours, knowledge.report_vectors)
        state_logits = self.classification(patches.mean(1), reports)
        losses = {"classification": self.classification.loss(state_logits, batch.labels)}
        total = weights.classification * losses["classification"]
        if self.config.retrieval:
            presence, indexed, labels, groups = batch.ranking
            config, curvature = self.config.retrieval, self.retrieval.curvature
            embeddings = self.retrieval(noisy(presence, config.noise))  # H = HNN(F_logit)
            placed = self.retrieval(indexed) if config.indexed == "reports" else embeddings
            losses["rank"] = ranking_loss(embeddings, placed, labels, groups, config, curvature)
            total = total + weights.rank * losses["rank"]
        global_text, global_mask = knowledge.database.global_prompts(batch.references)
        entities = self.doubtful_entities(batch.entities)
        local_text = local_prompts(knowledge.table, entities.presence, entities.positions)
        seen = self.diluted(patches, batch.labels)
        memory, consistency = self.fuse(seen, global_text, global_mask, local_text, entities.presence)
        if consistency is not None:
            losses["consistency"], losses["mean_iou"] = consistency
            total = total + weights.consistency * losses["consistency"]
        losses["task"] = self.task_loss(memory, self.doubtful_states(batch.labels, state_logits), batch.tokens)
        losses["loss"] = total + losses["task"]
        return losses

    def doubtful_states(self, states: Tensor, state_logits: Tensor) -> Tensor:
        """True states (B x 18) with the configured shares of predicted and of borrowed ones: B x 18."""
        draw = torch.rand(states.shape, device=states.device)
        borrowed = self.config.borrowed_states
        states = torch.where(draw < borrowed, states.roll(1, 0), states)
        return torch.where(draw >= 1 - self.config.predicted_states, state_logits.argmax(-1), states)

    def doubtful_entities(self, entities: FilmEntities) -> FilmEntities:
        """What the local prompt is made of: for the configured share of studies that of another one of the batch."""
        if not self.config.borrowed_local:
            return entities
        drawn = torch.rand(len(entities.presence), 1, device=entities.presence.device) < self.config.borrowed_local
        # Not the study that lends its states: the two kinds of doubt are not to agree.
        return FilmEntities(*(torch.where(drawn, part.roll(2, 0), part) for part in entities))

    def diluted(self, patches: Tensor, states: Tensor) -> Tensor:
        """Patches (B x P x d_v), up to the configured share from studies without finding, each at its own place."""
        healthy = states[:, CONDITIONS.index("no finding")] == POSITIVE
        return Loans((patches.shape[0], patches.shape[1]), healthy, self.config.healthy_patches).applied(patches)

    def look(self, films: Tensor) -> Tensor:
        """F_v: B x P x d_v."""
        patches: Tensor = self.image_encoder(films)
        return patches + grid_positions(patches) if self.config.patch_positions else patches

    def task_loss(self, memory: Tensor, states: Tensor, words: Tensor) -> Tensor:
        """Eq. 2 with label smoothing: [DEC] and the 18 states are given, every word and [SEP] is a target."""
        prompt = self.prompt(states)
        written = words != self.tokenizer.padding  # padding never reaches the head
        given = self.decoder.embed(torch.cat((prompt, words), 1)[:, :-1])
        hidden = self.decoder.hidden(given, memory, prompt.shape[1] - 1 + written.sum(1))
        hidden = hidden[:, prompt.shape[1] - 1 :]
        logits = self.decoder.head(hidden[written]).float()
        return functional.cross_entropy(logits, words[written], label_smoothing=self.config.losses.label_smoothing)

    def prompt(self, states: Tensor) -> Tensor:
        """[DEC] and 18 state tokens, B x 19."""
        start = states.new_full((len(states), 1), self.tokenizer.start)
        return torch.cat((start, torch.tensor(self.tokenizer.states, device=states.device)[states]), 1)

    def fuse(
        self, patches: Tensor, global_text: Tensor, global_mask: Tensor, local_text: Tensor, presence: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """F_c (B x P x 2d), and the consistency loss with the mean pairwise IoU of the maps (Eq. 10-14)."""
        fusion = self.config.fusion
        if not fusion:
            return self.project(patches), None
        every = torch.ones(local_text.shape[:2], dtype=torch.bool, device=local_text.device)
        marginal = presence if fusion.local_marginal == "presence" else None
        with_reports = self.global_branch(patches, global_text, global_mask)
        with_entities = self.local_branch(patches, local_text, every, marginal)
        consistency = None
        if self.training:
            consistency = consistency_loss(
                with_reports.maps, with_entities.maps, global_text, local_text, global_mask, fusion.consistency
            )
        return torch.cat((with_reports.fused, with_entities.fused), -1), consistency

    def recall(
        self, entities: FilmEntities, knowledge: Knowledge, groups: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """References (B x k), neighbours (B x 21) and the references' ball distances, found from the film alone.

        ``groups`` (B x 2, ``ReportDatabase.kin``) names the patients and reports of training films, passed over.
        """
        config, count = self.config, self.config.classification.neighbours
        wanted = config.fusion.references if config.fusion else 1
        neighbours = knowledge.database.nearest_films(entities.features, groups, count)
        if not config.retrieval:
            return neighbours[:, :wanted], neighbours, None
        assert knowledge.index is not None, "the index is built before the ball is searched"
        embeddings = self.retrieval(entities.presence)
        distances, found = knowledge.index.search(embeddings, wanted if config.fusion else count, groups)
        distances, found = distances.to(neighbours.device), found.to(neighbours.device)
        if not config.fusion:
            return found[:, :1], found, distances[:, :1]
        if config.fusion.farthest_reference is not None:
            found = found.masked_fill(distances > config.fusion.farthest_reference, -1)
        return found, neighbours, distances

    @torch.no_grad()
    def see(self, films: Tensor, entities: FilmEntities, knowledge: Knowledge) -> RevtafSight:
        """Everything that B films tell, by themselves: no label and no report of theirs can reach this."""
        patches = self.look(films)
        references, neighbours, distances = self.recall(entities, knowledge)
        reports = knowledge.database.neighbour_vectors(neighbours, knowledge.report_vectors)
        state_logits = self.classification(patches.mean(1), reports)
        global_text, global_mask = knowledge.database.global_prompts(references)
        local_text = local_prompts(knowledge.table, entities.presence, entities.positions)
        return RevtafSight(
            patches=patches,
            state_logits=state_logits,
            states=state_logits.argmax(-1),
            entities=entities,
            global_text=global_text,
            global_mask=global_mask,
            local_text=local_text,
            references=references[:, 0],
            distances=None if distances is None else distances[:, 0],
            seeds=seeds_of(films),
        )

    def memory(self, sight: RevtafSight) -> Tensor:
        """What cross-attention reads: F_c, B x P x 2d."""
        text = (sight.global_text, sight.global_mask, sight.local_text)
        return self.fuse(sight.patches, *text, sight.entities.presence)[0]

    @torch.no_grad()
    def write(self, sight: RevtafSight, config: SearchConfig) -> list[list[int]]:
        """Report tokens for each film seen."""
        banned: Sequence[int] = self.tokenizer.banned
        memory, prompt = self.memory(sight), self.prompt(sight.states)
        return search(self.decoder, memory, prompt, config, self.tokenizer.end, banned, seeds=sight.seeds)

    @torch.no_grad()
    def explain(self, tokens: Sequence[int], sight: RevtafSight) -> Explanation:
        """The report ``tokens`` as this model would have written it for the one film of ``sight``."""
        words = torch.tensor([list(tokens)], device=sight.patches.device)
        embedded = self.decoder.embed(torch.cat((self.prompt(sight.states), words), 1)[:, :-1])
        logits, weights = self.decoder.explain(embedded, self.memory(sight))
        written = slice(len(CONDITIONS), None)  # position 18 predicts the first word
        probabilities = logits[0, written].float().softmax(-1)
        return Explanation(probabilities.gather(1, words[0][:, None])[:, 0], weights[0, written].float())
