"""Initialise networks from an imported folder, a weights file, a published network, an earlier step, or at random."""

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

# Endings of files in the folder of weights; any other name is an imported folder, a transformers folder or a hub id.
PICKLES = (".bin", ".pth", ".pt")
FILES = (".npz", *PICKLES)


class Starts:
    """Initial weights of a run's networks, from the folder ``weights`` or a hub, which is asked once per network."""

    def __init__(self, weights: Path, say: Callable[[str], None]) -> None:
        self.weights, self.say = weights, say
        self._networks: dict[str, ResNetModel | None] = {}

    def begin(
        self, encoder: ImageEncoder, previous: ImageEncoder | None, lower: ImageEncoder | None = None
    ) -> ImageEncoder:
        """Initialise an image encoder as configured: from weights, from ``previous`` and ``lower``, or at random.

        Raises ``RadscribeError`` where the weights are missing or do not fit.
        """
        config = encoder.config
        if config.start == "previous" and (previous or lower):
            own = encoder.state_dict()
            for source in filter(None, (previous, lower)):  # where both have a block, that of ``lower`` is kept
                if source.config.normalization != config.normalization:
                    raise RadscribeError(
                        f"image_encoder.normalization: {config.normalization}, but the previous step has "
                        f"{source.config.normalization}; write the same in both"
                    )
                own |= blocks_in_common(source, encoder)
            encoder.load_state_dict(own)
        elif config.weights is None:
            self.say(f"image encoder: no weights named; the {config.architecture} starts from random weights")
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
        """The BERT that ``config.source`` names, an imported or transformers folder or a hub id.

        None where it names none, or where that is not available, which ``say`` reports.
        """
        if config.source and (imported := self.found_import(config.source)):
            return imported_text_encoder(imported, config)
        return load_published_text_encoder(config, self.say) if config.source else None

    def found_import(self, name: str) -> Imported | None:
        """The imported folder of that path, or of that name in the folder of weights; None where there is none."""
        folder = next(filter(is_import, (Path(name), self.weights / name)), None)
        return open_import(folder) if folder else None

    def imported(self, name: str, option: str) -> Imported:
        """As ``found_import``. Raises ``RadscribeError`` naming ``option`` where there is none."""
        found = self.found_import(name)
        if found is None:
            raise RadscribeError(
                f"{option}: no imported folder {name} here or in {self.weights}; make one with `radscribe import`"
            )
        return found

    def _published(self, source: str) -> ResNetModel | None:
        """The ResNet of a hub id or folder, asked for once per run; None where it is not available."""
        if source not in self._networks:
            self._networks[source] = published_resnet(source, self.say)
        return self._networks[source]

    def _weights(self, config: ImageEncoderConfig) -> Path:
        """The weights file that the recipe names, in the folder of weights unless its path is absolute."""
        path = self.weights / str(config.weights)
        if not path.is_file():
            raise RadscribeError(f"{path}: no such weights file; name its folder with --weights")
        return path

    def content(self, config: ImageEncoderConfig) -> str | None:
        """A hash of the weights that the encoder starts from; None where it names none.

        It is "random" where the network is not available: a run without the hub differs from one with it.
        """
        if config.weights is None:
            return None
        if config.weights.endswith(FILES):
            return sha256_of(self._weights(config))
        if imported := self.found_import(config.weights):
            return imported.content
        network = self._published(config.weights)
        return fingerprint_of(dict(network.state_dict()), {}) if network else "random"
