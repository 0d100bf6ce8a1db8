"""Import R2Gen (Chen et al., EMNLP 2020) and R2GenCMN (Chen et al., ACL 2021): image encoder, and R2GenCMN's memory.

Their vocabularies are counted from the annotation when training begins and are not in the checkpoint; their
transformers normalise before each sublayer, with a LayerNorm of their own, where radscribe's decoder does so behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from radscribe.models.knowledge.memory import MemoryBank, MemoryConfig
from radscribe.models.knowledge.slots import SlotsConfig
from radscribe.weights.carry import JoinError, Link, Plan, Source, shapes_of
from radscribe.weights.resnet import NO_COUNTER, resnet_config, resnet_links, sequential_name, structure

HEADS, NEAREST = 8, 32  # num_heads and topk of the published scripts, which no tensor shows
MEMORY = "encoder_decoder.memory_matrix"
LINEAR = r"(weight|bias)"
BEFORE = "its transformer normalises before each sublayer, radscribe's behind it"
WORDS = "its words are counted from the annotation and are not in the file"


def _left_out(norm: str) -> dict[str, str]:
    """Patterns of what is not imported, with reasons; ``norm`` matches its LayerNorm's names of scale and shift."""
    layer = (
        rf"(self_attn|src_attn)\.linears\.[0-3]\.{LINEAR}|feed_forward\.w_[12]\.{LINEAR}"
        rf"|sublayer\.[0-2]\.norm\.({norm}|mlp_(gamma|beta)\.[02]\.{LINEAR})"
    )
    model = r"encoder_decoder\.model"
    return {
        rf"{model}\.(encoder|decoder)\.(layers\.\d+\.({layer})|norm\.({norm}))": BEFORE,
        rf"{model}\.rm\.(attn\.linears\.[0-3]|mlp\.[02]|W|U)\.{LINEAR}": "the memory of words that are not in the file",
        rf"{model}\.tgt_embed\.0\.lut\.weight|encoder_decoder\.logit\.{LINEAR}": WORDS,
        rf"{model}\.(src|tgt)_embed\.[01]\.pe": "a table of sines",
        rf"encoder_decoder\.att_embed\.\d+\.({LINEAR}|running_mean|running_var|num_batches_tracked)": (
            "the map of patches into its transformer, with a ReLU that radscribe's lacks"
        ),
    }


def _published(name: str) -> str:
    return f"visual_extractor.model.{sequential_name(name)}"


def plan_r2gen(source: Source) -> Plan:
    """Import R2Gen's image encoder."""
    encoder = resnet_config(source, _published)
    links, shapes = resnet_links(encoder, "image_encoder", _published)
    return Plan(
        links, shapes, {"image_encoder": structure(encoder)}, left_out=_left_out("gamma|beta"), started=NO_COUNTER
    )


def plan_r2gencmn(source: Source) -> Plan:
    """Import R2GenCMN's image encoder and memory; its linear maps read the slots unscaled."""
    encoder = resnet_config(source, _published)
    links, shapes = resnet_links(encoder, "image_encoder", _published)
    count, slot_width = source.matrix(MEMORY)
    width = source.matrix("encoder_decoder.cmn.linears.0.weight")[0]
    if width % HEADS:
        raise source.refusal(f"its width {width} is not divisible by {HEADS} heads")
    config = MemoryConfig(SlotsConfig(count=count), slot_width, HEADS, min(NEAREST, count))
    shapes |= shapes_of("bank", lambda: MemoryBank(config, width))
    links.append(Link("bank.slots", (MEMORY,), _unscaled))
    for number, ours in enumerate(("query", "key", "value", "output")):
        for leaf in ("weight", "bias"):
            theirs = f"encoder_decoder.cmn.linears.{number}.{leaf}"
            twin = theirs.replace("encoder_decoder.", "encoder_decoder.model.")
            names = (theirs, twin) if twin in source.tensors else (theirs,)
            links.append(Link(f"bank.{ours}.{leaf}", names, _one))
    memory: Mapping[str, Any] = {
        "slot_width": slot_width,
        "heads": HEADS,
        "nearest": config.nearest,
        "start": {"count": count},
    }
    return Plan(
        links,
        shapes,
        {"image_encoder": structure(encoder), "memory": memory, "model": {"width": width}},
        left_out=_left_out("a_2|b_2"),
        started=NO_COUNTER,
    )


def _unscaled(slots: Tensor) -> Tensor:
    """Slots over the root of their width, by which our memory multiplies them before its linear maps."""
    unscaled: Tensor = slots / slots.shape[1] ** 0.5
    return unscaled


def _one(value: Tensor, *again: Tensor) -> Tensor:
    """A module that the file holds under two names. Raises ``JoinError`` where the two differ."""
    if not all(torch.equal(value, other) for other in again):
        raise JoinError("differ but should be the same")
    return value
