"""CheXbert's checkpoint as safetensors, under the names that ``radscribe score --chexbert`` reads."""

from __future__ import annotations

import torch

from radscribe.labels.chexbert import CheXbert, bert_config
from radscribe.weights.bert import bert_sizes, check_words
from radscribe.weights.carry import Link, Plan, Source
from radscribe.weights.vocabulary import has_vocabulary, read_vocabulary


def plan(source: Source) -> Plan:
    sizes = bert_sizes(source, "bert.")
    with torch.device("meta"):
        model = CheXbert(bert_config(source.path, source.tensors))
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    named, tokenizer = source.extras.vocabulary, None
    if named is not None or has_vocabulary(source.path.parent):
        tokenizer = read_vocabulary(named or source.path.parent)
        check_words(source, tokenizer.get_vocab_size(), sizes.words)
    return Plan(
        [Link(name, (name,)) for name in shapes],
        shapes,
        {"chexbert": sizes.structure()},
        left_out={
            r"bert\.pooler\.dense\.(weight|bias)": "no head reads it",
            r"bert\.embeddings\.position_ids": "a list of positions that old versions stored",
        },
        tokenizer=tokenizer,
    )
