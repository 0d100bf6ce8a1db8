"""The maps of drafted sentences that cost no more than the draft, on the film they were drafted for or on another one.

They are of activation, and for a model without a head of states of attention.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.evidence_maps import attention_map, stated_map
from radscribe.drafting.reporter import Reporter, batches
from radscribe.evaluation.evaluate import Evaluation
from radscribe.labels.rules import label_sentence

BATCH = 64


@dataclass(frozen=True)
class DraftedMaps:
    """The maps of an evaluation's drafts on some of its films."""

    reporter: Reporter
    evaluation: Evaluation
    # By row of the film, 18 x H x W; None for a model without a head of states, whose maps here are of attention.
    activations: Mapping[int, NDArray[np.float16]] | None

    def of(self, row: int, film: int) -> Iterator[tuple[str, NDArray[np.float64] | None]]:
        """Each sentence drafted for the study at ``row``, and its map (H x W) on the film of the study at ``film``.

        None for a sentence that shows none.
        """
        model, search = self.reporter.system.model, self.reporter.system.config.search
        report = self.evaluation.reports[self.evaluation.studies[row].study_id]
        tokens = model.tokenizer.encode(report, search.max_new_tokens)[:-1]
        spans = model.tokenizer.sentences(tokens)
        if self.activations is not None:
            for text, _, _ in spans:
                shown = stated_map(self.activations[film].astype(np.float32), label_sentence(text))
                yield text, np.array(shown.values) if shown else None
        elif spans:
            pair = self.evaluation.evidence.rows(torch.tensor([row, film]))
            own, seen = pair.rows(torch.tensor([0])), pair.rows(torch.tensor([1]))
            # The same words and states are read with either film: only the film differs.
            seen = seen.with_part_of("states", own) if "states" in seen.parts else seen
            attention = model.explain(tokens, seen).attention
            side = round(attention.shape[1] ** 0.5)
            for text, first, last in spans:
                yield text, np.array(attention_map(attention[first:last].mean(0).view(side, side)).values)


def drafted_maps(
    reporter: Reporter, dataset: PreparedDataset, evaluation: Evaluation, films: Sequence[int]
) -> DraftedMaps:
    """The maps on the films of the studies in rows ``films`` of ``evaluation``, whose drafts are of ``dataset``."""
    if reporter.system.model.state_head is None:
        return DraftedMaps(reporter, evaluation, None)
    found: dict[int, NDArray[np.float16]] = {}
    for rows in batches(films, BATCH):
        views = [reporter.view(dataset.film(evaluation.studies[row])) for row in rows]
        maps = reporter.activations(reporter.films(views))
        assert maps is not None
        found |= zip(rows, maps.astype(np.float16), strict=True)
    return DraftedMaps(reporter, evaluation, found)
