"""Topics of radiology reports, learned by optimal transport from words alone: one start of MCSAM's memory.

Summaries of MCSAM (arXiv 2404.00588) say that its memory starts from topics of reports found by optimal transport; the
algorithm is not known. This one is ours, after the neural topic model of Zhao et al., "Neural topic model via optimal
transport" (ICLR 2021).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.errors import RadscribeError
from radscribe.models.geometry.transport_cost import LARGEST_SPAN, transport_cost

# The cost 1 - cosine lies between 0 and 2.
_LEAST_EPSILON = 2 / LARGEST_SPAN
_WORD = re.compile(r"[a-z]{3,}")
# Words that join others and name nothing.
_FUNCTION_WORDS = """
about all also although and any are been being both but can could did does due during each for from further given had
has have having here into its itself may might more most much nor not now only other over own per rather same seen
shall should since some such than that the their them then there these they this those though through thus too under
until upon very was were what when where whether which while who will with within without would you your
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())


@dataclass(frozen=True)
class TopicsConfig:
    """How topics are learned; the transport's settings are Zhao et al.'s, the rest is ours.

    Raises ``ValueError`` for a setting out of its range.
    """

    # Words that stand in fewer training reports are left out.
    least_reports: int = 5
    # Words at most, the commonest.
    vocabulary: int = 2000
    # Hidden width of the network that reads a report's topics off its words, and its dropout.
    hidden: int = 200
    dropout: float = 0.5
    # Regularisation of the transport, in units of the cost 1 - cosine: their kernel is exp(-20 cost).
    epsilon: float = 0.05
    # L1 error of the marginals at which a transport has converged, and Sinkhorn's iterations at most.
    tolerance: float = 0.005
    iterations: int = 1000
    # Weight of the cross-entropy of a report's words given its topics.
    reconstruction: float = 0.07
    # Topics whose cosine is above it are one: the later one begins anew from the report that is served worst.
    duplicate_cosine: float = 0.95

    def __post_init__(self) -> None:
        if min(self.least_reports, self.vocabulary, self.hidden, self.iterations) < 1:
            raise ValueError("least_reports, vocabulary, hidden and iterations must be at least 1")
        if not _LEAST_EPSILON <= self.epsilon < math.inf:
            raise ValueError(f"epsilon must be at least {_LEAST_EPSILON:.3f} and finite, not {self.epsilon}")
        if not (0 <= self.dropout < 1 and self.tolerance > 0 and self.reconstruction >= 0):
            raise ValueError("dropout must be within [0, 1), tolerance positive, reconstruction not negative")
        if not 0 < self.duplicate_cosine < 1:
            raise ValueError(f"duplicate_cosine must be within (0, 1), not {self.duplicate_cosine}")


@dataclass(frozen=True)
class Bags:
    """N reports as bags of V words, of three letters or more, that name something."""

    words: tuple[str, ...]  # V, the commonest first
    counts: Tensor  # N x V, bytes: how often each stands there
    rarity: Tensor  # V: log(N / reports with the word), so that a word of every report says nothing

    @classmethod
    def of(cls, reports: Sequence[str], config: TopicsConfig) -> Bags:
        """The words of ``reports``. Raises ``RadscribeError`` where they have too few."""
        frequency = Counter(word for report in reports for word in set(_words(report)))
        ranked = sorted(frequency.items(), key=lambda entry: (-entry[1], entry[0]))
        words = [word for word, count in ranked if config.least_reports <= count < len(reports)][: config.vocabulary]
        if len(words) < 2:
            raise RadscribeError(
                f"topics: {len(words)} words stand in at least {config.least_reports} of {len(reports)} reports and "
                "not in all of them; topics need two or more"
            )
        place = {word: column for column, word in enumerate(words)}
        counts = torch.zeros(len(reports), len(words), dtype=torch.uint8)
        for row, report in enumerate(reports):
            for word, count in Counter(_words(report)).items():
                if word in place:
                    counts[row, place[word]] = min(count, 255)
        rarity = torch.tensor([math.log(len(reports) / frequency[word]) for word in words])
        return cls(tuple(words), counts, rarity)

    def rows(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Counts and x of some reports, B x V each: x is the counts times the words' rarity, as a distribution.

        A report without a word of the vocabulary has zeros.
        """
        counts = self.counts[list(indices)].float()
        weighed = counts * self.rarity
        return counts, weighed / weighed.sum(1, keepdim=True).clamp(min=1e-9)

    @property
    def telling(self) -> list[int]:
        """The reports with a word of the vocabulary."""
        return self.counts.any(1).nonzero()[:, 0].tolist()

    @cached_property
    def association(self) -> Tensor:
        """Normalised pointwise mutual information of words: V x V; -1 never together, 0 by chance, 1 always."""
        together = torch.zeros(len(self.words), len(self.words))
        for first in range(0, len(self.counts), 4096):
            present = (self.counts[first : first + 4096] > 0).float()
            together += present.T @ present  # whole numbers: exact up to 16 million reports
        share = together.double() / len(self.counts)
        alone, log = share.diagonal(), share.clamp(min=1e-300).log()
        information = (log - alone.log()[:, None] - alone.log()) / -log.clamp(max=-1e-12)
        return torch.where(share > 0, information, -1.0).clamp(-1, 1).float()

    def coherence(self, tops: Tensor) -> Tensor:
        """How often the words of a topic stand in one report, by their pairs' mean association.

        ``K x n (columns) -> K``.
        """
        pairs = self.association[tops[:, :, None], tops[:, None, :]]
        return pairs[:, ~torch.eye(tops.shape[1], dtype=torch.bool)].mean(1)


def _words(report: str) -> list[str]:
    return [word for word in _WORD.findall(report.lower()) if word not in FUNCTION_WORDS]


class TopicModel(nn.Module):
    """K topics in the space of the words ``vectors`` (V x D), which stay as they are.

    Raises ``ValueError`` for fewer than two topics.
    """

    words: Tensor

    def __init__(self, config: TopicsConfig, count: int, vectors: Tensor) -> None:
        super().__init__()
        if count < 2:
            raise ValueError(f"topics: at least 2 are needed, not {count}")
        self.config = config
        self.register_buffer("words", functional.normalize(vectors.float(), dim=-1))  # MCSAM: e_w
        start = nn.init.trunc_normal_(torch.empty(count, vectors.shape[1]), std=0.1, a=-0.2, b=0.2)
        self.topics = nn.Parameter(start)
        self.encoder = nn.Sequential(
            nn.Linear(len(vectors), config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, count),
            nn.BatchNorm1d(count),
        )

    @property
    def directions(self) -> Tensor:
        """T, unit rows: K x D."""
        return functional.normalize(self.topics, dim=-1)

    def nearness(self) -> Tensor:
        """The cosine of topics and words: K x V."""
        return (self.directions @ self.words.T).clamp(-1, 1)

    def proportions(self, counts: Tensor) -> Tensor:
        """theta, the share of each topic in a report: ``B x V (counts) -> B x K``, rows that sum to one."""
        theta: Tensor = self.encoder(counts.log1p()).float().softmax(1)  # MCSAM: theta
        return theta

    def prices(self, counts: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """The transport between topics and words of each report, and the words' cross-entropy: B each.

        ``counts`` and ``shares`` are B x V. Raises ``ConvergenceError`` where a transport does not converge.
        """
        config, theta, nearness = self.config, self.proportions(counts), self.nearness().float()
        transport = transport_cost(1 - nearness, theta, shares, config.epsilon, config.iterations, config.tolerance)
        missed = -(shares * (theta @ nearness).log_softmax(1)).sum(1)
        return transport, missed

    def forward(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """The losses of B reports (counts and shares, B x V each), their weighted sum under "loss"."""
        transport, missed = (price.mean() for price in self.prices(*batch))
        total = transport + self.config.reconstruction * missed  # MCSAM: T
        return {"transport": transport, "reconstruction": missed, "loss": total}

    @torch.no_grad()
    def separate(self, counts: Tensor, shares: Tensor) -> int:
        """Begins each duplicate of an earlier topic anew from the words of the worst-served report; returns how many.

        A report near another topic is none of them; where no other is left, a word takes its place. In evaluation mode;
        ``counts`` and ``shares`` are N x V. Raises ``RadscribeError`` where there are not that many different words.
        """
        limit, directions = self.config.duplicate_cosine, self.directions
        twins = ((directions @ directions.T).triu(1) > limit).any(0).nonzero()[:, 0]
        if not len(twins):
            return 0
        places = torch.cat((functional.normalize(shares @ self.words, dim=-1), self.words))
        kept = directions[~torch.isin(torch.arange(len(directions), device=directions.device), twins)]
        closest = (places @ kept.T).amax(1)
        size = self.topics.norm(dim=1).mean()
        price = torch.cat((self.prices(counts, shares)[0], self.words.new_full((len(self.words),), -1.0)))
        for done, topic in enumerate(twins.tolist()):
            free = (closest <= limit) & (places.norm(dim=1) > 0.5)
            if not free.any():
                raise RadscribeError(
                    f"topics: {len(twins) - done} of {len(directions)} are duplicates (cosine above {limit}), and no "
                    "report and no word differs from all others; ask for fewer slots"
                )
            worst = price.masked_fill(~free, -torch.inf).argmax()
            self.topics[topic] = places[worst] * size
            closest = torch.maximum(closest, places @ places[worst])
        return len(twins)
