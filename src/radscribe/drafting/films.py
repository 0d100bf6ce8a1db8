"""Films for the networks: uint8 rows of the memory map to tensors, augmented by Pillow, loaded ahead in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radscribe.imaging.crop import FilmConfig, augmented, centre_crop

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Grey levels (... x H x W, uint8) as the networks read them: ... x 1 x H x W, float32 in [0, 1]."""
    # By NumPy: what torch shares out to threads here, in a loading thread, would slow the training one down.
    return torch.from_numpy(np.expand_dims(pixels, -3).astype(np.float32) / np.float32(255))


class FilmSource(Protocol):
    """Films by index, as evaluation sees them and augmented for an epoch of training."""

    def plain(self, indices: Sequence[int]) -> Tensor:
        """The films at ``indices`` as evaluation sees them: B x 1 x H x W, float32 in [0, 1]."""

    def augmented(self, indices: Sequence[int], epoch: int) -> Tensor:
        """The films at ``indices`` augmented for ``epoch``, the same whenever they are asked for."""

    def grey(self, indices: Sequence[int]) -> Tensor:
        """The grey levels of ``plain``, where that gives features of them instead."""


@dataclass(frozen=True)
class Films:
    """The films of a list of studies: ``rows`` of the dataset's ``pixels``. ``seed`` fixes every augmentation."""

    pixels: NDArray[np.uint8]
    rows: Sequence[int]
    config: FilmConfig
    seed: int = 0

    def plain(self, indices: Sequence[int]) -> Tensor:
        """Centre crops: B x 1 x crop x crop."""
        return to_tensor(np.stack([centre_crop(self.pixels[self.rows[index]], self.config) for index in indices]))

    def augmented(self, indices: Sequence[int], epoch: int) -> Tensor:
        """Each film's augmentation depends on seed, epoch and film alone: an interrupted run repeats it exactly."""
        crops = []
        for index in indices:
            random = np.random.default_rng((self.seed, epoch, index))
            crops.append(augmented(self.pixels[self.rows[index]], self.config, random))
        return to_tensor(np.stack(crops))

    def grey(self, indices: Sequence[int]) -> Tensor:
        """As ``plain``."""
        return self.plain(indices)


@dataclass(frozen=True)
class Views:
    """Several films of each study: B x views x 1 x H x W, of one source a view."""

    sources: Sequence[FilmSource]

    def plain(self, indices: Sequence[int]) -> Tensor:
        """B x views x 1 x H x W."""
        return torch.stack([source.plain(indices) for source in self.sources], 1)

    def augmented(self, indices: Sequence[int], epoch: int) -> Tensor:
        """B x views x 1 x H x W, each view augmented by itself."""
        return torch.stack([source.augmented(indices, epoch) for source in self.sources], 1)

    def grey(self, indices: Sequence[int]) -> Tensor:
        """B x views x 1 x H x W."""
        return torch.stack([source.grey(indices) for source in self.sources], 1)


def ahead(items: Iterable[Item], load: Callable[[Item], Loaded], depth: int = 2) -> Iterator[Loaded]:
    """``load`` of each item in order, up to ``depth`` of them loading while the caller computes."""
    with ThreadPoolExecutor(1) as pool:
        waiting = []
        for item in items:
            waiting.append(pool.submit(load, item))
            if len(waiting) > depth:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
