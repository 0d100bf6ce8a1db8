"""Import BERT's layers into the report decoder.

They come from bert-base-uncased, or with cross-attention from BLIP's BERT (Li et al., ICML 2022, ``models/med.py``),
which PromptMRG and REVTAF train.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from radscribe.models.decoding.decoder import DecoderConfig, ReportDecoder
from radscribe.models.decoding.tokenizer import START, STATE_TOKENS, ReportTokenizer
from radscribe.weights.bert import (
    POSITION_IDS,
    BertSizes,
    base_of,
    bert_sizes,
    check_words,
    heads_beside,
    published_name,
    vocabulary_of,
)
from radscribe.weights.carry import Link, Plan, Source, shapes_of

# Ours -> BERT's, within a layer.
LAYER = {
    "self_attention.query": "attention.self.query",
    "self_attention.key": "attention.self.key",
    "self_attention.value": "attention.self.value",
    "self_attention.output": "attention.output.dense",
    "self_norm": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "feed_norm": "output.LayerNorm",
}
CROSS = {
    "cross_attention.query": "crossattention.self.query",
    "cross_attention.key": "crossattention.self.key",
    "cross_attention.value": "crossattention.self.value",
    "cross_attention.output": "crossattention.output.dense",
    "cross_norm": "crossattention.output.LayerNorm",
}
NO_CROSS = {r"decoder\.layers\.\d+\.cross_(attention|norm)\..*": "BERT has no cross-attention"}
TIED = "the same matrix as the word embeddings"


def structure(sizes: BertSizes) -> dict[str, Any]:
    """The settings that a recipe's decoder must share with the imported one."""
    return {**sizes.structure(), "max_positions": sizes.positions}


def decoder_links(
    source: Source, base: str, head: str, sizes: BertSizes, cross_width: int | None
) -> tuple[list[Link], dict[str, tuple[int, ...]], dict[str, str]]:
    """Links, shapes and what is left out of a BERT with the head of masked words.

    ``base`` and ``head`` are the prefixes of their names; ``cross_width`` is the width that the cross-attention reads,
    None without one. Raises ``ImportRefusedError`` where the head's matrix is not the word embeddings', as ours is.
    """
    config = DecoderConfig(
        layers=sizes.layers,
        width=sizes.width,
        heads=sizes.heads,
        feed_forward=sizes.feed_forward,
        max_positions=sizes.positions,
    )
    shapes = shapes_of("decoder", lambda: ReportDecoder(config, sizes.words, cross_width or sizes.width))
    words, positions = f"{base}embeddings.word_embeddings.weight", f"{base}embeddings.position_embeddings.weight"
    types = f"{base}embeddings.token_type_embeddings.weight"
    links = [
        Link("decoder.words.weight", (words,)),
        # All tokens of a report have type 0, so its vector is added to every position; BLIP's BERT has no types.
        Link("decoder.positions.weight", (positions,))
        if cross_width
        else Link("decoder.positions.weight", (positions, types), _with_type),
    ]
    pairs = {"embedding_norm": f"{base}embeddings.LayerNorm"}
    pairs |= {"transform": f"{head}transform.dense", "transform_norm": f"{head}transform.LayerNorm"}
    for number in range(sizes.layers):
        for ours, theirs in (LAYER | (CROSS if cross_width else {})).items():
            pairs[f"layers.{number}.{ours}"] = f"{base}encoder.layer.{number}.{theirs}"
    for ours, theirs in pairs.items():
        links += [
            Link(f"decoder.{ours}.{leaf}", (published_name(source, f"{theirs}.{leaf}"),)) for leaf in ("weight", "bias")
        ]
    # The published code adds the projection's own bias, which was not always resized with the other.
    bias = f"{head}decoder.bias" if f"{head}decoder.bias" in source.tensors else f"{head}bias"
    links.append(Link("decoder.bias", (bias,)))
    own = source.tensors.get(f"{head}decoder.weight")
    if own is not None and words in source.tensors and not torch.equal(own, source.tensors[words]):
        raise source.refusal(
            f"its {source.names(f'{head}decoder.weight')} differs from {source.names(words)}, and radscribe's decoder "
            "has one matrix for both"
        )
    left_out = {re.escape(f"{head}decoder.weight"): TIED, re.escape(f"{base}embeddings.position_ids"): POSITION_IDS}
    if bias != f"{head}bias":
        left_out[re.escape(f"{head}bias")] = "the bias that is added stands under another name"
    return links, shapes, left_out


def _with_type(positions: Tensor, types: Tensor) -> Tensor:
    first, _ = types.unbind()  # of the two types of sentences
    return positions + first


def decoder_vocabulary(source: Source, words: int) -> Tokenizer | None:
    """As ``vocabulary_of``, with the start and state tokens behind it where the decoder has them.

    Raises ``ImportRefusedError`` where it does not have ``words`` words.
    """
    tokenizer = vocabulary_of(source)
    if tokenizer is None:
        return None
    if tokenizer.get_vocab_size() != words:
        ReportTokenizer(tokenizer)  # adds the start and state tokens
    check_words(source, tokenizer.get_vocab_size(), words)
    return tokenizer


def plan(source: Source) -> Plan:
    """Import a BERT folder's weights as the start of a report decoder."""
    base = base_of(source)
    sizes = bert_sizes(source, base, heads_beside(source))
    links, shapes, left_out = decoder_links(source, base, "cls.predictions.", sizes, None)
    tokenizer = decoder_vocabulary(source, sizes.words)
    if tokenizer is None:
        raise source.refusal("no vocab.txt or tokenizer.json is beside it")
    left_out[rf"{base}pooler\.dense\.(weight|bias)"] = "no part of a decoder"
    left_out[r"cls\.seq_relationship\.(weight|bias)"] = "the head of another pre-training task"
    return Plan(
        links,
        shapes,
        {"decoder": structure(sizes)},
        left_out=left_out,
        started=NO_CROSS,
        notes=(f"the words {START} {' '.join(STATE_TOKENS)}, where the vocabulary lacks them, start at random",),
        tokenizer=tokenizer,
    )
