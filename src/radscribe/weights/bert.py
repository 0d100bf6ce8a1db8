"""Import a BERT (Devlin et al., NAACL 2019), such as ClinicalBERT (Alsentzer et al., 2019), as text encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from radscribe.core.errors import RadscribeError
from radscribe.core.files import read_json
from radscribe.weights.carry import Link, Plan, Source, shapes_of
from radscribe.weights.vocabulary import has_vocabulary, read_vocabulary

HEAD_WIDTH = 64  # width of an attention head, as in every BERT
# Settings that the text encoder and the decoder assume; with others it is another network.
EXPECTED = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "position_embedding_type": "absolute", "type_vocab_size": 2}
PREDICTIONS = r"cls\.predictions\.(bias|transform\.(dense|LayerNorm)\.(weight|bias|gamma|beta)|decoder\.(weight|bias))"
POSITION_IDS = "a list of positions that old versions stored"


@dataclass(frozen=True)
class BertSizes:
    """Sizes of a published BERT."""

    layers: int
    width: int
    heads: int
    feed_forward: int
    words: int  # of the vocabulary
    positions: int  # longest input, in tokens

    def structure(self) -> dict[str, Any]:
        """The settings that a recipe's text encoder must share with the imported one."""
        return {"layers": self.layers, "width": self.width, "heads": self.heads, "feed_forward": self.feed_forward}


def bert_sizes(source: Source, base: str, heads: int | None = None) -> BertSizes:
    """Sizes of a BERT from the shapes of its tensors, whose names start with ``base``; without ``heads``, 64 wide each.

    Raises ``ImportRefusedError`` where a tensor is missing or the width is not divisible by the heads.
    """
    words, width = source.matrix(f"{base}embeddings.word_embeddings.weight")
    positions, _ = source.matrix(f"{base}embeddings.position_embeddings.weight")
    layers = source.count(rf"{base}encoder\.layer\.(\d+)\.attention\.self\.query\.weight")
    inner, _ = source.matrix(f"{base}encoder.layer.0.intermediate.dense.weight")
    heads = heads or max(1, width // HEAD_WIDTH)
    if width % heads:
        raise source.refusal(f"its width {width} is not divisible by {heads} heads")
    return BertSizes(layers, width, heads, inner, words, positions)


def published_name(source: Source, name: str) -> str:
    """``name``, or its form before 2019 where the file has that: LayerNorm.gamma and .beta."""
    old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    return old if old in source.tensors else name


def base_of(source: Source) -> str:
    """The prefix of a BERT's tensor names: "bert." where it was saved with heads."""
    return "bert." if any(name.startswith("bert.") for name in source.tensors) else ""


def heads_beside(source: Source) -> int:
    """The number of heads, which no tensor shows, from ``config.json`` beside the weights.

    Raises ``RadscribeError`` where the file is missing, lacks it, or describes another network than bert-base.
    """
    path = source.path.with_name("config.json")
    if not path.is_file():
        raise RadscribeError(f"{path}: no such file; keep config.json and vocab.txt beside the weights")
    about = read_json(path)
    for name, expected in EXPECTED.items():
        if about.get(name, expected) != expected:
            raise RadscribeError(f"{path}: {name} is {about[name]}, this version reads {expected}; give another BERT")
    heads = about.get("num_attention_heads")
    if not isinstance(heads, int) or heads < 1:
        raise RadscribeError(f"{path}: it lacks num_attention_heads; copy it again")
    return heads


def text_encoder_links(source: Source, base: str, sizes: BertSizes) -> tuple[list[Link], dict[str, tuple[int, ...]]]:
    """Links of the text encoder's BERT, whose published names start with ``base``, and its shapes by name."""
    config = BertConfig(
        vocab_size=sizes.words,
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.feed_forward,
        max_position_embeddings=512,
    )
    shapes = shapes_of("text_encoder.bert", lambda: BertModel(config, add_pooling_layer=False))
    links = [Link(name, (published_name(source, base + name.removeprefix("text_encoder.bert.")),)) for name in shapes]
    return links, shapes


def vocabulary_of(source: Source) -> Tokenizer | None:
    """The vocabulary that the user named, else the one beside the file; None where there is neither."""
    named = source.extras.vocabulary
    if named is None and not has_vocabulary(source.path.parent):
        return None
    return read_vocabulary(named or source.path.parent)


def check_words(source: Source, found: int, wanted: int) -> None:
    """Raises ``ImportRefusedError`` unless the vocabulary (``found`` words) has as many as the weights (``wanted``)."""
    if found != wanted:
        raise source.refusal(f"it has {wanted} words where the vocabulary has {found}; the two must belong together")


def plan(source: Source) -> Plan:
    """Import the weights of a BERT folder, with its vocabulary."""
    base = base_of(source)
    sizes = bert_sizes(source, base, heads_beside(source))
    tokenizer = vocabulary_of(source)
    if tokenizer is None:
        raise source.refusal("no vocab.txt or tokenizer.json is beside it")
    check_words(source, tokenizer.get_vocab_size(), sizes.words)
    links, shapes = text_encoder_links(source, base, sizes)
    return Plan(
        links,
        shapes,
        {"text_encoder": sizes.structure()},
        left_out={
            rf"{base}pooler\.dense\.(weight|bias)": "sentences are read off [CLS] itself, not off its pooled vector",
            rf"{PREDICTIONS}|cls\.seq_relationship\.(weight|bias)": "heads of the pre-training tasks",
            rf"{base}embeddings\.position_ids": POSITION_IDS,
        },
        tokenizer=tokenizer,
    )
