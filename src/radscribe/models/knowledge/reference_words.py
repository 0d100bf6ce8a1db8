"""The words of a reference report as cross-attention reads them, so that a draft can take them over.

Ours: in the paper the decoder knows a reference by one vector a sentence, of which no wording can be copied.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from radscribe.core.errors import RadscribeError
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.knowledge.database import ReportDatabase


def report_tokens(database: ReportDatabase, tokenizer: ReportTokenizer, count: int) -> Tensor:
    """The first ``count`` tokens of each of the database's R reports, padded: ``R x count``.

    Raises ``RadscribeError`` where the reports' texts are not attached.
    """
    rows = []
    for indices in database.sentences_of_report.tolist():
        if database.sentences is None:
            raise RadscribeError(
                "this model reads the words of its reference reports, and they are not attached; "
                "attach them with `radscribe index attach`"
            )
        text = " ".join(database.sentences[index] for index in indices if index >= 0)
        tokens = tokenizer.encode(text, count)[:count]
        rows.append(tokens + [tokenizer.padding] * (count - len(tokens)))
    return torch.tensor(rows)


class ReferenceWords(nn.Module):
    """Maps embedded words of references to the width that cross-attention reads; behind their end a learned vector
    stands."""

    def __init__(self, width: int, memory_width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, memory_width)
        self.nothing = nn.Parameter(0.02 * torch.randn(1, 1, memory_width))

    def forward(self, embedded: Tensor, written: Tensor) -> Tensor:
        """``B x L x width, B x L (bool) -> B x L x memory width``."""
        projected: Tensor = self.project(embedded)
        return torch.where(written.unsqueeze(-1), projected, self.nothing.to(projected.dtype))
