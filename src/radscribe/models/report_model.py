"""One protocol for every report system: what training, drafting, scoring and checkpoints ask of it.

A new system is one file with a configuration and a ``ReportModel``, and one row of ``models.systems.SYSTEMS``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import torch
from torch import Tensor, nn

from radscribe.core.records import Study
from radscribe.models.activation import StateHead
from radscribe.models.decoding.decoder import DecoderConfig
from radscribe.models.decoding.phrases import Phrases
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.models.evidence import Explanation, FilmEvidence
from radscribe.models.knowledge.database import ReportDatabase

# What a system keeps in its checkpoint beside weights and reference database: contents by path below the checkpoint's
# folder, tensors by name where the path ends in .safetensors, else a JSON object.
KnowledgeFiles = Mapping[str, Mapping[str, Any]]


class ModelConfig(Protocol):
    """What every system's configuration states; its fields are the keys of ``model`` in a recipe."""

    @property
    def method(self) -> str:
        """The system's row in ``SYSTEMS``."""

    @property
    def image_encoder(self) -> ImageEncoderConfig:
        """The network that turns a film into patches."""

    @property
    def decoder(self) -> DecoderConfig:
        """The network that writes the report."""

    @property
    def views(self) -> int:
        """How many films of a study the system reads."""

    @property
    def prompt_tokens(self) -> int:
        """How many tokens the decoder is given before the first word."""

    @property
    def text_width(self) -> int | None:
        """The width that the text encoder must have, None where any will do."""

    @property
    def reads_entities(self) -> bool:
        """Whether the system reads entity predictions of its films, and so has an entity model of its own."""


class Knowledge(Protocol):
    """What a system looks things up in."""

    @property
    def database(self) -> ReportDatabase:
        """The training studies and their reports."""


class References(NamedTuple):
    """The training study nearest to each of B films."""

    rows: Tensor  # B database rows, -1 where none is near enough
    distances: Tensor | None  # B, in the ball; None where references are not found in a ball


class ReportModel(nn.Module, ABC):
    """A network that drafts reports from films and the knowledge it looks things up in.

    Methods that a system has no use for answer None or nothing.
    """

    # How a model card names it: name, authors and identifier of the paper.
    paper: ClassVar[str]
    # Every file that any configuration of the system may store as knowledge.
    knowledge_files: ClassVar[tuple[str, ...]] = ()

    config: Any
    tokenizer: ReportTokenizer
    # What the words of its drafts keep to, where ``SearchConfig.phrases`` asks for it.
    phrases: Phrases | None = None
    image_encoder: ImageEncoder

    @classmethod
    @abstractmethod
    def build(cls, config: Any, text_width: int, tokenizer: ReportTokenizer) -> Self:
        """The untrained network; ``text_width`` is the width of the text encoder's vectors."""

    @abstractmethod
    def see(self, films: Tensor, knowledge: Any, entity_model: EntityModel | None) -> FilmEvidence:
        """All evidence in B films, B x 1 x H x W or B x views x 1 x H x W.

        No label and no report of these films may reach it.
        """

    @abstractmethod
    def write(self, evidence: Any, config: SearchConfig) -> list[list[int]]:
        """Report tokens for each film."""

    @abstractmethod
    def explain(self, tokens: Sequence[int], evidence: Any) -> Explanation:
        """The report ``tokens`` as this model would have written it for the one film of ``evidence``."""

    @torch.no_grad()
    def log_probabilities(self, tokens: Sequence[int], evidence: Any) -> Tensor:
        """How likely each of the L ``tokens`` of one report is for each of B films, in logarithms: B x L.

        Here film by film; a system that can takes them together.
        """
        rows = torch.arange(len(evidence), device=evidence.patches.device)[:, None]
        each = torch.stack([self.explain(tokens, evidence.rows(row)).probabilities for row in rows])
        return each.clamp(min=torch.finfo(each.dtype).tiny).log()

    @abstractmethod
    def load_knowledge(self, database: ReportDatabase, files: KnowledgeFiles, fingerprint: str) -> Knowledge:
        """The knowledge of a loaded model on the database's device, from what ``save_knowledge`` gave."""

    @property
    def stored_files(self) -> tuple[str, ...]:
        """Of ``knowledge_files`` those that this configuration stores."""
        return self.knowledge_files

    def save_knowledge(self, knowledge: Any) -> KnowledgeFiles:
        """What is stored of ``knowledge`` beside its reference database."""
        return {}

    def findings(self, evidence: Any) -> Tensor | None:
        """Probabilities of the states of 18 conditions, B x 18 x 4; None where the model predicts none."""
        return None

    @property
    def state_head(self) -> StateHead | None:
        """How the mean patch of the frontal film enters ``findings``; None where the model predicts none."""
        return None

    def references(self, evidence: Any) -> References | None:
        """The reference studies that the reports were written with; None for a system without references."""
        return None

    def untrained_references(
        self, evidence: Any, studies: Sequence[Study], presence: Callable[[], Tensor]
    ) -> Tensor | None:
        """Rows of ``studies`` (B) that the same layers find before any training: the control of a learned retrieval.

        ``presence`` computes the entity presence of the studies' films, N x 75. None where retrieval is not learned.
        """
        return None

    def slot_notes(self, slots: Tensor, knowledge: Any, count: int) -> list[dict[str, list[str]]]:
        """What shows a reader each memory slot (S indices): its topic's ``words`` where it has one, and the ids of the
        ``count`` training ``studies`` nearest to it."""
        return [{} for _ in slots]
