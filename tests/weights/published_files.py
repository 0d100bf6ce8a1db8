"""Whole published files, small: every name that the published code saves, of random weights."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from published import Draw, Tensors, bert_tensors, head_tensors, prefixed, sequential, torchvision_tensors

from radscribe.models.encoders.image import ImageEncoderConfig

RESNET = ImageEncoderConfig(embedding_size=8, hidden_sizes=(8, 8, 12, 16), depths=(1, 2, 1, 1))
WORDS = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *("the", "heart", "is", "normal", "clear", "lungs", "no", "effusion", "opacity", "left", "right", "small"),
    *("it", "located", "at", "_", "hilar", "lung", ".", ",", "##s", "##y"),
]
ADDED = 5  # [DEC] and the four states
WIDTH, HEADS = 128, 2  # of the BERTs, whose heads are 64 wide
TEXT, BRANCH, MEDKLIP = 32, 16, 8


class Harmful:
    """Its pickle runs a command when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def bert_folder(
    folder: Path, tensors: Tensors, width: int = WIDTH, heads: int = HEADS, words: list[str] = WORDS, **settings: Any
) -> Path:
    """A BERT folder as published: the weights' path in it."""
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    config = {"model_type": "bert", "hidden_size": width, "num_attention_heads": heads, "hidden_act": "gelu"}
    (folder / "config.json").write_text(json.dumps(config | settings), encoding="utf-8")
    return saved(folder / "pytorch_model.bin", tensors)


def bert_file(old: bool = False, layers: int = 2) -> Tensors:
    """bert-base's pytorch_model.bin (BertForPreTraining); ``old`` names of LayerNorm, which bert-base-uncased has."""
    bert = bert_tensors(len(WORDS), WIDTH, layers, 24)
    found = prefixed("bert.", bert) | prefixed("cls.", head_tensors(bert))
    draw = Draw(3)
    draw.linear("cls.seq_relationship", 2, WIDTH)
    found |= draw.tensors
    if old:
        renamed = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        for new, before in renamed.items():
            found = {name.replace(new, before): value for name, value in found.items()}
    return found


def medklip_file(config: ImageEncoderConfig = RESNET, width: int = MEDKLIP, text: int = TEXT) -> Tensors:
    """MedKLIP's ``checkpoint["model"]``, saved by DataParallel."""
    draw = Draw(4)
    reads = config.hidden_sizes[2]
    draw.linear("disease_embedding_layer", width, text)
    draw.linear("cl_fc", text, width)
    draw.linear("res_l1", reads, reads)
    draw.linear("res_l2", width, reads)
    for number in range(4):
        draw.layer(f"decoder.layers.{number}", width, 4 * width, crossed=True)
    draw.norm("decoder.norm", width)
    draw.linear("classifier", 2, width)
    resnet = sequential(torchvision_tensors(config), "res_features.", stages=3)
    return prefixed("module.", draw.tensors | resnet)


def medclip_file() -> Tensors:
    """MedCLIP's pytorch_model.bin with a ResNet."""
    draw = Draw(5)
    draw.linear("vision_model.model.fc", 512, RESNET.hidden_sizes[3], bias=False)
    draw.linear("text_model.projection_head", 512, WIDTH, bias=False)
    draw.tensors["logit_scale"] = torch.tensor(2.66)
    films = {name: value for name, value in torchvision_tensors(RESNET).items() if not name.startswith("fc.")}
    texts = bert_tensors(len(WORDS), WIDTH, 2, 24)
    return prefixed("vision_model.model.", films) | prefixed("text_model.model.", texts) | draw.tensors


def chexbert_file() -> Tensors:
    """chexbert.pth's ``model_state_dict``."""
    draw = Draw(6)
    for number in range(14):
        draw.linear(f"linear_heads.{number}", 2 if number == 13 else 4, WIDTH)
    bert = bert_tensors(len(WORDS), WIDTH, 2, 24, positions=24)
    return prefixed("module.", prefixed("bert.", bert) | draw.tensors)


def _attention_of_four(draw: Draw, name: str, width: int) -> None:
    for number in range(4):
        draw.linear(f"{name}.linears.{number}", width, width)


def _annotated_transformer(draw: Draw, width: int, scale: str, shift: str, slots: int) -> None:
    """The transformer of R2Gen and R2GenCMN; ``slots`` of the relational memory, 0 without one."""
    model = "encoder_decoder.model"
    for side, kinds in (("encoder", ("self_attn",)), ("decoder", ("self_attn", "src_attn"))):
        name = f"{model}.{side}.layers.0"
        for kind in kinds:
            _attention_of_four(draw, f"{name}.{kind}", width)
        draw.linear(f"{name}.feed_forward.w_1", width, width)
        draw.linear(f"{name}.feed_forward.w_2", width, width)
        for number in range(len(kinds) + 1):
            draw.norm(f"{name}.sublayer.{number}.norm", width, scale, shift)
            if slots and side == "decoder":
                for part in ("mlp_gamma", "mlp_beta"):
                    draw.linear(f"{name}.sublayer.{number}.norm.{part}.0", width, slots * width)
                    draw.linear(f"{name}.sublayer.{number}.norm.{part}.2", width, width)
        draw.norm(f"{model}.{side}.norm", width, scale, shift)
    draw.normal(f"{model}.tgt_embed.0.lut.weight", 11, width)
    draw.normal(f"{model}.tgt_embed.1.pe", 1, 20, width)
    draw.linear("encoder_decoder.att_embed.0", width, RESNET.hidden_sizes[3])
    draw.linear("encoder_decoder.logit", 11, width)


def r2gen_file(width: int = 8) -> Tensors:
    draw = Draw(7)
    _annotated_transformer(draw, width, "gamma", "beta", slots=3)
    memory = "encoder_decoder.model.rm"
    _attention_of_four(draw, f"{memory}.attn", width)
    for name, outward in (("mlp.0", width), ("mlp.2", width), ("W", 2 * width), ("U", 2 * width)):
        draw.linear(f"{memory}.{name}", outward, width)
    return draw.tensors | sequential(torchvision_tensors(RESNET), "visual_extractor.model.")


def r2gencmn_file(width: int = 8, slots: int = 40) -> Tensors:
    draw = Draw(8)
    _annotated_transformer(draw, width, "a_2", "b_2", slots=0)
    draw.normal("encoder_decoder.model.src_embed.0.pe", 1, 20, width)
    draw.normal("encoder_decoder.memory_matrix", slots, width)
    _attention_of_four(draw, "encoder_decoder.cmn", width)
    twice = {name: value for name, value in draw.tensors.items() if name.startswith("encoder_decoder.cmn.")}
    draw.tensors |= {name.replace("encoder_decoder.", "encoder_decoder.model."): value for name, value in twice.items()}
    return draw.tensors | sequential(torchvision_tensors(RESNET), "visual_extractor.model.")


def promptmrg_file(cross: int | None = None) -> Tensors:
    """PromptMRG's model_best.pth; ``cross`` is what its cross-attention reads, the patches where None."""
    draw, visual = Draw(9), RESNET.hidden_sizes[3]
    draw.linear("cls_head", 18 * 4, visual + BRANCH)
    draw.linear("vision_proj", BRANCH, visual)
    for number in range(2):
        draw.layer(f"memory.encoder.layers.{number}", BRANCH, 24, crossed=False)
        draw.layer(f"memory.decoder.layers.{number}", BRANCH, 24, crossed=True)
    draw.norm("memory.decoder.norm", BRANCH)
    bert = bert_tensors(len(WORDS) + ADDED, WIDTH, 2, 24, cross=cross or visual)
    decoder = prefixed("text_decoder.bert.", bert) | prefixed("text_decoder.cls.", head_tensors(bert))
    return draw.tensors | decoder | sequential(torchvision_tensors(RESNET), "visual_encoder.model.")


def revtaf_file(width: int = 6) -> Tensors:
    """model_best.pth of REVTAF's code; ``width`` is that of each fused half."""
    draw = Draw(10)
    visual = RESNET.hidden_sizes[3]
    for name in ("q", "k", "v", "proj"):
        draw.linear(f"multihead_attn.{name}", width, width)
        draw.linear(f"mpsa_attention.multihead_attn.{name}", width, width)
    draw.attention("mpsa_attention.self_attn", width)
    draw.linear("mpsa_attention.linear1", 4 * width, width)
    draw.linear("mpsa_attention.linear2", width, 4 * width)
    for number in range(1, 4):
        draw.norm(f"mpsa_attention.norm{number}", width)
    for name, reads in (("ot_vision_proj", visual), ("ot_txt_proj1", TEXT), ("ot_txt_proj2", BRANCH)):
        draw.linear(name, width, reads)
    for number, reads in enumerate((75, 10)):
        draw.linear(f"gwd.layers.{number}.linear", 10, reads)
    return promptmrg_file(cross=2 * width) | draw.tensors
