"""Load published weights into our modules, strict about names and shapes, without running a pickle's code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoTokenizer, BertModel, ResNetModel

from radscribe.core.errors import RadscribeError
from radscribe.core.tensors import read_pickled_tensors
from radscribe.models.encoders.image import ImageEncoder
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.weights.carry import COUNTER

# The tensor by which a ResNet with torchvision's names is found, whatever its prefix.
LANDMARK = "layer1.0.conv1.weight"
FIX_FILE = "give MedCLIP's pytorch_model.bin or the plain state dict of a torchvision ResNet"
FIX_SIZES = "fix layer_type, depths and hidden_sizes in the recipe"


class WeightsError(RadscribeError):
    """A weights file that is missing, damaged or of another network."""


def load_mobilenet_v2(encoder: ImageEncoder, path: Path) -> int:
    """Load MobileNetV2 1.0 weights with folded batch norm (``.npz``, TensorFlow layout) into ``encoder``.

    The file holds ``NN_..._w`` and ``NN_..._b`` arrays in network order: convolutions (out, kh, kw, in), depthwise ones
    (1, kh, kw, channels). A folded bias becomes the shift of an otherwise neutral batch norm. Returns the number of
    convolutions filled; the file's last pair, the classifier, and what is behind the encoder's cut are left out.

    Raises:
        WeightsError: the file is missing, damaged or of another network, or ``encoder`` is not a MobileNetV2.
    """
    if encoder.config.architecture != "mobilenet_v2":
        raise WeightsError(
            f"{path}: MobileNetV2 weights, but the recipe's image encoder is a {encoder.config.architecture}; "
            "write architecture: mobilenet_v2"
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in sorted(archive.files)}
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such weights file; name yours in image_encoder.weights") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable .npz archive ({error}); copy it again") from None
    pairs = list(zip(_ending(arrays, "_w"), _ending(arrays, "_b"), strict=False))
    layers: list[Any] = [module for module in encoder.blocks.modules() if hasattr(module, "convolution")]
    if len(layers) > len(pairs):
        raise WeightsError(
            f"{path}: it holds {len(pairs)} weight pairs, the network {len(layers)} convolutions; give MobileNetV2 1.0"
        )
    for position, (layer, (weight, bias)) in enumerate(zip(layers, pairs, strict=False)):
        convolution, normalization = layer.convolution, layer.normalization
        depthwise = convolution.groups > 1
        # (1, kh, kw, channels) -> (channels, 1, kh, kw); (out, kh, kw, in) -> (out, in, kh, kw)
        value = torch.from_numpy(weight).permute((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        if value.shape != convolution.weight.shape:
            found, wanted = tuple(value.shape), tuple(convolution.weight.shape)
            raise WeightsError(
                f"{path}: weight {position} has shape {found}, the network needs {wanted}; give MobileNetV2 1.0"
            )
        with torch.no_grad():
            convolution.weight.copy_(value)
            _neutral(normalization, torch.from_numpy(bias))
    return len(layers)


def _ending(arrays: dict[str, np.ndarray], suffix: str) -> list[np.ndarray]:
    return [value for name, value in arrays.items() if name.endswith(suffix)]


def _neutral(normalization: nn.BatchNorm2d, bias: Tensor) -> None:
    """Make a batch norm that only adds ``bias``."""
    assert normalization.running_mean is not None and normalization.running_var is not None
    normalization.running_mean.zero_()
    normalization.running_var.fill_(1.0 - normalization.eps)
    normalization.weight.fill_(1.0)
    normalization.bias.copy_(bias)


def load_torchvision_resnet(encoder: ImageEncoder, path: Path, say: Callable[[str], None]) -> None:
    """Load a pickled state dict with torchvision's ResNet names, bare or under one prefix, into ``encoder``.

    Tensors that the encoder does not have (heads, text towers, stages behind its cut) are left out, which ``say``
    reports. Raises ``RadscribeError`` naming the first tensor that is missing, of another shape, or of a layer that the
    encoder lacks.
    """
    config = encoder.config
    if config.architecture != "resnet":
        raise WeightsError(
            f"{path}: a ResNet's weights, but the recipe's image encoder is a {config.architecture}; write "
            "architecture: resnet"
        )
    tensors = read_pickled_tensors(path, None, FIX_FILE)
    prefixes = sorted(name.removesuffix(LANDMARK) for name in tensors if name.endswith(LANDMARK))
    if len(prefixes) != 1:
        raise WeightsError(f"{path}: it holds {len(prefixes)} ResNets of torchvision's names, not one; {FIX_FILE}")
    prefix = prefixes[0]
    if "vision_model." in prefix and config.normalization != "medclip":
        raise WeightsError(f"{path}: MedCLIP's ResNet; write normalization: medclip in the recipe's image_encoder")
    own = encoder.blocks.state_dict()
    sources = {prefix + torchvision_name(name): name for name in own}
    for source, name in sources.items():
        if source in tensors and tensors[source].shape != own[name].shape:
            found, wanted = tuple(tensors[source].shape), tuple(own[name].shape)
            raise WeightsError(f"{path}: its {source} has shape {found}, the image encoder needs {wanted}; {FIX_SIZES}")
        if source not in tensors and not name.endswith(COUNTER):
            raise WeightsError(f"{path}: it lacks {source}; {FIX_SIZES}")
    others = [name.removeprefix(prefix) for name in tensors if name not in sources]
    # A deeper network has every tensor of a shallower one, but cut inside a stage it is another function.
    inside = [name for name in others if name.startswith(tuple(f"layer{n}." for n in range(1, len(encoder.blocks))))]
    if inside:
        raise WeightsError(f"{path}: its {prefix}{inside[0]} has no place in the image encoder; {FIX_SIZES}")
    encoder.blocks.load_state_dict(own | {sources[name]: tensors[name] for name in tensors.keys() & sources.keys()})
    if others:
        left_out = ", ".join(sorted({name.partition(".")[0] for name in others}))
        say(f"image encoder: {path}: unused and left out: {left_out}")


def torchvision_name(name: str) -> str:
    """torchvision's name for an entry of ``ImageEncoder.blocks`` (transformers' ResNet: stem, then four stages)."""
    block, *within, kind, leaf = name.split(".")
    convolution = kind == "convolution"
    if block == "0":
        return f"{'conv1' if convolution else 'bn1'}.{leaf}"
    layer = f"layer{block}.{within[1]}"  # within: "layers", number, then "shortcut" or "layer", number
    if within[2] == "shortcut":
        return f"{layer}.downsample.{0 if convolution else 1}.{leaf}"
    return f"{layer}.{'conv' if convolution else 'bn'}{int(within[3]) + 1}.{leaf}"


def published_resnet(source: str, say: Callable[[str], None]) -> ResNetModel | None:
    """The ResNet of a transformers folder or hub id; None, which ``say`` reports, where it is not available."""
    try:
        network: ResNetModel = ResNetModel.from_pretrained(source, weights_only=True)
    except (OSError, ValueError) as error:
        say(f"image encoder: {source} is not available ({_first_line(error)}); it starts from random weights")
        return None
    return network


def copy_resnet(network: ResNetModel, encoder: ImageEncoder, source: str) -> None:
    """Copy ``network`` into ``encoder``. Raises ``WeightsError`` naming ``source`` where the shapes differ."""
    blocks = nn.ModuleList([network.embedder, *network.encoder.stages][: len(encoder.blocks)])
    found, wanted = blocks.state_dict(), encoder.blocks.state_dict()
    differing = [name for name in wanted if name not in found or found[name].shape != wanted[name].shape]
    if differing:
        raise WeightsError(
            f"{source}: its tensor {differing[0]} does not fit the recipe's image encoder; fix its sizes"
        )
    encoder.blocks.load_state_dict({name: found[name] for name in wanted})


def load_published_text_encoder(config: TextEncoderConfig, say: Callable[[str], None]) -> TextEncoder | None:
    """The BERT (folder or hub id) that ``config.source`` names, with its vocabulary.

    None, which ``say`` reports, where it is not available: the text encoder is then trained on the dataset's own
    sentences from random weights. Raises ``WeightsError`` where the BERT found has other sizes than the recipe's.
    """
    assert config.source is not None
    try:
        bert = BertModel.from_pretrained(config.source, add_pooling_layer=False, weights_only=True)
        backend: Tokenizer = AutoTokenizer.from_pretrained(config.source, use_fast=True).backend_tokenizer
    except (OSError, ValueError) as error:
        say(f"text encoder: {config.source} is not available ({_first_line(error)}); it starts from random weights")
        return None
    backend.no_padding()
    backend.no_truncation()
    found = bert.config
    shape = (found.num_hidden_layers, found.hidden_size, found.num_attention_heads, found.intermediate_size)
    wanted = (config.layers, config.width, config.heads, config.feed_forward)
    if shape != wanted:
        raise WeightsError(
            f"{config.source}: layers, width, heads, feed_forward are {shape}, not {wanted}; fix the recipe"
        )
    encoder = TextEncoder(config, backend)
    encoder.bert = bert
    return encoder


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
