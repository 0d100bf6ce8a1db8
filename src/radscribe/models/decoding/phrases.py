"""Words as they stand together in the reports that a model learned from: a draw keeps to them.

A small decoder that draws at a temperature joins halves of sentences that no one would write. Where every few word
pieces in a row must stand so in some training report, it cannot; what it says of a film it still chooses itself. Ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from radscribe.core.errors import RadscribeError

# Stands for what is before a report's first piece.
BEFORE = -1
# Base of the numbers that stand for pieces in a row: above any vocabulary, and its fourth power below 2**63.
BASE = 1 << 15


class Phrases:
    """Every few word pieces that stand in a row in the reports that a model learned from.

    Raises ``RadscribeError`` for rows that are no such pieces.
    """

    def __init__(self, rows: Tensor) -> None:
        """``rows``: T x n whole numbers, n from 2 to 5: each n pieces in a row once, ``BEFORE`` ahead of a report."""
        if rows.dim() != 2 or not len(rows) or not 2 <= rows.shape[1] <= 5:
            raise RadscribeError(f"phrases of shape {tuple(rows.shape)}: not rows of two to five word pieces")
        if int(rows.min()) < BEFORE or int(rows.max()) >= BASE - 1:
            raise RadscribeError(f"phrases hold a word piece beyond {BASE - 2}; the vocabulary is too large for them")
        self.rows = rows.long()
        contexts, order = torch.sort(_numbers(self.rows[:, :-1]))
        self._followers = self.rows[order, -1]
        self._contexts, counts = torch.unique_consecutive(contexts, return_counts=True)
        self._ends = counts.cumsum(0)

    @classmethod
    def of(cls, reports: Iterable[Sequence[int]], length: int) -> Phrases:
        """Those of ``length`` pieces in ``reports``: token ids, [SEP] at the end."""
        seen = {
            tuple(row[place : place + length])
            for row in ([BEFORE] * (length - 1) + list(report) for report in reports)
            for place in range(len(row) - length + 1)
        }
        return cls(torch.tensor(sorted(seen)).view(-1, length))

    def keep_to(self, written: Tensor, log_probabilities: Tensor) -> None:
        """Forbids, in place, every next piece with which the last ones would stand as in no report.

        Args:
            written: rows x L, the pieces drafted so far.
            log_probabilities: rows x vocabulary, of the next piece. A row of which nothing would be left stays as it
                is.
        """
        before = self.rows.shape[1] - 1
        contexts = _numbers(functional.pad(written, (before, 0), value=BEFORE)[:, -before:].cpu())
        places = torch.searchsorted(self._contexts, contexts).clamp(max=len(self._contexts) - 1)
        for row, (context, place) in enumerate(zip(contexts.tolist(), places.tolist(), strict=True)):
            if int(self._contexts[place]) != context:
                continue
            first = int(self._ends[place - 1]) if place else 0
            following = self._followers[first : int(self._ends[place])].to(log_probabilities.device)
            kept = log_probabilities[row, following]
            if torch.isfinite(kept).any():
                log_probabilities[row] = float("-inf")
                log_probabilities[row, following] = kept


def _numbers(rows: Tensor) -> Tensor:
    """One whole number for each of T rows of k pieces: T x k -> T."""
    places = BASE ** torch.arange(rows.shape[1])
    return ((rows - BEFORE) * places).sum(1)
