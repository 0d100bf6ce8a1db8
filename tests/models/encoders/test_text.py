"""The text encoder: its vectors depend on the sentence alone; a published folder loads as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from radscribe.models.decoding.tokenizer import train_word_pieces
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.weights.published import WeightsError, load_published_text_encoder

SENTENCES = ["No effusion.", "The heart is enlarged and the lungs are clear.", "", "Left effusion."]
SMALL = TextEncoderConfig(layers=1, width=16, heads=2, feed_forward=16, vocabulary_size=100)


def encoder() -> TextEncoder:
    torch.manual_seed(0)
    return TextEncoder(SMALL, train_word_pieces(SENTENCES * 3, 100)).eval()


def test_a_vector_depends_on_its_sentence_alone() -> None:
    small = encoder()
    together = small.encode(SENTENCES, batch_size=3)
    alone = torch.cat([small.encode([sentence]) for sentence in SENTENCES])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert small.encode([]).shape == (0, 16)


def test_encoding_leaves_the_mode_as_it_was() -> None:
    small = encoder().train()
    small.encode(SENTENCES)
    assert small.training


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_is_as_configured_and_in_training_alone(dropout: float) -> None:
    torch.manual_seed(0)
    small = TextEncoder(replace(SMALL, dropout=dropout), train_word_pieces(SENTENCES * 3, 100))
    ids, mask = small.tokenize(SENTENCES)
    assert torch.equal(small.train()(ids, mask), small(ids, mask)) == (dropout == 0)
    assert torch.equal(small.eval()(ids, mask), small(ids, mask))


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_an_impossible_dropout_is_refused(dropout: float) -> None:
    with pytest.raises(ValueError, match="dropout must be at least 0 and below 1"):
        replace(SMALL, dropout=dropout)


def test_standardised_vectors_have_mean_0_and_deviation_1_and_stay_so_twice() -> None:
    small = encoder()
    for _ in range(2):
        small.standardise(SENTENCES)
        vectors = small.encode(SENTENCES)
        # float32 rounding of values near 1, over a deviation of 1e-3 at the least
        torch.testing.assert_close(vectors.mean(0), torch.zeros(16), atol=1e-3, rtol=0)
        # a dimension flatter than the floor stays flatter than 1
        assert (vectors.std(0) < 1.001).all() and (vectors.std(0) > 0.999).any()


def published(folder: Path) -> Path:
    """A BERT folder as the hub has it: config.json, model.safetensors, vocab.txt."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "effusion", ".", "heart"]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words))
    config = BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=16)  # fmt: skip
    torch.manual_seed(1)
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_a_published_folder_gives_the_same_cls_vector_as_transformers(tmp_path: Path) -> None:
    folder = published(tmp_path / "bert")
    config = TextEncoderConfig(**{**vars(SMALL), "source": str(folder)})
    loaded = load_published_text_encoder(config, print)
    assert loaded is not None
    ids, mask = loaded.tokenize(["no effusion ."])
    theirs = BertModel.from_pretrained(folder).eval()(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
    torch.testing.assert_close(loaded.encode(["no effusion ."]), theirs.detach())


def test_a_folder_of_another_shape_is_named_and_an_absent_one_is_said(tmp_path: Path) -> None:
    folder = published(tmp_path / "bert")
    wider = TextEncoderConfig(**{**vars(SMALL), "source": str(folder), "layers": 2})
    with pytest.raises(WeightsError, match="fix the recipe"):
        load_published_text_encoder(wider, print)
    said: list[str] = []
    absent = TextEncoderConfig(**{**vars(SMALL), "source": str(tmp_path / "absent")})
    assert load_published_text_encoder(absent, said.append) is None
    assert "random weights" in said[0]
