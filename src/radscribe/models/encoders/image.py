"""The image encoder: turns a film into a grid of patch features with a ResNet or MobileNetV2 from transformers."""

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

# Where an image encoder is cut: at stride 16, or at its end.
Stage = Literal["middle", "last"]


@dataclass(frozen=True)
class ImageEncoderConfig:
    """Architecture, sizes and start of an image encoder, ResNet-101 by default.

    Raises ``ValueError`` for settings that do not fit together.
    """

    # Family of the network; the next four fields are a resnet's.
    architecture: Literal["resnet", "mobilenet_v2"] = "resnet"
    # Channels of the stem.
    embedding_size: int = 64
    # Channels of the four stages.
    hidden_sizes: tuple[int, ...] = (256, 512, 1024, 2048)
    # Blocks in each of the four stages.
    depths: tuple[int, ...] = (3, 4, 23, 3)
    # Kind of the blocks.
    layer_type: Literal["basic", "bottleneck"] = "bottleneck"
    # A resnet at 16 does not halve in its last stage, so that a film of 112 pixels has 7 x 7 patches too.
    stride: Literal[16, 32] = 32
    # Initial weights: a file, an imported folder, a transformers folder or a hub id; None starts at random.
    weights: str | None = None
    # "previous" starts from the image encoder of the training step before (a mini recipe's shortcut).
    start: Literal["weights", "previous"] = "weights"
    # Films are scaled as for the architecture's ImageNet weights, or as for MedCLIP's ResNet.
    normalization: Literal["imagenet", "medclip"] = "imagenet"
    # Output width of a linear map behind the patches (the mini recipes' smaller visual width); None for no map.
    projection: int | None = None
    # Number of first blocks whose weights are kept as loaded.
    frozen_blocks: int = 0
    # Keeps the stored batch statistics of every block in training.
    frozen_normalization: bool = False

    def __post_init__(self) -> None:
        if self.architecture == "resnet" and not len(self.hidden_sizes) == len(self.depths) == 4:
            raise ValueError("hidden_sizes and depths must have four entries each, one per stage of a resnet")
        if self.architecture != "resnet" and self.stride != 32:
            raise ValueError("stride must be 32 unless architecture is resnet")
        if self.projection is not None and self.projection < 1:
            raise ValueError(f"projection must be at least 1, not {self.projection}")

    @property
    def last_width(self) -> int:
        """Width of the patches at stage "last", before the projection."""
        return self.hidden_sizes[-1] if self.architecture == "resnet" else 1280

    @property
    def middle_blocks(self) -> int:
        """Blocks up to the last one at stride 16, the stem included: those of stage "middle"."""
        return 4 if self.architecture == "resnet" else 13

    @property
    def middle_width(self) -> int:
        """Width of the patches at stage "middle"."""
        return self.hidden_sizes[2] if self.architecture == "resnet" else 96

    @property
    def width(self) -> int:
        """d_v, the width of the patches at stage "last"."""
        return self.projection or self.last_width


class ImageEncoder(nn.Module):
    """A ResNet or MobileNetV2 without its head, whose last feature map is a film's patches.

    ``stage`` "last" works at stride 32 (7 x 7 patches of a 224 film), "middle" stops at stride 16 (14 x 14), as MedKLIP
    cuts its ResNet-50 after the third stage; blocks behind the cut are not built.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: ImageEncoderConfig, stage: Stage = "last") -> None:
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
            mean, deviation = IMAGENET_MEAN, IMAGENET_DEVIATION
        else:
            network = MobileNetV2Model(MobileNetV2Config(tf_padding=True), add_pooling_layer=False)
            blocks = [network.conv_stem, *network.layer, network.conv_1x1]
            mean, deviation = (0.5,) * 3, (0.5,) * 3
        if config.normalization == "medclip":
            mean, deviation = MEDCLIP_MEAN, MEDCLIP_DEVIATION
        self.blocks = nn.ModuleList(blocks[: config.middle_blocks] if stage == "middle" else blocks)
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
        """Width of the patches that ``forward`` returns."""
        return self.config.middle_width if self.stage == "middle" else self.config.width

    def train(self, mode: bool = True) -> ImageEncoder:
        """Set the mode; frozen blocks, or all where normalization is frozen, keep their stored batch statistics."""
        super().train(mode)
        for position, block in enumerate(self.blocks):
            if self.config.frozen_normalization or position < self.config.frozen_blocks:
                block.eval()
        return self

    @torch.no_grad()
    def frozen(self, films: Tensor) -> Tensor:
        """Output of the frozen blocks, which ``forward`` takes instead of films: ``B x 1 x H x W -> B x C x h x w``."""
        features = (films - self.mean) / self.deviation  # broadcast: one grey channel to three
        features = features.contiguous(memory_format=torch.channels_last)
        for block in self.blocks[: self.config.frozen_blocks]:
            features = block.eval()(features)
        return features

    def forward(self, films: Tensor) -> Tensor:
        """Patches of films in [0, 1] (``B x 1 x H x W``) or of what ``frozen`` made of them: ``-> B x P x d_v``."""
        features = self.frozen(films) if films.shape[1] == 1 else films
        features = features.contiguous(memory_format=torch.channels_last)
        for block in self.blocks[self.config.frozen_blocks :]:
            features = block(features)
        patches = features.flatten(2).transpose(1, 2)  # F_v: B x P x d_v
        return patches if self.projection is None else self.projection(patches)


def _keep_size(stage: nn.Module) -> None:
    """Set every stride of a ResNet stage to 1."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)


def _halve_first(blocks: nn.ModuleList) -> None:
    """Let narrow 1 x 1 convolutions of stride 2 read every other pixel with stride 1 instead, which is the same.

    With stride 2 and fewer channels than a vector register holds, oneDNN's gradient writes out of bounds, crashes or
    hangs (uxlfoundation/oneDNN issue 6035).
    """
    convolutions = [module for module in blocks.modules() if isinstance(module, nn.Conv2d)]
    for module in convolutions:
        if module.kernel_size == (1, 1) and module.stride == (2, 2) and module.in_channels < 16:
            module.stride = (1, 1)
            module.register_forward_pre_hook(_every_other_pixel)


def _every_other_pixel(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0][:, :, ::2, ::2],)


def blocks_in_common(source: ImageEncoder, target: ImageEncoder) -> dict[str, Tensor]:
    """The entries of ``source`` that ``target`` has too, name and shape, by which one step starts from another."""
    wanted = target.state_dict()
    found = source.state_dict()
    return {name: value for name, value in found.items() if name in wanted and wanted[name].shape == value.shape}
