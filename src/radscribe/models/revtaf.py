"""REVTAF (arXiv 2507.07568): learnable hyperbolic retrieval, transport-attention fusion, and a prompted decoder.

Read ``Revtaf.evidence_of`` with ``Revtaf.write`` for inference, which is the paper's figure from left to right, and
``Revtaf.forward`` for training. A part that the configuration leaves out has no parameters and is never called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.config import LATER
from radscribe.core.records import Study
from radscribe.labels.conditions import CONDITIONS, STATES
from radscribe.models.activation import StateHead
from radscribe.models.augmentation import augmented
from radscribe.models.classification import ClassificationBranch, ClassificationConfig
from radscribe.models.decoding.decoder import DecoderConfig, ReportDecoder
from radscribe.models.decoding.search import SearchConfig, search
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.encoders.entity import EntityModel, FilmEntities
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.models.encoders.places import PlaceStandardisation
from radscribe.models.encoders.positions import grid_positions
from radscribe.models.evidence import Explanation, FilmEvidence, seeds_of
from radscribe.models.fusion.consistency import consistency_loss
from radscribe.models.fusion.transport_attention import FusionConfig, TransportAttention
from radscribe.models.knowledge.database import ReportDatabase, stated_presence
from radscribe.models.knowledge.index import ReferenceIndex
from radscribe.models.knowledge.prompts import local_prompts
from radscribe.models.knowledge.reference_words import ReferenceWords
from radscribe.models.knowledge.retrieval import HyperbolicNetwork, RetrievalConfig, noisy, ranking_loss
from radscribe.models.knowledge.revtaf_knowledge import RevtafKnowledge, knowledge_from
from radscribe.models.report_model import KnowledgeFiles, References, ReportModel

TRIPLETS = "index/triplets.safetensors"


@dataclass(frozen=True)
class LossConfig:
    """L = L_task + 4 L_cls + 2 L_rank + 0.5 L_fcc (Eq. 15, and the classification term that its baseline carries)."""

    classification: float = 4.0
    rank: float = 2.0
    consistency: float = 0.5
    label_smoothing: float = 0.1


@dataclass(frozen=True)
class RevtafConfig:
    """The paper's sizes by default."""

    method: Literal["revtaf"] = "revtaf"
    # Width of the fused patches that each branch hands to the decoder (d).
    width: int = 768
    image_encoder: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    # None switches learnable retrieval off (Table 3).
    retrieval: RetrievalConfig | None = field(default_factory=RetrievalConfig)
    # None switches fusion and consistency off (Table 3).
    fusion: FusionConfig | None = field(default_factory=FusionConfig)
    classification: ClassificationConfig = field(default_factory=ClassificationConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    # Ours, training only: share of state tokens taken from the branch, so that the decoder checks them on the film.
    predicted_states: float = 0.0
    # Ours, training only: share of state tokens taken from another study, which errs either way.
    borrowed_states: float = 0.0
    # Ours, training only: up to this share of a study's patches comes from a study without finding.
    healthy_patches: float = 0.0
    # Ours, training only: share of studies whose local prompt is another study's, so that the global one is read.
    borrowed_local: float = 0.0
    # Ours: adds to each patch where it is, which a small network does not learn by itself.
    patch_positions: bool = False
    # Ours: number of a film's patches (49 of 224 pixels at stride 32), which are standardised place by place.
    standardised_places: int | None = field(default=None, metadata=LATER)

    views: ClassVar[int] = 1
    prompt_tokens: ClassVar[int] = 1 + len(CONDITIONS)  # [DEC] and a state token for each condition
    reads_entities: ClassVar[bool] = True
    text_width: ClassVar[None] = None  # any text encoder's will do

    def __post_init__(self) -> None:
        shares = (self.predicted_states, self.borrowed_states)
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError("predicted_states and borrowed_states are shares of the states, at most 1 together")
        if self.fusion and self.image_encoder.width % self.fusion.heads:
            raise ValueError(
                f"patches of width {self.image_encoder.width} cannot be split into {self.fusion.heads} heads"
            )
        if self.standardised_places is not None and self.standardised_places < 1:
            raise ValueError(f"standardised_places must be at least 1, not {self.standardised_places}")
        if self.patch_positions and self.image_encoder.width % 4:
            raise ValueError(f"patch_positions: width {self.image_encoder.width} is no multiple of 4")
        for name in ("healthy_patches", "borrowed_local"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}")


class Ranking(NamedTuple):
    """R studies to be ranked by each other in the ball: those of the batch, and a pool where there is one."""

    presence: Tensor  # R x 75, by which they search
    indexed: Tensor  # R x 75, by which the database places them
    labels: Tensor  # R x 18
    related_ids: Tensor  # R x 2, patients and reports


class RevtafBatch(NamedTuple):
    """One training batch; ``references`` B x k and ``neighbours`` B x 21 index the database, -1 for none."""

    films: Tensor  # B x 1 x H x W
    entities: FilmEntities
    labels: Tensor  # B x 18
    ranking: Ranking
    references: Tensor
    neighbours: Tensor
    tokens: Tensor  # B x L: report words and [SEP], padded
    film_states: Tensor  # B x 18, of the films: they are the labels where a report belongs to its film
    known: Tensor  # B x 18, which of them are known


@dataclass(frozen=True)
class RevtafEvidence(FilmEvidence):
    """What the decoder reads of B films; ``patches`` are F_v."""

    PARTS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "patches": ("patches",),
        "states": ("states", "state_logits"),
        "global": ("global_text", "global_mask", "reference_words"),
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
    reference_words: Tensor | None = None  # B x L, tokens of the nearest reference, padded


class Revtaf(ReportModel):
    """The generator of REVTAF (arXiv 2507.07568): reference reports and entities are fused with the film's patches."""

    paper = "REVTAF model (Zhou et al., arXiv 2507.07568"
    knowledge_files = (TRIPLETS,)

    def __init__(self, config: RevtafConfig, text_width: int, tokenizer: ReportTokenizer) -> None:
        super().__init__()
        self.config: RevtafConfig = config
        self.tokenizer = tokenizer
        self.image_encoder = ImageEncoder(config.image_encoder)
        visual = self.image_encoder.width
        if config.standardised_places:
            self.standardise = PlaceStandardisation(config.standardised_places, visual)
        if config.retrieval:
            self.retrieval = HyperbolicNetwork(config.retrieval)
        if config.fusion:
            self.global_branch = TransportAttention(config.fusion, visual, text_width, config.width)
            self.local_branch = TransportAttention(config.fusion, visual, text_width, config.width)
        else:
            self.project = nn.Linear(visual, config.width)
        self.classification = ClassificationBranch(config.classification, visual, text_width)
        memory_width = 2 * config.width if config.fusion else config.width
        self.decoder = ReportDecoder(config.decoder, len(tokenizer), memory_width)
        if config.fusion and config.fusion.reference_words:
            self.reference_words = ReferenceWords(config.decoder.width, memory_width)

    @classmethod
    def build(cls, config: RevtafConfig, text_width: int, tokenizer: ReportTokenizer) -> Self:
        """As ``Revtaf(config, text_width, tokenizer)``."""
        return cls(config, text_width, tokenizer)

    def forward(self, batch: RevtafBatch, knowledge: RevtafKnowledge) -> dict[str, Tensor]:
        """The losses of one training batch, their weighted sum under "loss" (Eq. 15).

        The batch brings what is found before a step: entity predictions, reference reports (by labels, or in the ball
        as ``recall`` finds them) and neighbours. ``evidence_of`` is the same way at inference.
        """
        weights, losses = self.config.losses, dict[str, Tensor]()
        patches, pooled = self.look(batch.films)  # F_v
        neighbours = knowledge.database.neighbour_vectors(batch.neighbours, knowledge.report_vectors)  # B x 21 x d_t
        state_logits = self.classification(pooled, neighbours)
        losses["classification"] = self.classification.loss(state_logits, batch.film_states, batch.known)
        total = weights.classification * losses["classification"]  # Eq. 15: with its baseline's term
        if self.config.retrieval:
            losses["rank"] = self.rank(batch.ranking, self.config.retrieval)
            total = total + weights.rank * losses["rank"]  # Eq. 15
        # Ours; in the paper these are the entities, patches and true states of the batch as they are.
        seen = augmented(self.config, batch.entities, patches, batch.labels, state_logits)
        global_text, global_mask = knowledge.database.global_prompts(batch.references)  # F_g
        local_text = local_prompts(knowledge.table, seen.entities.presence, seen.entities.positions)  # F_l
        memory, consistency = self.fuse(seen.patches, global_text, global_mask, local_text, seen.entities.presence)
        if consistency is not None:
            losses["consistency"], losses["mean_iou"] = consistency  # L_fcc, and a figure for the log
            total = total + weights.consistency * losses["consistency"]  # Eq. 15
        memory = self.with_words(memory, knowledge.words_of(batch.references, self.tokenizer.padding))
        losses["task"] = self.task_loss(memory, seen.states, batch.tokens)
        losses["loss"] = total + losses["task"]  # Eq. 15
        return losses

    def look(self, films: Tensor) -> tuple[Tensor, Tensor]:
        """F_v (B x P x d_v), and the mean of the patches as the image encoder gives them (B x d_v)."""
        patches: Tensor = self.image_encoder(films)
        pooled = patches.mean(1)
        if self.config.standardised_places:
            patches = self.standardise(patches)
        return patches + grid_positions(patches) if self.config.patch_positions else patches, pooled

    def rank(self, studies: Ranking, config: RetrievalConfig) -> Tensor:
        """L_rank of R studies (Eq. 5 to 7): a scalar."""
        presence, indexed, labels, related_ids = studies
        embeddings = self.retrieval(noisy(presence, config.noise))  # H = HNN(F_logit)
        placed = self.retrieval(indexed) if config.indexed == "reports" else embeddings
        return ranking_loss(embeddings, placed, labels, related_ids, config, self.retrieval.curvature)

    def task_loss(self, memory: Tensor, states: Tensor, words: Tensor) -> Tensor:
        """Eq. 2 with label smoothing: [DEC] and the 18 states are given, every word and [SEP] is a target."""
        prompt = self.prompt(states)
        written = words != self.tokenizer.padding  # padding never reaches the head
        given = self.decoder.embed(torch.cat((prompt, words), 1)[:, :-1])
        hidden = self.decoder.hidden(given, memory, prompt.shape[1] - 1 + written.sum(1))
        hidden = hidden[:, prompt.shape[1] - 1 :]
        logits = self.decoder.head(hidden[written]).float()
        smoothing = self.config.losses.label_smoothing
        return functional.cross_entropy(logits, words[written], label_smoothing=smoothing)  # Eq. 2

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
        self, entities: FilmEntities, knowledge: RevtafKnowledge, related_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """References (B x k), neighbours (B x 21) and the references' ball distances, found from the film alone.

        ``related_ids`` (B x 2, as ``ReportDatabase.related_ids``) are given for training films: related studies are
        passed over.
        """
        config, count = self.config, self.config.classification.neighbours
        wanted = config.fusion.references if config.fusion else 1
        neighbours = knowledge.database.nearest_films(entities.features, related_ids, count)
        if not config.retrieval:
            return neighbours[:, :wanted], neighbours, None
        assert knowledge.index is not None, "the index is built before the ball is searched"
        embeddings = self.retrieval(entities.presence)
        distances, found = knowledge.index.search(embeddings, wanted if config.fusion else count, related_ids)
        distances, found = distances.to(neighbours.device), found.to(neighbours.device)
        if not config.fusion:
            return found[:, :1], found, distances[:, :1]
        if config.fusion.farthest_reference is not None:
            found = found.masked_fill(distances > config.fusion.farthest_reference, -1)
        return found, neighbours, distances

    @torch.no_grad()
    def see(self, films: Tensor, knowledge: RevtafKnowledge, entity_model: EntityModel | None) -> RevtafEvidence:
        """As ``evidence_of``, with the entity predictions of ``entity_model``."""
        assert entity_model is not None, "a REVTAF system has an entity model"
        return self.evidence_of(films, FilmEntities.of(entity_model(films)), knowledge)

    @torch.no_grad()
    def evidence_of(self, films: Tensor, entities: FilmEntities, knowledge: RevtafKnowledge) -> RevtafEvidence:
        """All evidence in B films (B x 1 x H x W): no label and no report of theirs can reach this."""
        patches, pooled = self.look(films)
        references, neighbours, distances = self.recall(entities, knowledge)
        reports = knowledge.database.neighbour_vectors(neighbours, knowledge.report_vectors)
        state_logits = self.classification(pooled, reports)
        global_text, global_mask = knowledge.database.global_prompts(references)
        local_text = local_prompts(knowledge.table, entities.presence, entities.positions)
        return RevtafEvidence(
            patches=patches,
            state_logits=state_logits,
            states=state_logits.argmax(-1),
            entities=entities,
            global_text=global_text,
            global_mask=global_mask,
            local_text=local_text,
            references=references[:, 0],
            distances=None if distances is None else distances[:, 0],
            reference_words=knowledge.words_of(references, self.tokenizer.padding),
            seeds=seeds_of(films),
        )

    def memory(self, evidence: RevtafEvidence) -> Tensor:
        """What cross-attention reads: F_c, B x P x 2d, and where it is configured the reference's words behind it."""
        text = (evidence.global_text, evidence.global_mask, evidence.local_text)
        fused = self.fuse(evidence.patches, *text, evidence.entities.presence)[0]
        return self.with_words(fused, evidence.reference_words)

    def with_words(self, fused: Tensor, words: Tensor | None) -> Tensor:
        """F_c (B x P x 2d) and behind it the embedded ``words`` (B x L tokens): B x (P + L) x 2d."""
        if words is None:
            return fused
        read = self.reference_words(self.decoder.embed(words), words != self.tokenizer.padding)
        return torch.cat((fused, read.to(fused.dtype)), 1)

    @torch.no_grad()
    def write(self, evidence: RevtafEvidence, config: SearchConfig) -> list[list[int]]:
        """Report tokens for each film seen."""
        banned: Sequence[int] = self.tokenizer.banned
        memory, prompt = self.memory(evidence), self.prompt(evidence.states)
        end, seeds = self.tokenizer.end, evidence.seeds
        return search(self.decoder, memory, prompt, config, end, banned, seeds=seeds, phrases=self.phrases)

    @torch.no_grad()
    def explain(self, tokens: Sequence[int], evidence: RevtafEvidence) -> Explanation:
        """The report ``tokens`` as this model would have written it for the one film of ``evidence``."""
        words = torch.tensor([list(tokens)], device=evidence.patches.device)
        embedded = self.decoder.embed(torch.cat((self.prompt(evidence.states), words), 1)[:, :-1])
        logits, weights = self.decoder.explain(embedded, self.memory(evidence))
        written = slice(len(CONDITIONS), None)  # position 18 predicts the first word
        probabilities = logits[0, written].float().softmax(-1)
        maps = weights[0, written, : evidence.patches.shape[1]].float()
        return Explanation(probabilities.gather(1, words[0][:, None])[:, 0], maps)

    @torch.no_grad()
    def log_probabilities(self, tokens: Sequence[int], evidence: RevtafEvidence) -> Tensor:
        words = torch.tensor([list(tokens)], device=evidence.patches.device).expand(len(evidence), -1)
        embedded = self.decoder.embed(torch.cat((self.prompt(evidence.states), words), 1)[:, :-1])
        return self.decoder.log_probabilities(embedded, self.memory(evidence), words)

    def findings(self, evidence: RevtafEvidence) -> Tensor:
        """How likely each state is by the classification branch: B x 18 x 4."""
        return self.classification.probabilities(evidence.state_logits)

    @property
    def state_head(self) -> StateHead:
        """The columns of the branch's head that read the film."""
        weights = self.classification.head.weight[:, -self.image_encoder.width :]
        means = self.standardise.mean if self.config.standardised_places else None
        return StateHead(weights.view(len(CONDITIONS), len(STATES), -1), means)

    def references(self, evidence: RevtafEvidence) -> References | None:
        return None if evidence.references is None else References(evidence.references, evidence.distances)

    @torch.no_grad()
    def untrained_references(
        self, evidence: RevtafEvidence, studies: Sequence[Study], presence: Callable[[], Tensor]
    ) -> Tensor | None:
        """The rows of ``studies`` nearest in the ball of untrained layers (seed 0): B; None without a ball."""
        if not self.config.retrieval:
            return None
        searching = evidence.entities.presence
        torch.manual_seed(0)
        untrained = HyperbolicNetwork(self.config.retrieval).to(searching.device)
        by_reports = self.config.retrieval.indexed == "reports"
        indexed = stated_presence(studies).to(searching.device) if by_reports else presence()
        index = ReferenceIndex(untrained(indexed), float(untrained.curvature), "")
        return index.search(untrained(searching))[1][:, 0]

    def save_knowledge(self, knowledge: RevtafKnowledge) -> KnowledgeFiles:
        """The table of triplets in half precision."""
        return {TRIPLETS: {"table": knowledge.table.half()}}

    def load_knowledge(self, database: ReportDatabase, files: KnowledgeFiles, fingerprint: str) -> RevtafKnowledge:
        """The knowledge with its index in the ball, on the database's device."""
        table = files[TRIPLETS]["table"].float().to(database.features.device)
        knowledge = knowledge_from(database, table, self.tokenizer, self.config.fusion)
        if not self.config.retrieval:
            return knowledge
        return knowledge.with_ball(database.ball, float(self.retrieval.curvature), fingerprint)
