"""The small text encoder's training: masked words, and contrast of a sentence with its film."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.encoders.image import ImageEncoder
from radscribe.encoders.text import TextEncoder
from radscribe.knowledge.prompts import split_sentences
from radscribe.training.films import Films

MASKED_SHARE = 0.15
CONTRAST_WIDTH = 128
IGNORED = -100


class SentenceBatch(NamedTuple):
    films: Tensor  # B x 1 x H x W
    words: Tensor  # B x L, some masked
    targets: Tensor  # B x L, the masked words, IGNORED elsewhere
    mask: Tensor  # B x L
    sentences: Tensor  # B, equal where the sentence is the same


class SentenceFilmModel(nn.Module):
    """The text encoder with a masked-word head, and a film encoder that meets it in a space of 128.

    The film encoder is a by-product: a mini recipe may start the next step's image encoder from it.
    """

    def __init__(self, text_encoder: TextEncoder, image_encoder: ImageEncoder) -> None:
        super().__init__()
        self.text_encoder, self.image_encoder = text_encoder, image_encoder
        width = text_encoder.width
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.word_bias = nn.Parameter(torch.zeros(text_encoder.bert.config.vocab_size))
        self.project_text = nn.Linear(width, CONTRAST_WIDTH)
        self.project_film = nn.Linear(image_encoder.width, CONTRAST_WIDTH)
        self.log_scale = nn.Parameter(torch.tensor(1 / 0.07).log())

    def forward(self, batch: SentenceBatch) -> dict[str, Tensor]:
        hidden = self.text_encoder.states(batch.words, batch.mask)
        masked = batch.targets != IGNORED
        embeddings = self.text_encoder.bert.get_input_embeddings().weight
        logits = functional.linear(self.transform(hidden[masked]), embeddings, self.word_bias)
        words = functional.cross_entropy(logits.float(), batch.targets[masked]) if masked.any() else logits.sum()
        text = functional.normalize(self.project_text(hidden[:, 0]), dim=-1)
        film = functional.normalize(self.project_film(self.image_encoder(batch.films).mean(1)), dim=-1)
        similarity = text.float() @ film.float().T * self.log_scale.exp().clamp(max=100)
        # The same sentence stands in many reports: all its films are right answers.
        same = (batch.sentences[:, None] == batch.sentences).float()
        target = same / same.sum(1, keepdim=True)
        contrast = (
            functional.cross_entropy(similarity, target) + functional.cross_entropy(similarity.T, target)
        ) / 2
        return {"loss": words + contrast, "words": words, "contrast": contrast}


class TextEncoderObjective:
    """One sentence of each study, another every epoch; scored by the loss on the validation split."""

    name = "text encoder"
    saves_within_epoch = True

    def __init__(
        self,
        model: SentenceFilmModel,
        reports: Sequence[str],
        films: Films,
        validation_reports: Sequence[str],
        validation_films: Films,
        seed: int,
    ) -> None:
        self.module, self.seed = model, seed
        self.sentences = [split_sentences(report) for report in reports]
        self.validation_sentences = [split_sentences(report) for report in validation_reports]
        self.films, self.validation_films = films, validation_films
        self.count = len(reports)

    def begin_epoch(self, epoch: int) -> None:
        """Nothing is kept between epochs."""

    def load(self, indices: list[int], epoch: int) -> SentenceBatch:
        chosen = self._choose(self.sentences, indices, (self.seed, epoch))
        return self._batch(chosen, self.films.augmented(indices, epoch), (self.seed, epoch, indices[0]))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        sums: dict[str, list[float]] = {}
        device = next(self.module.parameters()).device
        # At least a batch of a few: contrast means nothing for one pair.
        for first in range(0, len(self.validation_sentences), 64):
            indices = list(range(first, min(first + 64, len(self.validation_sentences))))
            chosen = self._choose(self.validation_sentences, indices, (self.seed,))
            batch = self._batch(chosen, self.validation_films.plain(indices), (self.seed, first))
            losses = self.module(SentenceBatch(*(part.to(device) for part in batch)))
            for name, value in losses.items():
                sums.setdefault(name, []).append(float(value))
        means = {name: float(np.mean(values)) for name, values in sums.items()}
        return {**means, "score": -means["loss"]}

    def _choose(self, sentences: list[list[str]], indices: list[int], key: tuple[int, ...]) -> list[str]:
        random = np.random.default_rng((*key, indices[0]))
        return [str(random.choice(sentences[index])) if sentences[index] else "" for index in indices]

    def _batch(self, sentences: list[str], films: Tensor, key: tuple[int, ...]) -> SentenceBatch:
        encoder = self.module.text_encoder
        ids, mask = encoder.tokenize(sentences)
        random = np.random.default_rng(key)
        special = torch.tensor([encoder.tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]", "[PAD]")])
        draws = torch.from_numpy(random.random(ids.shape))
        chosen = (draws < MASKED_SHARE) & ~torch.isin(ids, special)
        targets = ids.masked_fill(~chosen, IGNORED)
        # BERT's rule: of the chosen words 80 % are masked, 10 % replaced by another, 10 % left as they are.
        rank = draws / MASKED_SHARE
        replaced = torch.from_numpy(random.integers(0, encoder.tokenizer.get_vocab_size(), ids.shape))
        words = torch.where(chosen & (rank < 0.8), torch.tensor(encoder.tokenizer.token_to_id("[MASK]")), ids)
        words = torch.where(chosen & (rank >= 0.8) & (rank < 0.9), replaced, words)
        known: dict[str, int] = {}
        same = torch.tensor([known.setdefault(sentence, len(known)) for sentence in sentences])
        return SentenceBatch(films, words, targets, mask, same)
