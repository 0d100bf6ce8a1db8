"""The small text encoder's training: which words are hidden, what belongs to what, and that meaning is learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from makers import TINY
from radscribe.core.config import from_mapping
from radscribe.drafting.films import Films
from radscribe.labels.entities import ENTITIES, PLACES
from radscribe.models.decoding.tokenizer import train_word_pieces
from radscribe.models.encoders.image import ImageEncoder
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.knowledge.prompts import triplet_texts
from radscribe.training.recipe import Recipe
from radscribe.training.text_encoder import SentenceBatch, SentenceFilmModel, TextEncoderObjective, _shared_target

LEFT, NONE = "There is a left pleural effusion.", "No effusion or pneumothorax."
REPORTS = [f"{LEFT} The lungs are clear.", f"{NONE} The lungs are clear.", LEFT, NONE]


def objective() -> TextEncoderObjective:
    recipe = from_mapping(Recipe, TINY)
    torch.manual_seed(0)
    words = [" ".join(REPORTS), " ".join(triplet_texts()[:2])]
    encoder = TextEncoder(recipe.text_encoder, train_word_pieces(words * 2, 200))
    model = SentenceFilmModel(encoder, ImageEncoder(recipe.entity_model.image_encoder))
    pixels = np.random.default_rng(0).integers(0, 256, (len(REPORTS), 72, 72)).astype(np.uint8)
    films = Films(pixels, range(len(REPORTS)), recipe.film)
    return TextEncoderObjective(model, REPORTS, films, REPORTS, films, recipe.triplet_template, seed=0)


def test_reports_without_a_film_teach_words_alone() -> None:
    found = objective()
    found.filmed = 2
    batch = found.load([0, 2, 3], epoch=0)
    assert (
        batch.films.shape[0] == batch.belongs.shape[1] == 1 and batch.belongs.sum() == 2
    )  # both sentences of the first
    assert len(batch.words) == 3 and batch.stated.sum() > 0
    found.sentences[3], found.triplets["Old scars."] = ["Old scars."], []
    alone = found.load([3], epoch=0)
    assert alone.films.shape[0] == 1 and alone.belongs.sum() == 0
    losses = found.module(alone)
    assert float(losses["contrast"].detach()) == 0 and torch.isfinite(losses["loss"])


def text_of(found: TextEncoderObjective, ids: Tensor) -> str:
    return str(found.module.text_encoder.tokenizer.decode(ids.tolist(), skip_special_tokens=True))


def test_sentences_belong_to_the_films_of_their_reports_and_state_their_triplets() -> None:
    found = objective()
    batch = found.load([0, 1, 2, 3], epoch=0)
    whole = torch.where(batch.targets == -100, batch.words, batch.targets)  # unmask
    # One word in ten of those chosen is replaced or left: all three kinds come back by their target.
    rows = [text_of(found, row) for row in whole]
    assert len(rows) == 3
    of_film = {
        row.split()[2] if row.startswith("there") else row.split()[0]: position for position, row in enumerate(rows)
    }
    assert batch.belongs[of_film["a"]].tolist() == [1, 0, 1, 0]
    assert batch.belongs[of_film["no"]].tolist() == [0, 1, 0, 1]
    effusion, pneumothorax = ENTITIES.index("effusion"), ENTITIES.index("pneumothorax")
    left, unspecified = PLACES.index("left_pleural"), PLACES.index("pleural_unspec")
    assert found.triplets[LEFT] == [(effusion, left, 1)]
    assert found.triplets[NONE] == [(effusion, unspecified, 0), (pneumothorax, unspecified, 0)]
    assert batch.stated.sum(1)[[of_film["a"], of_film["no"]]].tolist() == [1, 2]
    # Each triplet stands beside its opposite and, where it has a side, its mirror image; no sentence states them.
    assert batch.stated.shape[1] == len(batch.triplets)
    unstated = {text_of(found, row) for row in batch.triplets[batch.stated.sum(0) == 0]}
    assert {"effusion left pleural absent", "effusion right pleural present"} <= unstated


def test_the_loss_is_shared_by_all_that_belong() -> None:
    logits, belongs = torch.randn(3, 4), torch.tensor([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    log = logits.log_softmax(1)
    expected = (-(log[0, 0] + log[0, 1]) / 2 - log[2, 3]) / 2
    torch.testing.assert_close(_shared_target(logits, belongs), expected)
    nothing = _shared_target(logits.requires_grad_(), torch.zeros(3, 4))
    assert float(nothing.detach()) == 0.0
    nothing.backward()


@pytest.mark.slow
def test_sentences_learn_to_lie_beside_what_they_state() -> None:
    """Trained on four reports, a sentence is nearer to its own triplet than to the opposite or the other side.

    At three times the rate and a third of the steps it depended on the processor.
    """
    found = objective()
    optimizer = torch.optim.Adam(found.module.parameters(), lr=1e-3)
    for step in range(1000):
        batch = SentenceBatch(*found.load([0, 1, 2, 3], epoch=step))
        optimizer.zero_grad()
        found.module(batch)["loss"].backward()
        optimizer.step()
    states = ("left pleural present", "left pleural absent", "pleural unspec absent", "right pleural present")
    texts = [f"effusion {state}" for state in states]
    encoder = found.module.text_encoder
    sentences, triplets = (functional.normalize(encoder.encode(rows), dim=-1) for rows in ([LEFT, NONE], texts))
    near = sentences @ triplets.T
    assert float(near[0, 0]) > float(near[0, 1:].max()) + 0.3
    assert float(near[1, 2]) > float(near[1, 0]) + 0.3
    assert float(near[0, 0]) > float(near[0, 3]) + 0.3
