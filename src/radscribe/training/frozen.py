"""Films as the frozen blocks of an image encoder leave them: computed once, since nothing there is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn

from radscribe.core.config import to_mapping
from radscribe.drafting.films import Films
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig, Stage
from radscribe.training.cache import Step
from radscribe.weights.starts import Starts

BATCH = 64


@dataclass(frozen=True)
class FrozenFilms:
    """``films`` behind frozen blocks: ``plain`` (N x C x h x w) is what evaluation sees; ``wide`` (N x C x H x W), of
    the uncropped films, is cropped at random in training: shifts of one grid cell are the only augmentation left. With
    ``copies`` (each N x C x h x w), of films augmented in as many ways, training draws one of these instead."""

    films: Films
    plain_features: NDArray[np.float16]
    wide_features: NDArray[np.float16] | None
    copies: Sequence[NDArray[np.float16]] = ()

    def plain(self, indices: Sequence[int]) -> Tensor:
        """The features of the films at ``indices``: B x C x h x w."""
        return torch.from_numpy(np.stack([self.plain_features[index] for index in indices])).float()

    def augmented(self, indices: Sequence[int], epoch: int) -> Tensor:
        """As ``Films.augmented``: shift and copy depend on seed, epoch and film alone."""
        if self.copies:
            count = len(self.copies)
            drawn = {
                index: int(np.random.default_rng((self.films.seed, epoch, index)).integers(count)) for index in indices
            }
            return torch.from_numpy(np.stack([self.copies[drawn[index]][index] for index in indices])).float()
        assert self.wide_features is not None
        height, width = self.plain_features.shape[2:]
        crops = []
        for index in indices:
            room = (self.wide_features.shape[2] - height + 1, self.wide_features.shape[3] - width + 1)
            down, across = np.random.default_rng((self.films.seed, epoch, index)).integers(0, room).tolist()
            crops.append(self.wide_features[index, :, down : down + height, across : across + width])
        return torch.from_numpy(np.stack(crops)).float()

    def grey(self, indices: Sequence[int]) -> Tensor:
        """The grey levels of the films at ``indices``: B x 1 x crop x crop."""
        return self.films.plain(indices)


class LabelledStart(NamedTuple):
    """The step that trained an image encoder on films' labels, that encoder, from which all others start, and the head
    (d_v to 14) that told the conditions from its mean patch.

    All are None where the recipe has no such step.
    """

    step: Step | None = None
    encoder: ImageEncoder | None = None
    head: nn.Linear | None = None

    @property
    def key(self) -> dict[str, str]:
        """What the steps behind it depend on."""
        return {"film_labels": self.step.key} if self.step else {}


UNLABELLED = LabelledStart()


@dataclass(frozen=True)
class FrozenFilmsStep:
    """The films of one ``split`` (of one view, ``number``) behind the frozen blocks of ``encoder``."""

    split: str
    number: int
    films: Films
    dataset_fingerprint: str
    encoder: ImageEncoderConfig
    starts: Starts
    copies: int = 0
    stage: Stage = "last"
    labelled: LabelledStart = UNLABELLED

    @property
    def name(self) -> str:
        return f"frozen-{self.split}"

    @property
    def inputs(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset_fingerprint,
            "film": to_mapping(self.films.config),
            "image_encoder": to_mapping(self.encoder),
            "weights": self.starts.content(self.encoder),
        } | {
            **({"view": self.number} if self.number else {}),
            **({"stage": self.stage} if self.stage != "last" else {}),
            **self.labelled.key,
            **({"copies": self.copies, "seed": self.films.seed} if self.copies else {}),
        }

    def build(self, folder: Path) -> dict[str, Any]:
        encoder = self.starts.begin(ImageEncoder(self.encoder, self.stage), self.labelled.encoder).eval()
        write_frozen(encoder, self.films, folder, self.split, self.split == "train", self.copies)
        return {}


def write_frozen(encoder: ImageEncoder, films: Films, folder: Path, name: str, training: bool, copies: int = 0) -> None:
    """Runs the frozen blocks over all ``films`` and writes their features to ``folder``.

    Those that are for ``training``: of the uncropped films, or of so many augmented ``copies``.
    """
    sources: dict[str, Callable[[Sequence[int]], Tensor]] = {"plain": films.plain}
    if training and copies:
        sources |= {f"copy-{copy}": partial(films.augmented, epoch=copy) for copy in range(copies)}
    elif training:
        sources["wide"] = replace(films, config=replace(films.config, crop=films.config.resize)).plain
    for kind, seen in sources.items():
        array: np.memmap[Any, np.dtype[np.float16]] | None = None
        for first in range(0, len(films.rows), BATCH):
            rows = range(first, min(first + BATCH, len(films.rows)))
            features = encoder.frozen(seen(rows)).half().numpy()
            if array is None:
                shape = (len(films.rows), *features.shape[1:])
                array = open_memmap(folder / f"{name}-{kind}.npy", mode="w+", dtype=np.float16, shape=shape)
            array[rows.start : rows.stop] = features
        if array is not None:
            array.flush()


def read_frozen(folder: Path, name: str, films: Films, copies: int = 0) -> FrozenFilms:
    """The features that ``write_frozen`` left of ``films``, memory-mapped."""

    def mapped(kind: str) -> NDArray[np.float16] | None:
        path = folder / f"{name}-{kind}.npy"
        return np.load(path, mmap_mode="r", allow_pickle=False) if path.exists() else None

    plain = mapped("plain")
    assert plain is not None
    of_copies = [mapped(f"copy-{copy}") for copy in range(copies)]
    return FrozenFilms(films, plain, mapped("wide"), [copy for copy in of_copies if copy is not None])
