"""What networks start from: an imported folder, a weights file, a published network, the step before, or chance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transformers import ResNetModel

from radscribe.core.errors import RadscribeError
from radscribe.core.files import sha256_of
from radscribe.core.tensors import fingerprint_of
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig, blocks_in_common
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.weights.folder import Imported, is_import, open_import
from radscribe.weights.from_import import imported_text_encoder, start_image_encoder
from radscribe.weights.published import (
    copy_resnet,
    load_mobilenet_v2,
    load_published_text_encoder,
    load_torchvision_resnet,
    published_resnet,
)

# A weights name that ends so is a file in the folder of weights; any other is an imported folder, a transformers' one
# or a hub id.
PICKLES = (".bin", ".pth", ".pt")
FILES = (".npz", *PICKLES)


class Starts:
    """``weights`` is the folder of the files that recipes name; a hub is asked once a run for each network."""

    def __init__(self, weights: Path, say: Callable[[str], None]) -> None:
        self.weights, self.say = weights, say
        self._networks: dict[str, ResNetModel | None] = {}

    def begin(
        self, encoder: ImageEncoder, previous: ImageEncoder | None, lower: ImageEncoder | None = None
    ) -> ImageEncoder:
        """Gives an image encoder what its configuration says it starts from: a file, the step before, or chance."""
        config = encoder.config
        if config.start == "previous" and (previous or lower):
            own = encoder.state_dict()
            for source in filter(None, (previous, lower)):  # the later step's lower blocks win
                if source.config.normalization != config.normalization:
                    raise RadscribeError(
                        f"image_encoder.normalization: {config.normalization}, but the step before has "
                        f"{source.config.normalization}; write the same in both"
                    )
                own |= blocks_in_common(source, encoder)
            encoder.load_state_dict(own)
        elif config.weights is None:
            self.say(f"image encoder: no weights named, a {config.architecture} starts from random ones")
        elif config.weights.endswith(".npz"):
            load_mobilenet_v2(encoder, self._weights(config))
        elif config.weights.endswith(PICKLES):
            load_torchvision_resnet(encoder, self._weights(config), self.say)
        elif imported := self.found_import(config.weights):
            start_image_encoder(imported, encoder)
        elif network := self._published(config.weights):
            copy_resnet(network, encoder, config.weights)
        return encoder

    def text_encoder(self, config: TextEncoderConfig) -> TextEncoder | None:
        """The BERT that ``config.source`` names, in an imported folder or as transformers have it; None where it cannot
        be had, said so."""
        if config.source and (imported := self.found_import(config.source)):
            return imported_text_encoder(imported, config)
        return load_published_text_encoder(config, self.say) if config.source else None

    def found_import(self, name: str) -> Imported | None:
        """The imported folder of that name, as it stands or in the folder of weights."""
        folder = next(filter(is_import, (Path(name), self.weights / name)), None)
        return open_import(folder) if folder else None

    def imported(self, name: str, option: str) -> Imported:
        """As ``found_import``; refused where there is none."""
        found = self.found_import(name)
        if found is None:
            raise RadscribeError(
                f"{option}: {name} is no imported folder, nor one in {self.weights}; make it with `radscribe import`"
            )
        return found

    def _published(self, source: str) -> ResNetModel | None:
        """The ResNet of a hub id or folder, asked for once a run; None where it cannot be had."""
        if source not in self._networks:
            self._networks[source] = published_resnet(source, self.say)
        return self._networks[source]

    def _weights(self, config: ImageEncoderConfig) -> Path:
        """The weights file that the recipe names, in the folder of weights unless its path is whole."""
        path = self.weights / str(config.weights)
        if not path.is_file():
            raise RadscribeError(f"{path}: no such weights file; name its folder with --weights")
        return path

    def content(self, config: ImageEncoderConfig) -> str | None:
        """What the encoder starts from, by content: a run begun without the hub is not one begun with it."""
        if config.weights is None:
            return None
        if config.weights.endswith(FILES):
            return sha256_of(self._weights(config))
        if imported := self.found_import(config.weights):
            return imported.content
        network = self._published(config.weights)
        return fingerprint_of(dict(network.state_dict()), {}) if network else "random"
