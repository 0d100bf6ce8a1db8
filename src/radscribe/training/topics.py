"""The memory's start from topics of the training reports, learned from their text alone (MCSAM's ``ot_topic``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radscribe.core.config import to_mapping
from radscribe.core.errors import RadscribeError
from radscribe.core.files import write_json
from radscribe.core.tensors import fingerprint_of, write_tensors
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.knowledge.memory import MemoryConfig
from radscribe.models.knowledge.nearest import nearest
from radscribe.models.knowledge.topics import Bags, TopicModel, coherence
from radscribe.training.loop.fit import fit
from radscribe.training.steps import Training
from radscribe.training.targets import writable
from radscribe.training.text_encoder import TrainedText

# Shown of each topic, in the model card and as a draft's evidence.
WORDS_SHOWN = 10
REPORTS_SHOWN = 5
# Reports among which a topic that begins anew looks for the worst served, and that are read at once.
SAMPLE = 4096


class TopicObjective:
    """Takes the last epoch; duplicates of a topic begin anew before each epoch of the first half."""

    name = "topics"
    smallest_batch = 2  # a batch norm needs a second report
    saves_within_epoch = False
    strata: NDArray[np.int64] | None = None

    def __init__(self, model: TopicModel, bags: Bags, epochs: int) -> None:
        self.module, self.bags, self.epochs, self.epoch = model, bags, epochs, 0
        self.reports = bags.telling
        self.count, self.reseeded = len(self.reports), 0

    def begin_epoch(self, epoch: int) -> None:
        self.epoch, self.reseeded = epoch, 0
        if 0 < epoch <= self.epochs // 2:
            self.separate()

    def separate(self) -> None:
        """Topics that have become one begin anew, from reports of an even sample where there are many."""
        device = self.module.topics.device
        counts, shares = self.bags.rows(self.reports[:: -(-self.count // SAMPLE)])
        self.module.eval()
        self.reseeded = self.module.separate(counts.to(device), shares.to(device))

    def load(self, indices: list[int], epoch: int) -> tuple[Tensor, Tensor]:
        return self.bags.rows([self.reports[index] for index in indices])

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The coherence of the topics' nearest words, the largest cosine of two topics; "score" is the epoch."""
        model = self.module
        directions = model.directions
        cosine = (directions @ directions.T).fill_diagonal_(-1).max()
        found = coherence(nearest_words(model).cpu(), self.bags.counts).mean()
        return {
            "score": float(self.epoch),
            "coherence": float(found),
            "largest_cosine": float(cosine),
            "reseeded": float(self.reseeded),
        }


def nearest_words(model: TopicModel) -> Tensor:
    """The columns of the words nearest to each topic, the nearest first: K x at most ten."""
    return model.nearness().topk(min(WORDS_SHOWN, len(model.words)), dim=1).indices


def placed(model: TopicModel, bags: Bags) -> Iterator[tuple[Tensor, Tensor]]:
    """Block by block the reports among the topics (B x D, unit rows, zeros without a word), and each one's largest."""
    for first in range(0, len(bags.counts), SAMPLE):
        counts, shares = bags.rows(range(first, min(first + SAMPLE, len(bags.counts))))
        yield functional.normalize(shares @ model.words, dim=-1), model.proportions(counts).argmax(1)


def word_vectors(encoder: TextEncoder, words: Sequence[str]) -> Tensor:
    """The text encoder's embedding of each word, the mean over its pieces: V x width."""
    table = encoder.bert.embeddings.word_embeddings.weight.detach().float().cpu()
    pieces = encoder.tokenizer.encode_batch(list(words), add_special_tokens=False)
    return torch.stack([table[piece.ids].mean(0) for piece in pieces])


@dataclass(frozen=True)
class TopicsStep:
    """Slots that are topics of the training reports; no film is read.

    ``memory.json`` has the topics as words and as the studies whose reports are nearest; ``places`` are the reports in
    the slots' space (N x D_M, unit rows, zeros for a report without a word of the vocabulary).
    """

    name: ClassVar[str] = "topics"
    training: Training
    text: TrainedText
    memory: MemoryConfig

    @property
    def inputs(self) -> dict[str, Any]:
        recipe = self.training.recipe
        return {
            "text": self.text.step.key,
            "start": to_mapping(self.memory.start),
            "training": to_mapping(recipe.topic_training),
            "seed": recipe.seed,
            "max_steps": self.training.options.max_steps,
        }

    def build(self, folder: Path) -> dict[str, Any]:
        training, config = self.training, self.training.recipe.topic_training
        start = self.memory.start
        reports = [writable(report) for report in training.reports("train")]
        bags = Bags.of(reports, start.topics)
        torch.manual_seed(training.recipe.seed)
        model = TopicModel(start.topics, start.count, word_vectors(self.text.encoder, bags.words))
        objective = TopicObjective(model, bags, config.epochs)
        if objective.count < 2:
            raise RadscribeError(
                f"topics: {objective.count} of {len(reports)} training reports have words to learn from"
            )
        summary = fit(objective, config, training.run(folder, config))
        objective.separate()
        model.cpu().eval()
        with torch.no_grad():
            slots = model.directions  # MCSAM: M
            tops = nearest_words(model)
            places, chosen = (torch.cat(parts) for parts in zip(*placed(model, bags), strict=True))
        measured = {
            "mode": start.mode,
            "studies": len(reports),
            "vocabulary": len(bags.words),
            "coherence": round(float(coherence(tops, bags.counts).mean()), 4),
            "reseeded": objective.reseeded,
        }
        ids = [study.study_id for study in training.studies("train")]
        reports_near = nearest(slots, places, min(REPORTS_SHOWN, len(ids)))[1].tolist()
        topics = [
            {"words": [bags.words[column] for column in columns], "studies": [ids[row] for row in rows]}
            for columns, rows in zip(tops.tolist(), reports_near, strict=True)
        ]
        usage = chosen.bincount(minlength=len(slots)) / len(chosen)
        begins = {
            **measured,
            "usage": [round(share, 6) for share in usage.tolist()],
            "topics": topics,
            "text_encoder": fingerprint_of(dict(self.text.encoder.state_dict()), {}),
            "training_ids": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
        }
        write_tensors(folder / "slots.safetensors", {"slots": slots.contiguous(), "places": places.contiguous()})
        write_json(folder / "memory.json", begins)
        return {**summary, **measured}
