"""Import CheXbert's checkpoint as safetensors, under the names that ``radscribe score --chexbert`` reads."""

from __future__ import annotations

import torch

from radscribe.labels.chexbert import CheXbert, bert_config
from radscribe.weights.bert import POSITION_IDS, bert_sizes, check_words, vocabulary_of
from radscribe.weights.carry import Link, Plan, Source


def plan(source: Source) -> Plan:
    """Import all of CheXbert that labels, with a vocabulary where one is given."""
    sizes = bert_sizes(source, "bert.")
    with torch.device("meta"):
        model = CheXbert(bert_config(source.path, source.tensors))
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    tokenizer = vocabulary_of(source)
    if tokenizer is not None:
        check_words(source, tokenizer.get_vocab_size(), sizes.words)
    return Plan(
        [Link(name, (name,)) for name in shapes],
        shapes,
        {"chexbert": sizes.structure()},
        left_out={
            r"bert\.pooler\.dense\.(weight|bias)": "no head reads it",
            r"bert\.embeddings\.position_ids": POSITION_IDS,
        },
        tokenizer=tokenizer,
    )
