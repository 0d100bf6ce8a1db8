"""The image encoder: a film becomes a grid of patch features (ResNet or MobileNetV2 from transformers)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import MobileNetV2Config, MobileNetV2Model, ResNetConfig, ResNetModel

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
# One grey mean and deviation for all three channels (medclip/constants.py of MedCLIP's repository).
MEDCLIP_MEAN = (0.5862785803043838,) * 3
MEDCLIP_DEVIATION = (0.27950088968644304,) * 3

# The inverted residual blocks of MobileNetV2 that still work at stride 16, behind the stem.
MOBILENET_MIDDLE_BLOCKS = 12


@dataclass(frozen=True)
class ImageEncoderConfig:
    """Which network, how wide, and what it starts from.

    ``weights`` names a file that ``encoders.weights`` reads into it; ``projection`` puts a linear map behind the
    patches (the mini recipes' smaller visual width); a resnet of ``stride`` 16 does not halve its last stage, so that a
    film of 112 has 7 x 7 patches too; ``frozen_blocks`` keeps the first blocks as they were loaded.
    ``start`` "previous" takes the weights of the training step before (a mini recipe's shortcut). ``normalization``
    "imagenet" scales films as for the architecture's own ImageNet weights, "medclip" as MedCLIP's ResNet saw them.
    """

    architecture: Literal["resnet", "mobilenet_v2"] = "resnet"
    embedding_size: int = 64
    hidden_sizes: tuple[int, ...] = (256, 512, 1024, 2048)
    depths: tuple[int, ...] = (3, 4, 23, 3)
    layer_type: Literal["basic", "bottleneck"] = "bottleneck"
    stride: Literal[16, 32] = 32
    weights: str | None = None
    start: Literal["weights", "previous"] = "weights"
    normalization: Literal["imagenet", "medclip"] = "imagenet"
    projection: int | None = None
    frozen_blocks: int = 0
    frozen_normalization: bool = False

    def __post_init__(self) -> None:
        if self.architecture == "resnet" and not len(self.hidden_sizes) == len(self.depths) == 4:
            raise ValueError("hidden_sizes and depths of a resnet name four stages each")
        if self.architecture != "resnet" and self.stride != 32:
            raise ValueError("only a resnet can work at stride 16")
        if self.projection is not None and self.projection < 1:
            raise ValueError(f"projection must be at least 1, not {self.projection}")

    @property
    def last_width(self) -> int:
        return self.hidden_sizes[-1] if self.architecture == "resnet" else 1280

    @property
    def middle_width(self) -> int:
        return self.hidden_sizes[2] if self.architecture == "resnet" else 96

    @property
    def width(self) -> int:
        """d_v, the width of the patches that leave the encoder."""
        return self.projection or self.last_width


class ImageEncoder(nn.Module):
    """Films (B x 1 x H x W in [0, 1]), or what ``frozen`` made of them -> patches (B x P x d_v).

    ``stage`` "last" works at stride 32 (7 x 7 patches of a 224 film), "middle" stops at stride 16 (14 x 14), as MedKLIP
    cuts its ResNet-50 after the third stage; what is cut is not built.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: ImageEncoderConfig, stage: Literal["middle", "last"] = "last") -> None:
        super().__init__()
        self.config, self.stage = config, stage
        if config.architecture == "resnet":
            network: Any = ResNetModel(
                ResNetConfig(
                    embedding_size=config.embedding_size,
                    hidden_sizes=list(config.hidden_sizes),
                    depths=list(config.depths),
                    layer_type=config.layer_type,
                )
            )
            if config.stride == 16:
                _keep_size(network.encoder.stages[-1])
            blocks = [network.embedder, *network.encoder.stages]
            blocks = blocks[:4] if stage == "middle" else blocks
            mean, deviation = IMAGENET_MEAN, IMAGENET_DEVIATION
        else:
            network = MobileNetV2Model(MobileNetV2Config(tf_padding=True), add_pooling_layer=False)
            blocks = [network.conv_stem, *network.layer, network.conv_1x1]
            blocks = blocks[: 1 + MOBILENET_MIDDLE_BLOCKS] if stage == "middle" else blocks
            mean, deviation = (0.5,) * 3, (0.5,) * 3
        if config.normalization == "medclip":
            mean, deviation = MEDCLIP_MEAN, MEDCLIP_DEVIATION
        self.blocks = nn.ModuleList(blocks)
        _halve_first(self.blocks)
        self.projection = (
            nn.Linear(config.last_width, config.projection) if config.projection and stage == "last" else None
        )
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1), persistent=False)
        for block in self.blocks[: config.frozen_blocks]:
            block.requires_grad_(False)

    @property
    def width(self) -> int:
        return self.config.middle_width if self.stage == "middle" else self.config.width

    def train(self, mode: bool = True) -> ImageEncoder:
        """Frozen blocks, and every block where normalization is frozen, keep their stored batch statistics."""
        super().train(mode)
        for position, block in enumerate(self.blocks):
            if self.config.frozen_normalization or position < self.config.frozen_blocks:
                block.eval()
        return self

    @torch.no_grad()
    def frozen(self, films: Tensor) -> Tensor:
        """What the frozen blocks make of films: B x C x h x w, which ``forward`` takes in place of the films."""
        features = (films - self.mean) / self.deviation  # broadcast: one grey channel to three
        features = features.contiguous(memory_format=torch.channels_last)
        for block in self.blocks[: self.config.frozen_blocks]:
            features = block.eval()(features)
        return features

    def forward(self, films: Tensor) -> Tensor:
        features = self.frozen(films) if films.shape[1] == 1 else films
        features = features.contiguous(memory_format=torch.channels_last)
        for block in self.blocks[self.config.frozen_blocks :]:
            features = block(features)
        patches = features.flatten(2).transpose(1, 2)  # F_v: B x P x d_v
        return patches if self.projection is None else self.projection(patches)


def _keep_size(stage: nn.Module) -> None:
    """Takes the halving out of a ResNet stage."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)


def _halve_first(blocks: nn.ModuleList) -> None:
    """Lets narrow 1 x 1 convolutions of stride 2 read every other pixel with stride 1 instead, which is the same.

    With stride 2 and fewer channels than a vector holds, oneDNN's gradient writes outside its memory, crashes or never
    returns (uxlfoundation/oneDNN issue 6035).
    """
    convolutions = [module for module in blocks.modules() if isinstance(module, nn.Conv2d)]
    for module in convolutions:
        if module.kernel_size == (1, 1) and module.stride == (2, 2) and module.in_channels < 16:
            module.stride = (1, 1)
            module.register_forward_pre_hook(_every_other_pixel)


def _every_other_pixel(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0][:, :, ::2, ::2],)


def blocks_in_common(source: ImageEncoder, target: ImageEncoder) -> dict[str, Tensor]:
    """The entries of ``source`` that ``target`` has too, name and shape: how one step starts from the one before."""
    wanted = target.state_dict()
    found = source.state_dict()
    return {name: value for name, value in found.items() if name in wanted and wanted[name].shape == value.shape}
