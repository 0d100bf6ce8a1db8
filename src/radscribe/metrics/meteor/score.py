"""Compute METEOR 1.5 from the counts of alignments, of one pair or summed over any pairs.

Source: Denkowski & Lavie (2014), with the parameters for the ranking task in English.
"""

from __future__ import annotations

import numpy as np

from radscribe.metrics.significance import Floats

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
MATCHERS = ("exact", "stem", "synonym", "paraphrase")
WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])  # of the matchers

KINDS = ("hypothesis_content", "reference_content", "hypothesis_function", "reference_function")
STATISTICS = (
    *("hypothesis_words", "reference_words", "hypothesis_function_words", "reference_function_words"),
    *(f"{matcher}_{kind}" for matcher in MATCHERS for kind in KINDS),
    *("chunks", "hypothesis_matches", "reference_matches"),
)


def corpus_score(sums: Floats) -> Floats:
    """METEOR (``...``) of summed ``STATISTICS`` (``... x 23``); 0 where nothing matches."""
    words, functions = sums[..., 0:2], sums[..., 2:4]
    matched = sums[..., 4:20].reshape(*sums.shape[:-1], len(MATCHERS), 2, 2)
    weighted = np.einsum("...mks,m,k->...s", matched, WEIGHTS, [DELTA, 1 - DELTA])
    with np.errstate(divide="ignore", invalid="ignore"):  # texts without words, pairs without matches
        precision, recall = np.moveaxis(weighted / (DELTA * (words - functions) + (1 - DELTA) * functions), -1, 0)
        mean = 1 / ((1 - ALPHA) / precision + ALPHA / recall)
        fragmentation = sums[..., 20] / ((sums[..., 21] + sums[..., 22]) / 2)
        score = mean * (1 - GAMMA * fragmentation**BETA)
    return np.asarray(np.nan_to_num(np.maximum(score, 0)))
