"""What REVTAF looks things up in: reference reports, the ball that they lie in, and triplets as text."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.fusion.transport_attention import FusionConfig
from radscribe.models.knowledge.database import ReportDatabase
from radscribe.models.knowledge.index import IndexConfig, ReferenceIndex
from radscribe.models.knowledge.reference_words import report_tokens


@dataclass(frozen=True)
class RevtafKnowledge:
    """What the model looks things up in: the reference database, its index in the ball, the table of triplets."""

    database: ReportDatabase
    table: Tensor  # 75 x 51 x 2 x d_t, every triplet as a text vector
    report_vectors: Tensor  # R x d_t
    index: ReferenceIndex | None = None
    words: Tensor | None = None  # R x L, tokens of each report, where the model reads them

    def with_ball(self, ball: Tensor, curvature: float, fingerprint: str) -> RevtafKnowledge:
        """The same knowledge with an index over the ball embeddings (N x d_h) of its studies."""
        database = self.database.with_ball(ball)
        index = ReferenceIndex(ball, curvature, fingerprint, database.related_ids.to(ball.device), IndexConfig())
        return RevtafKnowledge(database, self.table, self.report_vectors, index, self.words)

    def to(self, device: torch.device) -> RevtafKnowledge:
        """The same knowledge, not indexed yet, with its tensors on ``device``."""
        words = None if self.words is None else self.words.to(device)
        vectors = self.report_vectors.to(device)
        return RevtafKnowledge(self.database.to(device), self.table.to(device), vectors, words=words)

    def words_of(self, references: Tensor, padding: int) -> Tensor | None:
        """The tokens of each film's nearest reference, ``B x k (database rows) -> B x L``; padding where it is -1."""
        if self.words is None:
            return None
        nearest = references[:, 0]
        found = self.words[self.database.report_of_study[nearest.clamp(min=0)]]
        return found.masked_fill((nearest < 0)[:, None], padding)


def knowledge_from(
    database: ReportDatabase, table: Tensor, tokenizer: ReportTokenizer, fusion: FusionConfig | None
) -> RevtafKnowledge:
    """The knowledge that a model with this ``fusion`` needs of a ``database`` and the ``table`` of triplets, not
    indexed yet.

    Raises ``RadscribeError`` where it needs the reports' texts and the database has none.
    """
    count = fusion.reference_words if fusion else 0
    words = report_tokens(database, tokenizer, count).to(table.device) if count else None
    return RevtafKnowledge(database, table, database.report_vectors, words=words)
