"""Trains the small text encoder by masked words and by contrast of a sentence with its film and its triplets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.config import to_mapping
from radscribe.core.files import write_text
from radscribe.core.tensors import fingerprint_of, write_tensors
from radscribe.drafting.films import FilmSource
from radscribe.labels.places import MIRRORED
from radscribe.labels.triplets import extract_triplets
from radscribe.models.decoding.tokenizer import read_tokenizer, train_word_pieces
from radscribe.models.encoders.image import ImageEncoder
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.knowledge.prompts import report_sentences, sentence_table, triplet_text
from radscribe.training.cache import Step
from radscribe.training.loop.fit import fit
from radscribe.training.steps import Training, load

MASKED_SHARE = 0.15
CONTRAST_WIDTH = 128
SENTENCES = 4
IGNORED = -100


class SentenceBatch(NamedTuple):
    """The distinct sentences of B reports, their films and the triplets they state, as token ids."""

    films: Tensor  # B x 1 x H x W
    words: Tensor  # S x L, the distinct sentences of the batch, some words masked
    targets: Tensor  # S x L, the masked words, IGNORED elsewhere
    mask: Tensor  # S x L
    belongs: Tensor  # S x B, 1 where the sentence stands in the film's report
    triplets: Tensor  # T x L, the triplets stated in the batch, their opposites and their mirror images, as text
    triplet_mask: Tensor  # T x L
    stated: Tensor  # S x T, 1 where the sentence states the triplet


class SentenceFilmModel(nn.Module):
    """The text encoder with a masked-word head, and a film encoder that meets it in a space of 128.

    Sentences and triplets are brought together in the [CLS] vectors themselves: these are the global and the local
    prompts, and FCC takes the cosine of the two (Eq. 12). The film encoder is a by-product: a mini recipe may start the
    next step's image encoder from it.
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
        """The losses of a batch and their sum under "loss"."""
        hidden = self.text_encoder.states(batch.words, batch.mask)
        masked = batch.targets != IGNORED
        embeddings = self.text_encoder.bert.embeddings.word_embeddings.weight
        logits = functional.linear(self.transform(hidden[masked]), embeddings, self.word_bias)
        words = functional.cross_entropy(logits.float(), batch.targets[masked]) if masked.any() else logits.sum()
        text = functional.normalize(self.project_text(hidden[:, 0]), dim=-1)
        film = functional.normalize(self.project_film(film_features(self.image_encoder, batch.films)), dim=-1)
        similarity = text.float() @ film.float().T * self.log_scale.exp().clamp(max=100)
        # The same sentence stands in many reports: all its films are right answers, and all sentences of a film.
        contrast = (_shared_target(similarity, batch.belongs) + _shared_target(similarity.T, batch.belongs.T)) / 2
        triplets = self.text_encoder.states(batch.triplets, batch.triplet_mask)[:, 0]
        meaning = functional.normalize(hidden[:, 0].float(), dim=-1) @ functional.normalize(triplets.float(), dim=-1).T
        meaning = meaning * self.log_scale.exp().clamp(max=100)
        stated = (_shared_target(meaning, batch.stated) + _shared_target(meaning.T, batch.stated.T)) / 2
        return {"loss": words + contrast + stated, "words": words, "contrast": contrast, "stated": stated}


def film_features(image_encoder: ImageEncoder, films: Tensor) -> Tensor:
    """B x d_v, the mean patch of films at half their resolution: contrast needs no more, at a quarter of the work."""
    patches: Tensor = image_encoder(functional.avg_pool2d(films, 2))
    return patches.mean(1)


def _shared_target(logits: Tensor, belongs: Tensor) -> Tensor:
    """Cross-entropy of rows against a target shared by all columns that belong; rows without one are left out."""
    rows = belongs.sum(1) > 0
    if not rows.any():
        return logits.sum() * 0.0
    target = belongs[rows] / belongs[rows].sum(1, keepdim=True)
    return functional.cross_entropy(logits[rows], target)


class TextEncoderObjective:
    """Up to ``SENTENCES`` of each report, others every epoch; scored by the loss on the validation split."""

    name = "text encoder"
    saves_within_epoch = True
    smallest_batch = 1
    strata: NDArray[np.int64] | None = None
    often: NDArray[np.float64] | None = None

    def __init__(
        self,
        model: SentenceFilmModel,
        reports: Sequence[str],
        films: FilmSource,
        validation_reports: Sequence[str],
        validation_films: FilmSource,
        template: str,
        seed: int,
        filmed: int | None = None,
    ) -> None:
        """``reports`` behind the first ``filmed`` have no film: their words and triplets are learned alone."""
        self.module, self.template, self.seed = model, template, seed
        self.sentences = [report_sentences(report) for report in reports]
        self.validation_sentences = [report_sentences(report) for report in validation_reports]
        distinct = dict.fromkeys(text for report in (*self.sentences, *self.validation_sentences) for text in report)
        self.triplets = {text: extract_triplets(text) for text in distinct}
        self.films, self.validation_films = films, validation_films
        self.count, self.filmed = len(reports), len(reports) if filmed is None else filmed

    def begin_epoch(self, epoch: int) -> None:
        """Nothing is kept between epochs."""

    def load(self, indices: list[int], epoch: int) -> SentenceBatch:
        random = np.random.default_rng((self.seed, epoch, indices[0]))
        # Where no report of the batch has a film, another study's stands there, to which it hardly ever belongs.
        filmed = [index for index in indices if index < self.filmed] or [indices[0] % self.filmed]
        films, beside = self.films.augmented(filmed, epoch), [self.sentences[index] for index in filmed]
        return self._batch([self.sentences[index] for index in indices], films, beside, random)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean losses of the validation split; "score" is minus their sum."""
        sums: dict[str, list[float]] = {}
        device = next(self.module.parameters()).device
        # At least a batch of a few: contrast means nothing for one pair.
        for first in range(0, len(self.validation_sentences), 64):
            indices = list(range(first, min(first + 64, len(self.validation_sentences))))
            reports = [self.validation_sentences[index] for index in indices]
            films = self.validation_films.plain(indices)
            batch = self._batch(reports, films, reports, np.random.default_rng((self.seed, first)))
            losses = self.module(SentenceBatch(*(part.to(device) for part in batch)))
            for name, value in losses.items():
                sums.setdefault(name, []).append(float(value))
        means = {name: float(np.mean(values)) for name, values in sums.items()}
        return {**means, "score": -means["loss"]}

    def _batch(
        self, reports: list[list[str]], films: Tensor, beside: list[list[str]], random: np.random.Generator
    ) -> SentenceBatch:
        """The sentences of ``reports``, and ``films`` with the reports ``beside`` them."""
        encoder = self.module.text_encoder
        drawn = [random.permutation(len(report))[:SENTENCES] for report in reports]
        sentences = list(
            dict.fromkeys(report[at] for report, places in zip(reports, drawn, strict=True) for at in places)
        )
        ids, mask = encoder.tokenize(sentences or [""])
        belongs = torch.tensor([[float(sentence in report) for report in beside] for sentence in sentences or [""]])
        special = torch.tensor([encoder.tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]", "[PAD]")])
        draws = torch.from_numpy(random.random(ids.shape))
        chosen = (draws < MASKED_SHARE) & ~torch.isin(ids, special)
        targets = ids.masked_fill(~chosen, IGNORED)
        # BERT's rule: of the chosen words 80 % are masked, 10 % replaced by another, 10 % left as they are.
        rank = draws / MASKED_SHARE
        replaced = torch.from_numpy(random.integers(0, encoder.tokenizer.get_vocab_size(), ids.shape))
        words = torch.where(chosen & (rank < 0.8), torch.tensor(encoder.tokenizer.token_to_id("[MASK]")), ids)
        words = torch.where(chosen & (rank >= 0.8) & (rank < 0.9), replaced, words)
        return SentenceBatch(films, words, targets, mask, belongs, *self._stated(sentences))

    def _stated(self, sentences: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """The triplets that ``sentences`` state, as text, and which sentence states which (S x T).

        Each is followed by its opposite and its mirror image: else what they share would be all that is learned.
        """
        found = [self.triplets[sentence] for sentence in sentences]
        columns = dict.fromkeys(
            (entity, where, state)
            for triplets in found
            for entity, place, present in triplets
            for where, state in ((place, present), (place, 1 - present), (MIRRORED[place], present))
        )
        column = {triplet: position for position, triplet in enumerate(columns)}
        stated = torch.zeros(max(len(sentences), 1), max(len(column), 1))
        for row, triplets in enumerate(found):
            stated[row, [column[triplet] for triplet in triplets]] = 1.0
        texts = [triplet_text(*triplet, self.template) for triplet in columns]
        return *self.module.text_encoder.tokenize(texts or [""]), stated


@dataclass(frozen=True)
class TextEncoderStep:
    """A ``published`` BERT where the recipe names one that is available, else a small one trained on the reports."""

    name: ClassVar[str] = "text-encoder"
    training: Training
    published: TextEncoder | None

    @property
    def inputs(self) -> dict[str, Any]:
        training, recipe = self.training, self.training.recipe
        inputs: dict[str, Any] = {
            "dataset": training.dataset.fingerprint,
            "section": recipe.section,
            "text_encoder": to_mapping(recipe.text_encoder),
            "template": recipe.triplet_template,
        }
        if self.published is not None:
            return {**inputs, "weights": fingerprint_of(dict(self.published.state_dict()), {})}
        return inputs | training.inputs(recipe.text_training, recipe.entity_model.image_encoder)

    def build(self, folder: Path) -> dict[str, Any]:
        training, recipe = self.training, self.training.recipe
        if self.published is not None:
            write_text(folder / "tokenizer.json", self.published.tokenizer.to_str())
            write_tensors(folder / "text_encoder.safetensors", dict(self.published.state_dict()))
            return {"source": recipe.text_encoder.source}
        reports = training.reports("train")
        texts = [*reports, *training.dataset.texts]
        tokenizer = train_word_pieces(texts, recipe.text_encoder.vocabulary_size)
        torch.manual_seed(recipe.seed)
        encoder = TextEncoder(recipe.text_encoder, tokenizer)
        film_encoder = training.starts.begin(ImageEncoder(recipe.entity_model.image_encoder), training.labelled.encoder)
        objective = TextEncoderObjective(
            SentenceFilmModel(encoder, film_encoder),
            texts,
            training.view("train"),
            training.reports("validate"),
            training.view("validate"),
            recipe.triplet_template,
            recipe.seed,
            len(reports),
        )
        summary = fit(objective, recipe.text_training, training.run(folder, recipe.text_training))
        encoder.cpu().standardise(sentence_table(reports)[0])
        write_text(folder / "tokenizer.json", tokenizer.to_str())
        write_tensors(folder / "text_encoder.safetensors", dict(encoder.state_dict()))
        write_tensors(folder / "film_encoder.safetensors", dict(film_encoder.state_dict()))
        return summary


class TrainedText(NamedTuple):
    """The text encoder, and the film encoder that later ones may start from.

    That is the one trained on films' labels, or else the one trained beside the text encoder (None beside a published
    one).
    """

    step: Step
    encoder: TextEncoder
    film_encoder: ImageEncoder | None


def text_encoder(training: Training) -> TrainedText:
    """The text encoder of a training, frozen."""
    config = training.recipe.text_encoder
    step = training.cache.step(TextEncoderStep(training, training.starts.text_encoder(config)))
    encoder = TextEncoder(config, read_tokenizer(step.folder / "tokenizer.json"))
    load(encoder, step.folder / "text_encoder.safetensors")
    film_encoder = training.labelled.encoder
    if film_encoder is None and (step.folder / "film_encoder.safetensors").exists():
        film_encoder = ImageEncoder(training.recipe.entity_model.image_encoder)
        load(film_encoder, step.folder / "film_encoder.safetensors")
    return TrainedText(step, encoder.eval().requires_grad_(False), film_encoder)
