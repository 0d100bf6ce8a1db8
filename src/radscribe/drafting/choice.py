"""Choose among several drawn reports of a film the one that states what the model holds likely, in its commonest words.

A search writes the likeliest report, which is nearly the same for all films without a finding; a single draw says
things by chance. Both are avoided by drawing several times and choosing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from radscribe.labels.conditions import POSITIVE
from radscribe.labels.rules import label_report
from radscribe.metrics.clinical import THIRTEEN
from radscribe.metrics.nlg import rouge_l
from radscribe.models.decoding.search import ChoiceConfig, SearchConfig
from radscribe.models.evidence import FilmEvidence
from radscribe.models.report_model import ReportModel

# Reports drawn together: each has a copy of its film's evidence.
ROWS = 128


class Written(NamedTuple):
    """Reports of B films as token ids, and the share of each film's draws that state each condition present (B x 18).

    ``shares`` is None where nothing was drawn.
    """

    tokens: list[list[int]]
    shares: NDArray[np.float64] | None


@torch.no_grad()
def write_chosen(model: ReportModel, evidence: FilmEvidence, config: SearchConfig) -> Written:
    """What ``config`` finds for B films, or where it has a ``choice`` the best of its draws for each.

    A film's draws, and so its report, depend on the film and on ``config.seed`` alone.
    """
    if config.choice is None:
        return Written(model.write(evidence, config), None)
    size = max(1, ROWS // config.choice.draws)
    tokens: list[list[int]] = []
    shares = []
    for first in range(0, len(evidence), size):
        rows = torch.arange(first, min(first + size, len(evidence)), device=evidence.patches.device)
        chosen, stated = _chosen(model, evidence.rows(rows), config, config.choice)
        tokens += chosen
        shares.append(stated.mean(1))
    return Written(tokens, np.concatenate(shares))


def _chosen(
    model: ReportModel, evidence: FilmEvidence, config: SearchConfig, choice: ChoiceConfig
) -> tuple[list[list[int]], NDArray[np.bool_]]:
    """The chosen reports of B films, and what each of their draws states present: B x draws x 18."""
    count, films = choice.draws, len(evidence)
    copies = evidence.rows(torch.arange(films, device=evidence.patches.device).repeat_interleave(count))
    if copies.seeds is not None:  # each draw of a film begins from a number of its own
        draw = torch.arange(count, device=copies.seeds.device).repeat(films)
        copies = replace(copies, seeds=copies.seeds * count + draw)
    tokens = model.write(copies, config)
    states = np.array([label_report(model.tokenizer.decode(words)) for words in tokens])
    stated = (states == POSITIVE).reshape(films, count, -1)
    likely = model.findings(evidence)
    probabilities = stated.mean(1) if likely is None else likely[:, :, POSITIVE].cpu().numpy()
    drawn = [tokens[first : first + count] for first in range(0, len(tokens), count)]
    best = [
        own[best_draw(own, stated[film][:, THIRTEEN], probabilities[film, THIRTEEN], choice.threshold)]
        for film, own in enumerate(drawn)
    ]
    return best, stated


def best_draw(
    drawn: Sequence[Sequence[int]], stated: NDArray[np.bool_], probabilities: NDArray[np.floating], threshold: float
) -> int:
    """The number of the best of ``n`` reports (token ids) of one film.

    Those whose positive statements (``stated``, n x conditions) gain most, each counting the condition's probability
    less ``threshold``: a statement raises F1 where it is likelier than half the F1 reached (Lipton et al., "Optimal
    Thresholding of Classifiers to Maximize F1 Measure", arXiv 1402.1892). Of these the one most like all draws, by mean
    ROUGE-L: least Bayes risk (Kumar and Byrne, "Minimum Bayes-Risk Decoding", HLT-NAACL 2004).
    """
    gains = (stated * (probabilities - threshold)).sum(1)
    best = np.flatnonzero(gains >= gains.max() - 1e-9).tolist()
    alike = [rouge_l([drawn[number]] * len(drawn), drawn).mean() for number in best]
    return best[int(np.argmax(alike))]
