"""MCSAM (arXiv 2404.00588): a transport-initialised clinical memory, feature consolidation and semantic alignment.

Read ``Mcsam.forward`` for training and ``Mcsam.see`` with ``Mcsam.write`` for inference. What is known of the paper's
text leaves choices open; docs/equations.md says which are ours. A part that the configuration leaves out has no
parameters and is never called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.config import LATER
from radscribe.labels.conditions import CONDITIONS, NO_FINDING, POSITIVE, STATES
from radscribe.models.activation import StateHead
from radscribe.models.augmentation import PatchSwap
from radscribe.models.decoding.decoder import DecoderConfig, ReportDecoder
from radscribe.models.decoding.search import SearchConfig, search
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.encoders.attention import trainable_attention
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.models.encoders.places import PlaceStandardisation
from radscribe.models.encoders.positions import grid_positions
from radscribe.models.evidence import Explanation, FilmEvidence, seeds_of
from radscribe.models.fusion.alignment import AlignmentConfig, SemanticAlignment
from radscribe.models.fusion.consolidation import Consolidation, Join
from radscribe.models.knowledge.database import ReportDatabase
from radscribe.models.knowledge.memory import MemoryBank, MemoryConfig
from radscribe.models.report_model import KnowledgeFiles, ReportModel

MEMORY = "memory.json"


@dataclass(frozen=True)
class EncoderConfig:
    """The transformer encoder behind visual consolidation."""

    layers: int = 3
    heads: int = 8
    feed_forward: int = 2048
    dropout: float = 0.1


@dataclass(frozen=True)
class LossConfig:
    """L = L_gen + lambda L_align: ``alignment`` is lambda."""

    alignment: float = 1.0
    # Ours: lambda falls epoch by epoch, from the whole in the first to nothing at this share of them; None keeps it.
    alignment_until: float | None = field(default=None, metadata=LATER)
    label_smoothing: float = 0.0
    # Ours: weight of predicting the states of 18 conditions from the mean patch, by which a draft has probabilities.
    states: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        if self.states < 0:
            raise ValueError(f"states must not be negative, but is {self.states}")
        if self.alignment_until is not None and not 0 < self.alignment_until <= 1:
            raise ValueError(f"alignment_until must be above 0 and at most 1, not {self.alignment_until}")

    def alignment_at(self, progress: Tensor) -> Tensor | float:
        """lambda where the share ``progress`` of the epochs (0-d) is done."""
        if self.alignment_until is None:
            return self.alignment
        return self.alignment * (1 - progress / self.alignment_until).clamp(min=0)


@dataclass(frozen=True)
class McsamConfig:
    """Sizes for MIMIC-CXR by default."""

    method: Literal["mcsam"] = "mcsam"
    # Width of patches, words and what they retrieve.
    width: int = 512
    image_encoder: ImageEncoderConfig = field(default_factory=lambda: ImageEncoderConfig(depths=(3, 4, 6, 3)))
    # Ours: "middle" cuts the image encoder where an entity model cuts its own, which then serves it whole.
    image_stage: Literal["middle", "last"] = "last"
    # None switches the memory off; there is then nothing to consolidate, and alignment takes each modality's features.
    memory: MemoryConfig | None = field(default_factory=MemoryConfig)
    image_consolidation: bool = True
    text_consolidation: bool = True
    # How features and what they retrieved are joined.
    join: Join = "add"
    # Ours: normalises both before they are joined, where patches are far larger than what they retrieve.
    normalized_join: bool = field(default=False, metadata=LATER)
    # None switches semantic alignment off.
    alignment: AlignmentConfig | None = field(default_factory=AlignmentConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig = field(
        default_factory=lambda: DecoderConfig(layers=3, width=512, heads=8, feed_forward=2048, memory_tokens=10)
    )
    losses: LossConfig = field(default_factory=LossConfig)
    # 2 reads a frontal and a lateral film.
    views: Literal[1, 2] = 1
    # Ours, training only: up to this share of a study's patches comes from one without finding, so that s_v is read.
    healthy_patches: float = 0.0
    # Ours: adds to each patch where it is, which a small network does not learn by itself.
    patch_positions: bool = False
    # Ours: number of a film's patches (49 of 224 pixels at stride 32), which are standardised place by place.
    standardised_places: int | None = field(default=None, metadata=LATER)

    prompt_tokens: ClassVar[int] = 1  # [DEC]
    reads_entities: ClassVar[bool] = False

    @property
    def text_width(self) -> int | None:
        """The width that the text encoder must have: where slots lie among its words, theirs."""
        return self.memory.slot_width if self.memory and self.memory.start.mode == "ot_topic" else None

    def __post_init__(self) -> None:
        if self.decoder.width != self.width:
            raise ValueError(f"decoder.width {self.decoder.width} must be the model's width {self.width}")
        heads = [self.encoder.heads, *([self.memory.heads] if self.memory else [])]
        if any(count < 1 or self.width % count for count in heads):
            raise ValueError(f"width {self.width} is not divisible by {' or '.join(map(str, heads))} heads")
        if self.memory and not (self.image_consolidation or self.text_consolidation or self.alignment):
            raise ValueError("nothing reads the memory: write memory: null, or switch a consolidation or alignment on")
        if not 0 <= self.healthy_patches <= 1:
            raise ValueError(f"healthy_patches must be between 0 and 1, not {self.healthy_patches}")
        if self.standardised_places is not None and self.standardised_places < 1:
            raise ValueError(f"standardised_places must be at least 1, not {self.standardised_places}")
        if self.patch_positions and self.width % 4:
            raise ValueError(f"patch_positions: width {self.width} is no multiple of 4")


class McsamBatch(NamedTuple):
    """One training batch; studies with equal ``reports`` have the same report text."""

    films: Tensor  # B x 1 x H x W, or B x views x 1 x H x W
    tokens: Tensor  # B x L: report words and [SEP], padded
    reports: Tensor  # B, whole numbers
    labels: Tensor  # B x 18, states
    progress: Tensor  # 0-d, the share of the epochs that is done


@dataclass(frozen=True)
class McsamEvidence(FilmEvidence):
    """What the decoder reads of B films; ``patches`` of both views stand one behind the other."""

    PARTS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "patches": ("patches",),
        "retrieved": ("retrieved", "slot_weights"),
        "semantic": ("semantic",),
    }

    retrieved: Tensor | None  # R(V): B x N_I x width
    slot_weights: Tensor | None  # B x N_I x N_m
    semantic: Tensor | None  # s_v: B x 1 x width
    state_logits: Tensor | None = None  # B x 18 x 4; no word depends on them


@dataclass(frozen=True)
class SlotKnowledge:
    """What shows an MCSAM draft's evidence: the training studies, and ``start``, how the memory began (None without).

    The database's ``features`` are the studies' places among the slots: unit(v + t), or with topics the direction of
    their reports' words. ``start`` has each slot's topic where there is one, and how much of its start it ``kept`` (the
    cosine of then and now).
    """

    database: ReportDatabase
    start: Mapping[str, Any] | None = None

    def studies_near(self, slots: Tensor, count: int) -> list[list[str]]:
        """The ids of the ``count`` training studies nearest to each slot (S x D_M) by cosine."""
        nearest = self.database.nearest_films(slots.detach(), None, count).tolist()
        return [[self.database.study_ids[row] for row in rows if row >= 0] for rows in nearest]

    def words_of(self, slot: int) -> list[str]:
        """The words of the topic that a slot began as, the nearest first; none where slots are no topics."""
        topics = (self.start or {}).get("topics")
        return list(topics[slot]["words"]) if topics else []


class Mcsam(ReportModel):
    """The generator of MCSAM (arXiv 2404.00588): both modalities read one memory and are aligned."""

    paper = "MCSAM model (Tao et al., arXiv 2404.00588"
    knowledge_files = (MEMORY,)

    def __init__(self, config: McsamConfig, tokenizer: ReportTokenizer) -> None:
        super().__init__()
        self.config: McsamConfig = config
        self.tokenizer = tokenizer
        self.image_encoder = ImageEncoder(config.image_encoder, config.image_stage)
        if config.standardised_places:
            self.standardise = PlaceStandardisation(config.standardised_places, self.image_encoder.width)
        self.project = nn.Linear(self.image_encoder.width, config.width)
        layer = nn.TransformerEncoderLayer(
            config.width, config.encoder.heads, config.encoder.feed_forward, config.encoder.dropout, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.encoder.layers, enable_nested_tensor=False)
        self.decoder = ReportDecoder(config.decoder, len(tokenizer), config.width)
        # What a setting may leave out is drawn last: all settings of a seed then begin with one base transformer.
        if config.memory:
            self.bank = MemoryBank(config.memory, config.width)
            if config.image_consolidation:
                self.consolidate_image = Consolidation(config.width, config.join, config.normalized_join)
            if config.text_consolidation:
                self.consolidate_text = Consolidation(config.width, config.join, config.normalized_join)
        if config.alignment:
            self.alignment = SemanticAlignment(config.alignment, config.width, config.width)
        if config.losses.states:
            self.states = nn.Linear(self.image_encoder.width, len(CONDITIONS) * len(STATES))

    @classmethod
    def build(cls, config: McsamConfig, text_width: int, tokenizer: ReportTokenizer) -> Self:
        """As ``Mcsam(config, tokenizer)``; the width of the text encoder is not used."""
        return cls(config, tokenizer)

    def forward(self, batch: McsamBatch) -> dict[str, Tensor]:
        """The losses of one training batch, their weighted sum under "loss": L = L_gen + lambda L_align."""
        weights, losses = self.config.losses, dict[str, Tensor]()
        evidence, image = self.look(batch.films)  # V, R(V), s_v and z_v
        start = batch.tokens.new_full((len(batch.tokens), 1), self.tokenizer.start)
        embedded = self.decoder.embed(torch.cat((start, batch.tokens), 1)[:, :-1])  # E
        found = self.retrieve(embedded) if self.reads_text or self.config.alignment else None  # R(E)
        written = batch.tokens != self.tokenizer.padding
        healthy = batch.labels[:, NO_FINDING] == POSITIVE
        swap = PatchSwap((evidence.patches.shape[0], evidence.patches.shape[1]), healthy, self.config.healthy_patches)
        retrieved = None if evidence.retrieved is None else swap.applied(evidence.retrieved)
        seen = replace(evidence, patches=swap.applied(evidence.patches), retrieved=retrieved)
        if self.config.alignment and image is not None and found is not None:
            # Input i holds target i - 1: a word wherever target i is written, too. The start token holds no word.
            words = torch.cat((torch.zeros_like(written[:, :1]), written[:, 1:]), 1)
            text = self.alignment.text(self.as_far_as_contrast_reaches(embedded, found), words)  # z_t
            losses["alignment"] = self.alignment.loss(image, text, batch.reports, batch.labels)
        embedded = self.read_words(embedded, evidence.semantic, found)
        hidden = self.decoder.hidden(embedded, self.memory(seen), written.sum(1))
        logits = self.decoder.head(hidden[written]).float()
        targets, smoothing = batch.tokens[written], weights.label_smoothing
        losses["task"] = functional.cross_entropy(logits, targets, label_smoothing=smoothing)  # MCSAM: L_gen
        total = losses["task"]
        if "alignment" in losses:
            total = total + weights.alignment_at(batch.progress) * losses["alignment"]  # MCSAM: L
        if evidence.state_logits is not None:
            losses["states"] = functional.cross_entropy(evidence.state_logits.mT, batch.labels)
            total = total + weights.states * losses["states"]
        return {**losses, "loss": total}

    @property
    def reads_text(self) -> bool:
        """Whether words are consolidated with what the bank holds for them."""
        return self.config.memory is not None and self.config.text_consolidation

    def look(self, films: Tensor) -> tuple[McsamEvidence, Tensor | None]:
        """The evidence of B films (B x 1 x H x W, or B x views x 1 x H x W), and z_v (B x 256) where there is a SAM."""
        views = films.shape[1] if films.dim() == 5 else 1
        if views != self.config.views:
            raise ValueError(f"films of {views} view(s) for a model of {self.config.views}")
        patches = self.image_encoder(films.flatten(0, 1) if films.dim() == 5 else films)
        states = None
        if self.config.losses.states:
            pooled = patches.mean(1).unflatten(0, (-1, views)).mean(1)  # of both views
            states = self.states(pooled).float().reshape(-1, len(CONDITIONS), len(STATES))
        if self.config.standardised_places:
            patches = self.standardise(patches)
        patches = self.project(patches)
        if self.config.patch_positions:
            patches = patches + grid_positions(patches)
        patches = patches.unflatten(0, (-1, views)).flatten(1, 2)  # MCSAM: V; B x N_I x width
        found, image, semantic = None, None, None
        aligned = self.config.alignment
        used = aligned is not None and (self.training or aligned.semantic != "none")
        if self.config.memory and (self.config.image_consolidation or used):
            found = self.bank(patches)  # R(V)
        if aligned is not None and used:
            retrieved = found.values if found else patches
            image = self.alignment.image(retrieved)  # z_v
            if aligned.semantic != "none":
                semantic = self.alignment.embed(image.to(patches.dtype))  # s_v
            if self.training and aligned.reach != "all":
                image = self.alignment.image(self.as_far_as_contrast_reaches(patches, retrieved))
        values, weights = found if found and self.config.image_consolidation else (None, None)
        return McsamEvidence(patches, values, weights, semantic, states), image

    def retrieve(self, embedded: Tensor) -> Tensor:
        """R(E), or E itself where there is no bank: B x L x width."""
        values: Tensor = self.bank(embedded).values if self.config.memory else embedded
        return values

    def as_far_as_contrast_reaches(self, own: Tensor, retrieved: Tensor) -> Tensor:
        """What was ``retrieved`` for patches or words (B x L x width), cut off where L_align's gradient shall end."""
        reach = self.config.alignment.reach if self.config.alignment else "all"
        return retrieved if reach == "all" else self.retrieve(own.detach())

    def memory(self, evidence: McsamEvidence) -> Tensor:
        """What cross-attention reads, [s_v; H_v]: B x (1 + N_I) x width."""
        own = evidence.patches
        if self.config.memory and self.config.image_consolidation:
            own = self.consolidate_image(own, evidence.retrieved)
        with trainable_attention(own.device):
            memory: Tensor = self.encoder(own)  # MCSAM: H_v
        if self.semantic_token:
            assert evidence.semantic is not None
            memory = torch.cat((evidence.semantic.to(memory.dtype), memory), 1)
        return memory

    @property
    def semantic_token(self) -> bool:
        """Whether s_v stands before the patches as a token of its own."""
        return self.config.alignment is not None and self.config.alignment.semantic == "token"

    def read_words(self, embedded: Tensor, semantic: Tensor | None, found: Tensor | None = None) -> Tensor:
        """LayerNorm(E + R(E)), each word by itself: rows x L x width, the rows of one study side by side."""
        if self.reads_text:
            retrieved = self.retrieve(embedded) if found is None else found
            embedded = self.consolidate_text(embedded, retrieved)  # MCSAM: E
        if semantic is not None and not self.semantic_token:
            embedded = embedded + semantic.repeat_interleave(len(embedded) // len(semantic), 0)
        return embedded

    @torch.no_grad()
    def see(self, films: Tensor, knowledge: Any = None, entity_model: EntityModel | None = None) -> McsamEvidence:
        """All evidence in B films; knowledge and an entity model are read by other systems."""
        return replace(self.look(films)[0], seeds=seeds_of(films))

    @torch.no_grad()
    def write(self, evidence: McsamEvidence, config: SearchConfig) -> list[list[int]]:
        """Report tokens for each film seen."""
        prompt = torch.full((len(evidence), 1), self.tokenizer.start, device=evidence.patches.device)
        return search(
            self.decoder,
            self.memory(evidence),
            prompt,
            config,
            self.tokenizer.end,
            self.tokenizer.banned,
            lambda embedded, studies: self.read_words(
                embedded, None if evidence.semantic is None else evidence.semantic[studies]
            ),
            evidence.seeds,
            self.phrases,
        )

    @torch.no_grad()
    def explain(self, tokens: Sequence[int], evidence: McsamEvidence) -> Explanation:
        """The report ``tokens`` as this model would have written it for the one film of ``evidence``.

        The slots of a word are those that it retrieved itself, and those that the patches it looked at did.
        """
        words = torch.tensor([[self.tokenizer.start, *tokens]], device=evidence.patches.device)
        embedded = self.decoder.embed(words)
        every, embedded = embedded, embedded[:, :-1]
        logits, weights = self.decoder.explain(self.read_words(embedded, evidence.semantic), self.memory(evidence))
        attention = weights[0, :, int(self.semantic_token) :].float()  # L x N_I
        used = []
        if self.reads_text:
            used.append(self.bank(every[:, 1:]).weights[0])
        if self.config.memory and self.config.image_consolidation and evidence.slot_weights is not None:
            used.append(attention / attention.sum(-1, keepdim=True).clamp(min=1e-9) @ evidence.slot_weights[0])
        frontal = attention[:, : evidence.patches.shape[1] // self.config.views]
        probabilities = logits[0].float().softmax(-1).gather(1, words[0, 1:, None])[:, 0]
        return Explanation(probabilities, frontal, torch.stack(used).mean(0) if used else None)

    @torch.no_grad()
    def log_probabilities(self, tokens: Sequence[int], evidence: McsamEvidence) -> Tensor:
        words = torch.tensor([[self.tokenizer.start, *tokens]], device=evidence.patches.device)
        words = words.expand(len(evidence), -1)
        embedded = self.read_words(self.decoder.embed(words[:, :-1]), evidence.semantic)
        return self.decoder.log_probabilities(embedded, self.memory(evidence), words[:, 1:])

    def findings(self, evidence: McsamEvidence) -> Tensor | None:
        return None if evidence.state_logits is None else evidence.state_logits.softmax(-1)

    @property
    def state_head(self) -> StateHead | None:
        if not self.config.losses.states:
            return None
        means = self.standardise.mean if self.config.standardised_places else None
        return StateHead(self.states.weight.view(len(CONDITIONS), len(STATES), -1), means)

    @property
    def stored_files(self) -> tuple[str, ...]:
        return self.knowledge_files if self.config.memory else ()

    def save_knowledge(self, knowledge: SlotKnowledge) -> KnowledgeFiles:
        return {} if knowledge.start is None else {MEMORY: knowledge.start}

    def load_knowledge(self, database: ReportDatabase, files: KnowledgeFiles, fingerprint: str) -> SlotKnowledge:
        return SlotKnowledge(database, files.get(MEMORY))

    def slot_notes(self, slots: Tensor, knowledge: SlotKnowledge, count: int) -> list[dict[str, list[str]]]:
        studies = knowledge.studies_near(self.bank.slots[slots], count)
        words = [knowledge.words_of(slot) for slot in slots.tolist()]
        return [
            {**({"words": topic} if topic else {}), "studies": near} for topic, near in zip(words, studies, strict=True)
        ]
