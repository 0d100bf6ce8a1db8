"""Import PromptMRG (Jin et al., AAAI 2024) and REVTAF's published code (Zhou et al., ICCV 2025), which builds on it.

Both have an image encoder, a classification branch and a BERT decoder with cross-attention under the same names.
PromptMRG's decoder reads the patches themselves: a Revtaf without retrieval and fusion that projects by the identity.
REVTAF's reads two fused halves of 1024.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from radscribe.labels.conditions import CONDITIONS, STATES
from radscribe.models.classification import ClassificationBranch, ClassificationConfig
from radscribe.models.knowledge.retrieval import HyperbolicNetwork, RetrievalConfig
from radscribe.weights.bert import bert_sizes
from radscribe.weights.carry import Link, Plan, Source, shapes_of
from radscribe.weights.decoder import decoder_links, decoder_vocabulary
from radscribe.weights.decoder import structure as decoder_structure
from radscribe.weights.resnet import NO_COUNTER, resnet_config, resnet_links, sequential_name, structure

HEADS = 8  # of the published reader, which no tensor shows
CURVATURE = 0.01  # --c of REVTAF's scripts
TEXT_WIDTH = 768  # assumed for the shape of a part that starts at random
BASE, HEAD = "text_decoder.bert.", "text_decoder.cls.predictions."
STARTED = NO_COUNTER | {
    r"classification\.project_reports\..*": "it reads CLIP's vectors of reports, radscribe those of its text encoder",
    r"classification\.positive_rates": "counted when training begins",
}
FUSION = (
    "its one attention maps patches and text to another width first, and has no heads; radscribe has two with heads"
)
NEVER_CALLED = "published, but never called by its code"
NO_WORDS = (
    "no vocabulary: give bert-base-uncased's with --vocabulary; without it a recipe must take its words from "
    "a text encoder of bert-base-uncased"
)


def plan_promptmrg(source: Source) -> Plan:
    """Import PromptMRG, with the identity as projection of the patches."""
    links, shapes, config, left_out, cross = _shared(source)
    made = {
        "project.weight": (torch.eye(cross), "the identity: its decoder reads the patches themselves"),
        "project.bias": (torch.zeros(cross), "the identity: its decoder reads the patches themselves"),
    }
    shapes |= {name: tuple(value.shape) for name, (value, _) in made.items()}
    model = {"width": cross, "retrieval": None, "fusion": None}
    return _finished(source, links, shapes, config | {"model": model}, left_out, made)


def plan_revtaf(source: Source) -> Plan:
    """Import REVTAF's published checkpoint without its fusion, which ours does not share."""
    links, shapes, config, left_out, cross = _shared(source)
    if cross % 2:
        raise source.refusal(f"its decoder reads {cross} numbers of a patch, which cannot be two equal halves")
    layers = source.count(r"gwd\.layers\.(\d+)\.linear\.weight")
    width, inputs = source.matrix("gwd.layers.0.linear.weight")
    retrieval = RetrievalConfig(input_width=inputs, width=width, layers=layers, curvature=CURVATURE)
    shapes |= shapes_of("retrieval", lambda: HyperbolicNetwork(retrieval))
    for number in range(layers):
        for leaf in ("weight", "bias"):
            links.append(Link(f"retrieval.layers.{number}.{leaf}", (f"gwd.layers.{number}.linear.{leaf}",)))
    left_out |= {
        r"ot_(vision_proj|txt_proj1|txt_proj2)\.(weight|bias)": FUSION,
        r"mpsa_attention\.(multihead_attn\.(q|k|v|proj)|linear[12]|norm[23])\.(weight|bias)": FUSION,
        r"multihead_attn\.(q|k|v|proj)\.(weight|bias)": NEVER_CALLED,
        r"mpsa_attention\.(self_attn\.(in_proj_(weight|bias)|out_proj\.(weight|bias))|norm1\.(weight|bias))": (
            NEVER_CALLED
        ),
    }
    names = ("input_width", "width", "layers", "curvature")
    config = config | {
        "retrieval": {name: getattr(retrieval, name) for name in names},
        "model": {"width": cross // 2},
    }
    return _finished(source, links, shapes, config, left_out, {})


def _shared(
    source: Source,
) -> tuple[list[Link], dict[str, tuple[int, ...]], dict[str, Any], dict[str, str], int]:
    """Image encoder, classification branch and decoder, and the width that the decoder's cross-attention reads."""

    def published(name: str) -> str:
        return f"visual_encoder.model.{sequential_name(name)}"

    encoder = resnet_config(source, published)
    links, shapes = resnet_links(encoder, "image_encoder", published)
    width, visual = source.matrix("vision_proj.weight")
    if width % HEADS:
        raise source.refusal(f"its branch's width {width} is not divisible by {HEADS} heads")
    branch = ClassificationConfig(
        width=width,
        layers=source.count(r"memory\.encoder\.layers\.(\d+)\.linear1\.weight"),
        heads=HEADS,
        feed_forward=source.matrix("memory.encoder.layers.0.linear1.weight")[0],
        reader="promptmrg",
    )
    own = shapes_of("classification", lambda: ClassificationBranch(branch, visual, TEXT_WIDTH))
    links += [
        Link("classification.project_film.weight", ("vision_proj.weight",)),
        Link("classification.project_film.bias", ("vision_proj.bias",)),
        Link(
            "classification.head.weight", ("cls_head.weight",), lambda value: _by_condition(_read_first(value, visual))
        ),
        Link("classification.head.bias", ("cls_head.bias",), _by_condition),
    ]
    reader = "classification.reader."
    links += [Link(name, (f"memory.{name.removeprefix(reader)}",)) for name in own if name.startswith(reader)]
    sizes = bert_sizes(source, BASE)
    cross = source.matrix(f"{BASE}encoder.layer.0.crossattention.self.key.weight")[1]
    decoder, decoder_shapes, left_out = decoder_links(source, BASE, HEAD, sizes, cross)
    names = ("width", "layers", "heads", "feed_forward", "reader")
    config = {
        "image_encoder": structure(encoder),
        "classification": {name: getattr(branch, name) for name in names},
        "decoder": decoder_structure(sizes),
    }
    return [*links, *decoder], shapes | own | decoder_shapes, config, left_out, cross


def _finished(
    source: Source,
    links: list[Link],
    shapes: dict[str, tuple[int, ...]],
    config: dict[str, Any],
    left_out: dict[str, str],
    made: dict[str, tuple[Tensor, str]],
) -> Plan:
    tokenizer = decoder_vocabulary(source, source.shape(f"{BASE}embeddings.word_embeddings.weight")[0])
    notes = () if tokenizer else (NO_WORDS,)
    return Plan(links, shapes, config, left_out, STARTED, made, notes, tokenizer)


def _by_condition(value: Tensor) -> Tensor:
    """Reorder rows from their order (states x conditions) to ours (conditions x states): ``72 x ... -> 72 x ...``."""
    return value.reshape(len(STATES), len(CONDITIONS), *value.shape[1:]).transpose(0, 1).flatten(0, 1)


def _read_first(weight: Tensor, visual: int) -> Tensor:
    """Reorder columns from (pooled film, reader output) to our (reader output, pooled film)."""
    return torch.cat((weight[:, visual:], weight[:, :visual]), 1)
