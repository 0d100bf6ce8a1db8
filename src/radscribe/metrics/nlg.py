"""Compute language figures for all studies at once: corpus BLEU-1..4, METEOR, ROUGE-L and CIDEr.

They equal pycocoevalcap's, without Java. Texts must be tokenized by a protocol (``protocols``); empty hypotheses are
scored like others. Sources: Papineni et al. (2002), Denkowski & Lavie (2014), Lin (2004), Vedantam et al. (2015).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from radscribe.core.errors import WrongUse
from radscribe.metrics.meteor import TextTooLong, corpus_score, meteor
from radscribe.metrics.ngrams import Integers, Order, count_orders, number_words
from radscribe.metrics.significance import Additive, Figure, Floats, Resampling, mean_of

METRICS = ("bleu", "meteor", "rouge_l", "cider")
BLEU = ("bleu_1", "bleu_2", "bleu_3", "bleu_4")
FIGURES = (*BLEU, "meteor", "rouge_l", "cider")

METEOR_REASON = "needs the data of pycocoevalcap: pip install 'radscribe[nlg]'"
WORDLESS_REASON = "the references hold no words"

# pycocoevalcap's constants: BLEU's smoothing, ROUGE's weight of recall, the width of CIDEr's length penalty.
SMALL, TINY = 1e-9, 1e-15
BETA = 1.2
SIGMA = 6.0


@dataclass(frozen=True)
class LanguageScores:
    """The language figures of ``N`` studies."""

    figures: Mapping[str, Figure | None]  # by name; None for those not computed
    missing: Mapping[str, str]  # why a requested figure is None
    per_study: Mapping[str, Floats]  # by name, N values each
    # The sums behind the figures. Document frequencies of CIDEr stay those of all studies when resampled.
    parts: tuple[Additive, ...]


def score_language(
    hypotheses: Sequence[str],
    references: Sequence[str],
    resampling: Resampling | None = None,
    metrics: Collection[str] = METRICS,
) -> LanguageScores:
    """Language figures of ``N`` tokenized hypotheses against one reference each; those not in ``metrics`` are None.

    Raises ``WrongUse`` where there are not as many hypotheses as references.
    """
    if len(hypotheses) != len(references):
        raise WrongUse(f"{len(hypotheses)} hypotheses for {len(references)} references; give one for each study")
    resampling = resampling or Resampling()
    missing: dict[str, str] = {}
    parts: list[Additive] = []
    texts = list(chain.from_iterable(zip(hypotheses, references, strict=True)))
    words = number_words(texts)
    orders = count_orders(words) if {"bleu", "cider"} & set(metrics) else []
    if "bleu" in metrics:
        counts = bleu_counts(orders, words.lengths[::2], words.lengths[1::2])
        parts.append(Additive(BLEU, counts, bleu_of_sums))
    if "meteor" in metrics:
        try:
            found, reason = meteor(hypotheses, references), METEOR_REASON
        except TextTooLong as error:
            found, reason = None, str(error)
        if found is None:
            missing["meteor"] = reason
        else:
            parts.append(Additive(("meteor",), found.statistics, lambda sums: corpus_score(sums)[..., None]))
    if "rouge_l" in metrics:
        tokens = words.by_text() if words.plain else [text.split(" ") for text in texts]
        parts.append(mean_of("rouge_l", rouge_l(tokens[::2], tokens[1::2])))
    if "cider" in metrics and words.lengths[1::2].any():
        parts.append(mean_of("cider", cider(orders, len(references))))
    elif "cider" in metrics:
        missing["cider"] = WORDLESS_REASON
    figures: dict[str, Figure | None] = dict.fromkeys(FIGURES)
    per_study: dict[str, Floats] = {}
    for part in parts:
        figures |= part.figures(resampling)
        per_study |= part.per_study()
    return LanguageScores(figures, missing, per_study, tuple(parts))


def bleu_counts(orders: Sequence[Order], said: Integers, true: Integers) -> Floats:
    """The counts that BLEU sums over studies, ``N x 10``, from n-grams and the lengths of both sides (``N`` words).

    Correct n-grams of order 1 to 4 (at most as many as the reference has), possible ones, and both lengths.
    """
    length, studies = said.astype(np.float64), len(said)
    correct = [np.bincount(order.pair, np.minimum(order.said, order.true), studies) for order in orders]
    possible = [np.maximum(length - order, 0) for order in range(len(orders))]
    return np.stack([*correct, *possible, length, true], axis=1)


def bleu_of_sums(sums: Floats) -> Floats:
    """BLEU-1..4 (``... x 4``) of summed counts (``... x 10``, see ``bleu_counts``), by pycocoevalcap's formula."""
    orders = len(BLEU)
    precision = (sums[..., :orders] + TINY) / (sums[..., orders : 2 * orders] + SMALL)
    bleu = np.cumprod(precision, axis=-1) ** (1 / np.arange(1, orders + 1))
    length_ratio = (sums[..., -2] + TINY) / (sums[..., -1] + SMALL)
    penalty = np.exp(np.minimum(0, 1 - 1 / length_ratio))
    return np.asarray(bleu * penalty[..., None])


def rouge_l(said: Sequence[Sequence[Hashable]], true: Sequence[Sequence[Hashable]]) -> Floats:
    """ROUGE-L of ``N`` hypotheses and references, ``N``: F of the longest common subsequence with beta 1.2.

    Tokens are separated by single spaces, as in pycocoevalcap: there is an empty token between two spaces.
    """
    scores = np.zeros(len(said))
    for row, (hypothesis, reference) in enumerate(zip(said, true, strict=True)):
        common = longest_common_subsequence(hypothesis, reference)
        if common:
            precision, recall = common / len(hypothesis), common / len(reference)
            scores[row] = (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
    return scores


def longest_common_subsequence(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The length of the longest common subsequence.

    Bit i of a whole number represents ``a[i]``, so that one row of the table is one number (Hyyrö 2004).
    """
    places: dict[Hashable, int] = {}
    bit = 1
    for token in a:
        places[token] = places.get(token, 0) | bit
        bit <<= 1
    row = bit - 1
    for place in filter(None, map(places.get, b)):  # other tokens leave the row unchanged
        match = row & place
        row = row + match | row - match
    return len(a) - (row & bit - 1).bit_count()  # carries beyond the last place do not count


def cider(orders: Sequence[Order], studies: int) -> Floats:
    """CIDEr-D of each study, ``N``, with document frequencies of the scored references (Vedantam et al. 2015)."""
    total = np.zeros(studies)
    for order in orders:
        frequency = np.bincount(order.gram[order.true > 0], minlength=order.kinds)
        rarity = (np.log(studies) - np.log(np.maximum(frequency, 1)))[order.gram]
        said, true = order.said * rarity, order.true * rarity
        clipped = np.minimum(said, true)  # repetition is not rewarded
        similarity = np.bincount(order.pair, clipped * true, studies).astype(np.float64)
        norm = np.sqrt(np.bincount(order.pair, said**2, studies) * np.bincount(order.pair, true**2, studies))
        total += np.divide(similarity, norm, out=similarity, where=norm != 0)
    pairs = [np.bincount(orders[1].pair, counts, studies) for counts in (orders[1].said, orders[1].true)]
    # pycocoevalcap uses the number of word pairs as the length.
    return np.asarray(10.0 * total / len(orders) * np.exp(-((pairs[0] - pairs[1]) ** 2) / (2 * SIGMA**2)))
