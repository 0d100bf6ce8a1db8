"""BERTs beside transformers' own: as text encoder, and as the start of the report decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from published import bert_tensors
from published_files import WORDS, bert_file, bert_folder, medclip_file, saved
from safetensors.torch import save_file
from transformers import BertConfig, BertLMHeadModel, BertModel

from radscribe.core.errors import RadscribeError
from radscribe.models.decoding.decoder import DecoderConfig, ReportDecoder
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.weights.carry import Extras
from radscribe.weights.folder import open_import
from radscribe.weights.from_import import start_generator
from radscribe.weights.kinds import import_weights
from radscribe.weights.starts import Starts

CONFIG = TextEncoderConfig(layers=2, width=128, heads=2, feed_forward=24)
BERT = BertConfig(
    vocab_size=len(WORDS), hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
)
SENTENCES = ["The heart is normal.", "No effusions", "small left opacity, it is located at the right lung."]


def named(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def text_encoder(folder: Path, config: TextEncoderConfig = CONFIG) -> TextEncoder:
    found = Starts(folder.parent, print).text_encoder(
        TextEncoderConfig(folder.name, config.layers, config.width, config.heads, config.feed_forward)
    )
    assert found is not None
    return found


def oracle(tensors: dict[str, torch.Tensor]) -> BertModel:
    """transformers' BERT, its names checked by itself."""
    model = BertModel(BERT, add_pooling_layer=False).eval()
    own = {name: value for name, value in tensors.items() if "pooler" not in name and "position_ids" not in name}
    model.load_state_dict(own)
    return model


def vectors(model: BertModel, sentences: list[str]) -> torch.Tensor:
    """[CLS] of each sentence, words looked up by hand."""
    found = []
    for sentence in sentences:
        pieces = ["[CLS]"]
        for word in sentence.lower().replace(".", " .").replace(",", " ,").split():
            pieces += [word] if word in WORDS else [word[:-1], "##s"] if word[:-1] in WORDS else ["[UNK]"]
        ids = torch.tensor([[WORDS.index(piece) for piece in [*pieces, "[SEP]"]]])
        found.append(model(input_ids=ids).last_hidden_state[:, 0])
    return torch.cat(found).detach()


@pytest.mark.parametrize("kind", ["bert", "clinicalbert"])
@pytest.mark.parametrize("old", [False, True], ids=["LayerNorm.weight", "LayerNorm.gamma"])
def test_the_text_encoder_is_transformers_bert(tmp_path: Path, kind: str, old: bool) -> None:
    file = bert_folder(tmp_path / "published", bert_file(old))
    import_weights(kind, file, tmp_path / "out", Extras())
    encoder = text_encoder(tmp_path / "out")
    expected = vectors(oracle(named(bert_file(), "bert.")), SENTENCES)
    torch.testing.assert_close(encoder.encode(SENTENCES), expected, rtol=1e-4, atol=1e-5)
    assert expected.std(0).mean() > 0.1  # the sentences differ


def test_the_whole_list_of_names_of_bert_base(tmp_path: Path) -> None:
    tensors = bert_tensors(len(WORDS), 128, 12, 24)
    assert len(tensors) == 200  # BertModel's 199 and the stored positions
    about = import_weights("bert", bert_folder(tmp_path / "published", tensors), tmp_path / "out", Extras())
    assert len(about["mapped"]) == 197 and len(about["left_out"]) == 3


def test_a_folder_its_safetensors_and_the_old_format_are_read_alike(tmp_path: Path) -> None:
    file = bert_folder(tmp_path / "published", bert_file())
    torch.save(bert_file(), file, _use_new_zipfile_serialization=False)  # as published before 2020
    import_weights("bert", file, tmp_path / "pickle", Extras())
    tensors = {name: value.clone() for name, value in bert_file().items()}
    save_file(tensors, tmp_path / "published" / "model.safetensors")
    file.unlink()
    import_weights("bert", tmp_path / "published", tmp_path / "folder", Extras())
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("pickle", "folder")]
    assert weights[0] == weights[1]


def test_a_cased_vocabulary_stays_cased(tmp_path: Path) -> None:
    words = [*WORDS[:-1], "Heart"]
    bert_folder(tmp_path / "published", bert_file(), words=words)
    (tmp_path / "published" / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    import_weights("bert", tmp_path / "published", tmp_path / "out", Extras())
    tokenizer = open_import(tmp_path / "out").tokenizer()
    assert tokenizer is not None
    assert tokenizer.encode("Heart heart", add_special_tokens=False).tokens == ["Heart", "heart"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"layer_norm_eps": 1e-5}, r"config\.json: layer_norm_eps is 1e-05, this version reads 1e-12"),
        ({"hidden_act": "relu"}, "hidden_act is relu"),
        ({"num_attention_heads": 3}, "width 128 is not divisible by 3 heads"),
        ({"num_attention_heads": None}, "it lacks num_attention_heads"),
    ],
)
def test_another_kind_of_bert_is_refused(tmp_path: Path, settings: dict[str, Any], reason: str) -> None:
    file = bert_folder(tmp_path / "published", bert_file(), **settings)
    with pytest.raises(RadscribeError, match=reason):
        import_weights("bert", file, tmp_path / "out", Extras())
    assert not (tmp_path / "out").exists()


def test_words_and_weights_belong_together(tmp_path: Path) -> None:
    file = bert_folder(tmp_path / "published", bert_file(), words=[*WORDS, "more"])
    with pytest.raises(RadscribeError, match=f"it has {len(WORDS)} words where the vocabulary has {len(WORDS) + 1}"):
        import_weights("bert", file, tmp_path / "out", Extras())
    (tmp_path / "published" / "vocab.txt").write_text("\n".join(WORDS[1:]))
    with pytest.raises(RadscribeError, match=r"vocab\.txt: it lacks \[PAD\]"):
        import_weights("bert", file, tmp_path / "out", Extras())
    (tmp_path / "published" / "vocab.txt").unlink()
    with pytest.raises(RadscribeError, match=r"no vocab\.txt or tokenizer\.json is beside it"):
        import_weights("bert", file, tmp_path / "out", Extras())
    (tmp_path / "published" / "config.json").unlink()
    with pytest.raises(RadscribeError, match=r"config\.json: no such file; keep config\.json and vocab\.txt beside"):
        import_weights("bert", file, tmp_path / "out", Extras())


def test_a_recipe_of_another_shape_is_told_what_to_write(tmp_path: Path) -> None:
    import_weights("bert", bert_folder(tmp_path / "published", bert_file()), tmp_path / "out", Extras())
    with pytest.raises(RadscribeError, match=r"text_encoder\.heads is 2 there and 4 in the recipe; write heads: 2"):
        text_encoder(tmp_path / "out", TextEncoderConfig(layers=2, width=128, heads=4, feed_forward=24))


def test_medclip_gives_its_clinicalbert_where_its_words_are_named(tmp_path: Path) -> None:
    bert_folder(tmp_path / "clinical", bert_file())
    file = saved(tmp_path / "pytorch_model.bin", medclip_file())
    about = import_weights("medclip", file, tmp_path / "without", Extras())
    assert "give ClinicalBERT's with --vocabulary" in about["notes"][0]
    with pytest.raises(RadscribeError, match="it has no vocabulary; import it again with --vocabulary"):
        text_encoder(tmp_path / "without")
    import_weights("medclip", file, tmp_path / "out", Extras(vocabulary=tmp_path / "clinical"))
    expected = vectors(oracle(named(medclip_file(), "text_model.model.")), SENTENCES)
    torch.testing.assert_close(text_encoder(tmp_path / "out").encode(SENTENCES), expected, rtol=1e-4, atol=1e-5)


class Model(torch.nn.Module):
    """A generator that is a decoder alone."""

    def __init__(self, config: DecoderConfig, words: int, memory_width: int) -> None:
        super().__init__()
        self.config = type("Config", (), {"decoder": config})
        self.decoder = ReportDecoder(config, words, memory_width)


DECODER = DecoderConfig(layers=2, width=128, heads=2, feed_forward=24, rest=True)
# Ours -> transformers', within a layer.
CROSS = {
    "cross_attention.query": "crossattention.self.query",
    "cross_attention.key": "crossattention.self.key",
    "cross_attention.value": "crossattention.self.value",
    "cross_attention.output": "crossattention.output.dense",
    "cross_norm": "crossattention.output.LayerNorm",
}


@pytest.mark.parametrize("old", [False, True], ids=["LayerNorm.weight", "LayerNorm.gamma"])
def test_the_decoder_is_transformers_causal_bert(tmp_path: Path, old: bool) -> None:
    """All but the cross-attention comes from the file; given the random one too, transformers writes the same words."""
    file = bert_folder(tmp_path / "published", bert_file(old))
    about = import_weights("bert-decoder", file, tmp_path / "out", Extras())
    imported = open_import(tmp_path / "out")
    words = imported.tokenizer()
    assert words is not None
    torch.manual_seed(0)
    config = DecoderConfig(layers=2, width=128, heads=2, feed_forward=24)
    model = Model(config, len(ReportTokenizer(words)), memory_width=128).eval()
    new = model.decoder.words.weight[len(WORDS) :].clone()
    cross = {name: value.clone() for name, value in model.state_dict().items() if ".cross_" in name}
    said: list[str] = []
    start_generator(imported, model, ("decoder",), said.append)
    own = model.state_dict()
    assert torch.equal(own["decoder.words.weight"][len(WORDS) :], new) and new.shape == (5, 128)
    assert all(torch.equal(own[name], value) for name, value in cross.items()) and not said
    assert {name for name, _ in about["started"]} == set(cross)

    published = bert_file()
    theirs = BertLMHeadModel(
        BertConfig(**{**BERT.to_dict(), "is_decoder": True, "add_cross_attention": True, "tie_word_embeddings": True})
    ).eval()
    state = {name: value for name, value in published.items() if name in theirs.state_dict()}
    for number in range(2):
        for ours, name in CROSS.items():
            for leaf in ("weight", "bias"):
                target = f"bert.encoder.layer.{number}.{name}.{leaf}"
                state[target] = own[f"decoder.layers.{number}.{ours}.{leaf}"]
    theirs.load_state_dict(state)
    tokens, patches = torch.randint(0, len(WORDS), (3, 9)), torch.randn(3, 4, 128)
    expected = theirs(input_ids=tokens, encoder_hidden_states=patches).logits
    torch.testing.assert_close(model.decoder(tokens, patches)[..., : len(WORDS)], expected, rtol=1e-4, atol=1e-4)


def test_patches_of_any_width_may_be_read(tmp_path: Path) -> None:
    import_weights("bert-decoder", bert_folder(tmp_path / "published", bert_file()), tmp_path / "out", Extras())
    model = Model(DECODER, len(WORDS) + 5, memory_width=6)
    start_generator(open_import(tmp_path / "out"), model, ("decoder",), print)
    assert torch.equal(model.decoder.words.weight[: len(WORDS)], bert_file()["bert.embeddings.word_embeddings.weight"])


@pytest.mark.parametrize(
    ("config", "words", "reason"),
    [
        (DecoderConfig(layers=3, width=128, heads=2, feed_forward=24), 32, r"model\.decoder\.layers is 2 there and 3"),
        (DecoderConfig(layers=2, width=128, heads=4, feed_forward=24), 32, r"write heads: 2 "),
        (DECODER, len(WORDS) + 6, f"knows {len(WORDS)} words, the recipe's vocabulary has {len(WORDS) + 6}"),
        (DECODER, len(WORDS) - 1, "import it again with --vocabulary"),
    ],
)
def test_another_decoder_is_told_what_to_write(tmp_path: Path, config: DecoderConfig, words: int, reason: str) -> None:
    import_weights("bert-decoder", bert_folder(tmp_path / "published", bert_file()), tmp_path / "out", Extras())
    model = Model(config, words, memory_width=128)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(RadscribeError, match=reason):
        start_generator(open_import(tmp_path / "out"), model, ("decoder",), print)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_head_with_words_of_its_own_is_refused(tmp_path: Path) -> None:
    tensors = bert_file()
    tensors["cls.predictions.decoder.weight"] = tensors["cls.predictions.decoder.weight"] + 1
    file = bert_folder(tmp_path / "published", tensors)
    with pytest.raises(RadscribeError, match=r"predictions\.decoder\.weight differs from bert\.embeddings\.word"):
        import_weights("bert-decoder", file, tmp_path / "out", Extras())
