"""Words as they stand together in the reports that a model learned from: a draft keeps to them.

A small decoder that draws at a temperature joins halves of sentences that no one would write, and spells words that do
not exist. Where every few words in a row must stand so in some training report, it cannot; what it says of a film it
still chooses itself. Ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from radscribe.core.errors import RadscribeError
from radscribe.models.decoding.tokenizer import ReportTokenizer

# What stands for the pieces before a place is one number: a polynomial of them modulo a prime.
PRIME = (1 << 61) - 1
FACTOR = 1_000_003


class Phrases:
    """Which word piece follows which words in a row in the reports that a model learned from.

    Words are pieces, of which some go on with the word before; marks are words. Contexts are kept as numbers from which
    no one reads words, but by trying.
    """

    def __init__(self, contexts: Tensor, followers: Tensor, words: int, tokenizer: ReportTokenizer) -> None:
        """``contexts`` (T, int64, ascending) and ``followers`` (T): pairs that stand so in some report, each once;
        a context is of at most ``words`` - 1 words, the last one perhaps unfinished.

        Raises ``RadscribeError`` for tensors that are not such pairs.
        """
        if contexts.dim() != 1 or contexts.shape != followers.shape or not len(contexts):
            raise RadscribeError(f"phrases of shapes {tuple(contexts.shape)}, {tuple(followers.shape)}: no pairs")
        if bool((contexts.diff() < 0).any()) or int(followers.min()) < 0 or int(followers.max()) >= len(tokenizer):
            raise RadscribeError("phrases are out of order, or hold pieces that the vocabulary lacks")
        self.contexts, self.followers, self.words = contexts.long(), followers.long(), words
        self._tokenizer = tokenizer
        places, counts = torch.unique_consecutive(self.contexts, return_counts=True)
        self._ends = dict(
            zip(
                places.tolist(),
                zip((counts.cumsum(0) - counts).tolist(), counts.cumsum(0).tolist(), strict=True),
                strict=True,
            )
        )

    @classmethod
    def of(cls, reports: Iterable[Sequence[int]], words: int, tokenizer: ReportTokenizer) -> Phrases:
        """Those of ``words`` words in a row in ``reports``: token ids, [SEP] at the end."""
        pairs = {
            (_number(context), piece)
            for report in reports
            for context, piece in zip(_contexts(report, words - 1, tokenizer), report, strict=True)
        }
        contexts, followers = zip(*sorted(pairs), strict=True)
        return cls(torch.tensor(contexts), torch.tensor(followers), words, tokenizer)

    def keep_to(self, written: Tensor, log_probabilities: Tensor) -> None:
        """Forbids, in place, every next piece with which the last words would stand as in no report.

        Args:
            written: rows x L, the pieces drafted so far.
            log_probabilities: rows x vocabulary, of the next piece. A row of which nothing would be left stays as it
                is.
        """
        for row, pieces in enumerate(written.tolist()):
            *_, context = _contexts([*pieces, 0], self.words - 1, self._tokenizer)
            first, last = self._ends.get(_number(context), (0, 0))
            following = self.followers[first:last].to(log_probabilities.device)
            kept = log_probabilities[row, following]
            if torch.isfinite(kept).any():
                log_probabilities[row] = float("-inf")
                log_probabilities[row, following] = kept


def _contexts(pieces: Sequence[int], words: int, tokenizer: ReportTokenizer) -> Iterable[Sequence[int]]:
    """For each of ``pieces`` the last ``words`` words before it, the last one perhaps unfinished."""
    begins: list[int] = []  # of each word so far
    for place, piece in enumerate(pieces):
        yield pieces[begins[-words] if len(begins) >= words else 0 : place]
        if not begins or not tokenizer.continues(piece):
            begins.append(place)


def _number(pieces: Sequence[int]) -> int:
    number = len(pieces)
    for piece in pieces:
        number = (number * FACTOR + piece + 1) % PRIME
    return number
