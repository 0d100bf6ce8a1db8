"""What must not stand in two splits: patients, identical images; and what is counted: near twins, equal reports."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from radscribe.study import SPLITS

# Of 256. On chest films, all alike in their coarse shape, a hash of 64 bits calls half of them twins.
NEAR_BITS = 8
# Hashes compared at once: 64 x 16,384 XORs of 256 bits are 32 MiB.
BLOCK = 64
BLOCK_RIGHT = 16_384


def count_shared(values: Iterable[tuple[str, Hashable]]) -> int:
    """How many distinct values of the (split, value) pairs stand in more than one split."""
    splits: dict[Hashable, set[str]] = {}
    for split, value in values:
        splits.setdefault(value, set()).add(split)
    return sum(len(found) > 1 for found in splits.values())


def studies_to_drop(splits: Sequence[str], image_hashes: Sequence[Sequence[str]]) -> dict[int, str]:
    """The studies that share an identical image with a split that matters more, and that split.

    Test is kept whole, then validate, then train: an image seen in training must not be scored, and leaving it
    out of training costs least.

    Args:
        splits: the split of each study.
        image_hashes: the hashes of each study's images.

    Returns:
        position of each study to drop -> the split that keeps the image.
    """
    owner: dict[str, str] = {}
    dropped: dict[int, str] = {}
    for split in reversed(SPLITS):
        kept = []
        for position in (index for index, value in enumerate(splits) if value == split):
            keeper = next((owner[image] for image in image_hashes[position] if image in owner), None)
            if keeper is None:
                kept.append(position)
            else:
                dropped[position] = keeper
        owner.update((image, split) for position in kept for image in image_hashes[position])
    return dropped


def count_near_twins(splits: Sequence[str], difference_hashes: Sequence[bytes], bits: int = NEAR_BITS) -> int:
    """How many images differ from an image of another split in at most ``bits`` bits of their difference hash.

    Args:
        splits: the split of each image.
        difference_hashes: 32 bytes an image.
        bits: Hamming distance up to which two images are near twins.
    """
    hashes = np.frombuffer(b"".join(difference_hashes), np.uint64).reshape(len(splits), -1)
    membership = np.array(splits)
    twins = 0
    for split in SPLITS:
        inside, outside = hashes[membership == split], hashes[membership != split]
        twins += sum(
            int(_has_near(inside[start : start + BLOCK], outside, bits).sum()) for start in range(0, len(inside), BLOCK)
        )
    return twins


def _has_near(left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.bool_]:
    """For each hash of ``left`` (n x words) whether any of ``right`` (m x words) is near."""
    near = np.zeros(len(left), np.bool_)
    for start in range(0, len(right), BLOCK_RIGHT):
        differing = np.bitwise_count(left[:, None] ^ right[None, start : start + BLOCK_RIGHT])
        near |= (differing.sum(axis=2) <= bits).any(axis=1)
    return near
