"""Import ResNets with torchvision's names, whole or as a ``Sequential`` of their children, into the image encoder."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from radscribe.core.config import to_mapping
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.weights.carry import COUNTER, Link, Plan, Source, shapes_of
from radscribe.weights.published import LANDMARK, torchvision_name

HEAD = "the head for another task"
# Depth of the last stage, which a cut ResNet does not show, by those of the stages before it, as in torchvision.
LAST_DEPTHS = {(2, 2, 2): 2, (3, 4, 6): 3, (3, 4, 23): 3, (3, 8, 36): 3}
# Settings that the tensors determine, which a recipe must share.
STRUCTURE = ("architecture", "embedding_size", "hidden_sizes", "depths", "layer_type", "normalization")


def sequential_name(name: str) -> str:
    """torchvision's name of a tensor in ``nn.Sequential(*resnet.children())``: conv1, bn1, ReLU, pooling, layer1 ..."""
    head, _, rest = name.partition(".")
    position = {"conv1": 0, "bn1": 1}.get(head)
    return f"{int(head.removeprefix('layer')) + 3 if position is None else position}.{rest}"


def resnet_config(
    source: Source, published: Callable[[str], str], normalization: Literal["imagenet", "medclip"] = "imagenet"
) -> ImageEncoderConfig:
    """Sizes of a ResNet from the shapes of its tensors; ``published`` maps torchvision's names to the file's.

    Raises ``ImportRefusedError`` where a tensor is missing.
    """
    depths: list[int] = []
    widths: list[int] = []
    last = "conv3" if published("layer1.0.conv3.weight") in source.tensors else "conv2"
    for stage in range(1, 5):
        block = re.escape(published(f"layer{stage}.0.conv1.weight")).replace(r"\.0\.conv1", r"\.(\d+)\.conv1")
        if stage == 4 and not any(re.fullmatch(block, name) for name in source.tensors):
            depths.append(LAST_DEPTHS.get((depths[0], depths[1], depths[2]), 1))
            widths.append(2 * widths[-1])
            break
        depths.append(source.count(block))
        widths.append(source.length(published(f"layer{stage}.0.{last}.weight")))
    return ImageEncoderConfig(
        embedding_size=source.length(published("conv1.weight")),
        hidden_sizes=tuple(widths),
        depths=tuple(depths),
        layer_type="bottleneck" if last == "conv3" else "basic",
        normalization=normalization,
    )


def resnet_links(
    config: ImageEncoderConfig,
    part: str,
    published: Callable[[str], str],
    stage: Literal["middle", "last"] = "last",
) -> tuple[list[Link], dict[str, tuple[int, ...]]]:
    """Links of an image encoder under ``part``, and its shapes by name."""
    shapes = shapes_of(part, lambda: ImageEncoder(config, stage))
    links = [
        Link(
            name,
            (published(torchvision_name(name.removeprefix(f"{part}.blocks."))),),
            optional=name.endswith(COUNTER),
        )
        for name in shapes
    ]
    return links, shapes


NO_COUNTER = {rf".*\.{COUNTER}": "a counter that files of old versions lack"}


def structure(config: ImageEncoderConfig) -> dict[str, Any]:
    """The settings that a recipe's image encoder must share with the imported one."""
    return {name: value for name, value in to_mapping(config).items() if name in STRUCTURE}


def plan(source: Source) -> Plan:
    """Import a whole ResNet, bare or under one prefix."""
    prefixes = sorted(name.removesuffix(LANDMARK) for name in source.tensors if name.endswith(LANDMARK))
    if len(prefixes) != 1:
        raise source.refusal(f"it holds {len(prefixes)} ResNets of torchvision's names, not one")

    def published(name: str) -> str:
        return prefixes[0] + name

    config = resnet_config(source, published)
    links, shapes = resnet_links(config, "image_encoder", published)
    return Plan(
        links,
        shapes,
        {"image_encoder": structure(config)},
        left_out={rf"{re.escape(prefixes[0])}fc\.(weight|bias)": HEAD},
        started=NO_COUNTER,
    )
