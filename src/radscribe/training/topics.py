"""The memory's start from topics of the training reports, among the text encoder's words (MCSAM's ``ot_topic``)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radscribe.core.config import to_mapping
from radscribe.core.files import write_json
from radscribe.core.tensors import fingerprint_of, write_tensors
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.knowledge.memory import MemoryConfig
from radscribe.models.knowledge.nearest import nearest
from radscribe.models.knowledge.prompts import report_sentences
from radscribe.models.knowledge.slots import require_studies
from radscribe.models.knowledge.topics import Bags, TopicModel
from radscribe.training.loop.fit import fit
from radscribe.training.steps import Training
from radscribe.training.targets import writable
from radscribe.training.text_encoder import TrainedText

# Shown of each topic, in the model card and as a draft's evidence.
WORDS_SHOWN = 10
REPORTS_SHOWN = 5
# Reports among which a topic that begins anew looks for the worst served, and that are read at once.
SAMPLE = 4096
# Distinct sentences, at most, and at once, in which words are looked up.
SENTENCES_READ, SENTENCE_BATCH = 50_000, 256
LETTERS = re.compile(r"[A-Za-z]+")


class TopicObjective:
    """Takes the last epoch; duplicates of a topic begin anew before each epoch of the first half."""

    name = "topics"
    smallest_batch = 2  # a batch norm needs a second report
    saves_within_epoch = False
    strata: NDArray[np.int64] | None = None
    often: NDArray[np.float64] | None = None

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
        found = self.bags.coherence(nearest_words(model).cpu()).mean()
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


@torch.no_grad()
def word_vectors(encoder: TextEncoder, words: Sequence[str], reports: Sequence[str]) -> Tensor:
    """The mean of the text encoder's hidden states over where each word stands in ``reports``: V x width.

    In every dimension mean 0 and standard deviation 1 over the words: a small BERT gives all of them much in common.
    """
    device = next(encoder.parameters()).device
    columns = {word: column for column, word in enumerate(words)}
    sentences = list(dict.fromkeys(sentence for report in reports for sentence in report_sentences(report)))
    sentences = [*sentences[:: -(-len(sentences) // SENTENCES_READ)], *words]  # alone, each word is there at least once
    sums, counts = torch.zeros(len(words), encoder.width), torch.zeros(len(words), 1)
    for first in range(0, len(sentences), SENTENCE_BATCH):
        part = sentences[first : first + SENTENCE_BATCH]
        ids, mask = encoder.tokenize(part)
        states = encoder.states(ids.to(device), mask.to(device)).float().cpu()
        found = torch.tensor(list(_pieces_of_words(encoder, part, columns)), dtype=torch.long).reshape(-1, 3)
        sums.index_add_(0, found[:, 2], states[found[:, 0], found[:, 1]])
        counts.index_add_(0, found[:, 2], torch.ones(len(found), 1))
    vectors = sums / counts.clamp(min=1)
    return (vectors - vectors.mean(0)) / vectors.std(0).clamp(min=1e-4)


def _pieces_of_words(
    encoder: TextEncoder, sentences: Sequence[str], columns: Mapping[str, int]
) -> Iterator[tuple[int, int, int]]:
    """Row, position behind [CLS] and column of each word piece in ``sentences`` that is part of a known word."""
    read = encoder.config.max_tokens - 2
    encoded = encoder.tokenizer.encode_batch(list(sentences), add_special_tokens=False)
    for row, (sentence, pieces) in enumerate(zip(sentences, encoded, strict=True)):
        column_at = {
            place: columns[word[0].lower()]
            for word in LETTERS.finditer(sentence)
            if word[0].lower() in columns
            for place in range(*word.span())
        }
        for position, (start, _) in enumerate(pieces.offsets[:read], 1):
            if start in column_at:
                yield row, position, column_at[start]


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
        model = TopicModel(start.topics, start.count, word_vectors(self.text.encoder, bags.words, reports))
        objective = TopicObjective(model, bags, config.epochs)
        require_studies(objective.count, start.count)
        summary = fit(objective, config, training.run(folder, config))
        objective.separate()
        model.cpu().eval()
        with torch.no_grad():
            slots = model.directions  # MCSAM: M
            tops = nearest_words(model)
            places, chosen = (torch.cat(parts) for parts in zip(*placed(model, bags), strict=True))
        coherence = round(float(bags.coherence(tops).mean()), 4)
        measured = {
            "mode": start.mode,
            "studies": len(reports),
            "vocabulary": len(bags.words),
            "coherence": coherence,
            "reseeded": objective.reseeded,
            "largest_marginal_error": start.topics.tolerance,  # of any transport: else the step had failed
        }
        ids = [study.study_id for study in training.studies("train")]
        reports_near = nearest(slots, places, min(REPORTS_SHOWN, len(ids)))[1].tolist()
        topics = [
            {"words": [bags.words[column] for column in columns], "studies": [ids[row] for row in rows]}
            for columns, rows in zip(tops.tolist(), reports_near, strict=True)
        ]
        usage = chosen[objective.reports].bincount(minlength=len(slots)) / objective.count
        begins = {
            **measured,
            "usage": [round(share, 6) for share in usage.tolist()],
            "topics": topics,
            "text_encoder": fingerprint_of(dict(self.text.encoder.state_dict()), {}),
            "training_ids": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
        }
        write_tensors(folder / "slots.safetensors", {"slots": slots.contiguous(), "places": places.contiguous()})
        write_json(folder / "memory.json", begins)
        # The last epoch is taken: its number is no score.
        best = {**summary["best"], "score": coherence} if summary["best"] else None
        return {**summary, **measured, "best": best}
