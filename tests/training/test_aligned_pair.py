"""Two heads over frozen features bring the pairs together that belong together, on studies that they have not seen."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning_fabric import Fabric

from radscribe.models.decoding.tokenizer import train_word_pieces
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.training.alignment import AlignmentHeads, AlignmentObjective, PairFeatures, report_features
from radscribe.training.loop.fit import Run, fit
from radscribe.training.loop.schedule import TrainingConfig


def pairs(count: int, seed: int) -> PairFeatures:
    """Films and texts that share four hidden values, told in two ways."""
    hidden = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
    ways = torch.Generator().manual_seed(99)
    films, texts = hidden @ torch.randn(4, 20, generator=ways), hidden @ torch.randn(4, 30, generator=ways)
    return PairFeatures(5 + 3 * films, texts - 7, torch.arange(count))


def test_heads_align_what_belongs_together(tmp_path: Path) -> None:
    training, validation = pairs(300, 0), pairs(60, 1)
    torch.manual_seed(0)
    heads = AlignmentHeads(training, 16)
    objective = AlignmentObjective(heads, training, validation)
    before = objective.validate()
    assert before["found"] < 0.15
    config = TrainingConfig(epochs=15, batch_size=64, learning_rate=3e-3, warmup_steps=5)
    fit(objective, config, Run(tmp_path, Fabric(accelerator="cpu"), say=lambda line: None))
    after = objective.validate()
    assert after["score"] == 14  # the last epoch, whatever validation says
    assert after["found"] > 0.6 and after["loss"] < before["loss"] - 1
    with torch.no_grad():
        v, t = heads.films(validation.films), heads.texts(validation.texts)
    torch.testing.assert_close(v.norm(dim=1), torch.ones(60))
    assert float((v * t).sum(1).mean()) > float((v * t.roll(1, 0)).sum(1).mean()) + 0.3


def test_a_report_is_the_mean_of_its_sentences_and_equal_texts_have_one_number() -> None:
    reports = ["The heart is normal. No effusion.", "No effusion.", "The heart is normal. No effusion."]
    torch.manual_seed(0)
    encoder = TextEncoder(
        TextEncoderConfig(layers=1, width=16, heads=2, feed_forward=16), train_word_pieces(reports, 100)
    )
    vectors, numbers = report_features(encoder, reports)
    assert numbers.tolist() == [0, 1, 0]
    expected = encoder.encode(["The heart is normal.", "No effusion."])
    torch.testing.assert_close(vectors, torch.stack([expected.mean(0), expected[1], expected.mean(0)]))
