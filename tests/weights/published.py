"""Random weights under the names of published files, and forward passes of the published networks, written out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from radscribe.models.encoders.image import ImageEncoderConfig

Tensors = dict[str, Tensor]
IMAGENET = (torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225]))
GREY = (torch.tensor([0.5862785803043838]), torch.tensor([0.27950088968644304]))
# The places of torchvision's children in nn.Sequential(*resnet.children()).
CHILDREN = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}


@dataclass
class Draw:
    """Tensors by name, drawn from a seed."""

    seed: int = 0
    tensors: Tensors = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)

    def normal(self, name: str, *shape: int, scale: float = 1.0) -> None:
        self.tensors[name] = torch.randn(*shape, generator=self.generator) * scale

    def uniform(self, name: str, *shape: int, low: float, high: float) -> None:
        self.tensors[name] = low + (high - low) * torch.rand(*shape, generator=self.generator)

    def linear(self, name: str, outward: int, inward: int, bias: bool = True) -> None:
        self.normal(f"{name}.weight", outward, inward, scale=inward**-0.5)
        if bias:
            self.normal(f"{name}.bias", outward, scale=0.3)

    def norm(self, name: str, width: int, scale: str = "weight", shift: str = "bias") -> None:
        self.uniform(f"{name}.{scale}", width, low=0.5, high=1.5)
        self.normal(f"{name}.{shift}", width, scale=0.3)

    def attention(self, name: str, width: int) -> None:
        """``nn.MultiheadAttention``."""
        self.normal(f"{name}.in_proj_weight", 3 * width, width, scale=2 * width**-0.5)
        self.normal(f"{name}.in_proj_bias", 3 * width, scale=0.3)
        self.linear(f"{name}.out_proj", width, width)

    def layer(self, name: str, width: int, inner: int, crossed: bool) -> None:
        """A layer of DETR's transformer: of the encoder, or ``crossed`` of the decoder."""
        self.attention(f"{name}.self_attn", width)
        if crossed:
            self.attention(f"{name}.multihead_attn", width)
        self.linear(f"{name}.linear1", inner, width)
        self.linear(f"{name}.linear2", width, inner)
        for number in range(1, 4 if crossed else 3):
            self.norm(f"{name}.norm{number}", width)


def torchvision_tensors(config: ImageEncoderConfig) -> Tensors:
    """A ResNet under torchvision's names, its head included."""
    draw = Draw()

    def add(convolution: str, normalization: str, inward: int, outward: int, kernel: int) -> None:
        fan = inward * kernel * kernel
        draw.normal(f"{convolution}.weight", outward, inward, kernel, kernel, scale=(2 / fan) ** 0.5)
        for leaf, low, high in (
            ("weight", 0.5, 1.5),
            ("bias", -0.5, 0.5),
            ("running_mean", -0.5, 0.5),
            ("running_var", 0.5, 2.0),
        ):
            draw.uniform(f"{normalization}.{leaf}", outward, low=low, high=high)
        draw.tensors[f"{normalization}.num_batches_tracked"] = torch.tensor(7)

    width = config.embedding_size
    add("conv1", "bn1", 3, width, 7)
    for stage, (outward, depth) in enumerate(zip(config.hidden_sizes, config.depths, strict=True), start=1):
        for block in range(depth):
            name = f"layer{stage}.{block}"
            if config.layer_type == "bottleneck":
                inner = outward // 4
                sizes = [(width, inner, 1), (inner, inner, 3), (inner, outward, 1)]
            else:
                sizes = [(width, outward, 3), (outward, outward, 3)]
            for number, size in enumerate(sizes, start=1):
                add(f"{name}.conv{number}", f"{name}.bn{number}", *size)
            if block == 0 and (stage > 1 or width != outward):
                add(f"{name}.downsample.0", f"{name}.downsample.1", width, outward, 1)
            width = outward
    draw.linear("fc", 5, width)
    return draw.tensors


def sequential(tensors: Tensors, prefix: str, stages: int = 4) -> Tensors:
    """A ResNet's tensors as ``nn.Sequential`` of its first children calls them, without its head."""
    kept = {name for name in CHILDREN if not name.startswith("layer") or int(name[5:]) <= stages}
    split = {name: name.partition(".") for name in tensors}
    return {
        f"{prefix}{CHILDREN[head]}.{rest}": tensors[name] for name, (head, _, rest) in split.items() if head in kept
    }


def resnet_forward(tensors: Tensors, films: Tensor, scale: tuple[Tensor, ...] = IMAGENET, stages: int = 4) -> Tensor:
    """torchvision's ResNet in evaluation, up to the features of a stage: B x P x width."""

    def step(x: Tensor, convolution: str, normalization: str, stride: int = 1) -> Tensor:
        weight = tensors[f"{convolution}.weight"]
        x = functional.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2)
        mean, variance = (tensors[f"{normalization}.{leaf}"] for leaf in ("running_mean", "running_var"))
        return functional.batch_norm(
            x, mean, variance, tensors[f"{normalization}.weight"], tensors[f"{normalization}.bias"], eps=1e-5
        )

    mean, deviation = (value.view(1, -1, 1, 1) for value in scale)
    x = (films.repeat(1, 3, 1, 1) - mean) / deviation
    x = functional.max_pool2d(functional.relu(step(x, "conv1", "bn1", 2)), 3, 2, 1)
    for stage in range(1, stages + 1):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in tensors:
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            same = x
            if f"{name}.downsample.0.weight" in tensors:
                same = step(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
            if f"{name}.conv3.weight" in tensors:  # the stride stands at the 3 x 3 convolution
                y = functional.relu(step(x, f"{name}.conv1", f"{name}.bn1"))
                y = functional.relu(step(y, f"{name}.conv2", f"{name}.bn2", stride))
                y = step(y, f"{name}.conv3", f"{name}.bn3")
            else:
                y = functional.relu(step(x, f"{name}.conv1", f"{name}.bn1", stride))
                y = step(y, f"{name}.conv2", f"{name}.bn2")
            x = functional.relu(y + same)
            block += 1
    return x.flatten(2).transpose(1, 2)


def bert_tensors(
    words: int, width: int, layers: int, inner: int, positions: int = 512, cross: int | None = None, seed: int = 1
) -> Tensors:
    """A BERT under the names of transformers' BertModel, pooler and stored positions included; ``cross`` is the width
    that BLIP's cross-attention reads, whose BERT has neither pooler nor types."""
    draw = Draw(seed)
    draw.tensors["embeddings.position_ids"] = torch.arange(positions)[None]
    draw.normal("embeddings.word_embeddings.weight", words, width)
    draw.normal("embeddings.position_embeddings.weight", positions, width, scale=0.5)
    if cross is None:
        draw.normal("embeddings.token_type_embeddings.weight", 2, width, scale=0.5)
    draw.norm("embeddings.LayerNorm", width)
    for number in range(layers):
        name = f"encoder.layer.{number}"
        for kind, reads in (("attention", width), ("crossattention", cross)):
            if reads is not None:
                draw.linear(f"{name}.{kind}.self.query", width, width)
                draw.linear(f"{name}.{kind}.self.key", width, reads)
                draw.linear(f"{name}.{kind}.self.value", width, reads)
                draw.linear(f"{name}.{kind}.output.dense", width, width)
                draw.norm(f"{name}.{kind}.output.LayerNorm", width)
        draw.linear(f"{name}.intermediate.dense", inner, width)
        draw.linear(f"{name}.output.dense", width, inner)
        draw.norm(f"{name}.output.LayerNorm", width)
    if cross is None:
        draw.linear("pooler.dense", width, width)
    return draw.tensors


def head_tensors(bert: Tensors, seed: int = 2) -> Tensors:
    """The head of masked words, whose matrix is the word embeddings'."""
    words, width = bert["embeddings.word_embeddings.weight"].shape
    draw = Draw(seed)
    draw.linear("predictions.transform.dense", width, width)
    draw.norm("predictions.transform.LayerNorm", width)
    draw.normal("predictions.bias", words)
    draw.tensors["predictions.decoder.weight"] = bert["embeddings.word_embeddings.weight"]
    draw.tensors["predictions.decoder.bias"] = draw.tensors["predictions.bias"]
    return draw.tensors


def prefixed(prefix: str, tensors: Tensors) -> Tensors:
    return {prefix + name: value for name, value in tensors.items()}


def linear(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    return functional.linear(x, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"))


def norm(tensors: Tensors, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], tensors[f"{name}.weight"], tensors[f"{name}.bias"], eps)


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention of B x L x width, heads side by side."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    scores = scores if mask is None else scores.masked_fill(~mask, float("-inf"))
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def torch_attention(tensors: Tensors, name: str, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """What ``nn.MultiheadAttention`` computes."""
    weights, biases = tensors[f"{name}.in_proj_weight"].chunk(3), tensors[f"{name}.in_proj_bias"].chunk(3)
    projected = [functional.linear(x, w, b) for x, w, b in zip((q, k, v), weights, biases, strict=True)]
    return linear(tensors, f"{name}.out_proj", attend(*projected, heads))
