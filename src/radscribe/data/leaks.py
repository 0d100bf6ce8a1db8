"""Finds what splits share: patients, identical or near-identical images, identical reports; picks studies to drop."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radscribe.core.records import SPLITS, Study
from radscribe.core.report_text import one_line

# Of 256 bits. A hash of 64 bits would call half of all chest films twins, as their coarse shapes are alike.
NEAR_BITS = 8
# Hashes compared at once: 64 x 16,384 XORs of 256 bits take 32 MiB.
BLOCK = 64
BLOCK_RIGHT = 16_384
SCREENING_WORD = 1  # of the four 64-bit words of a hash: the quarter of the film above its middle
# Duplicates that a preparation drops on request; identical images are always dropped.
DROPPABLE = ("near-identical-images", "identical-reports")


@dataclass(frozen=True, slots=True)
class Entry:
    """What decides whether a study is kept, small enough to hold for every study of a large collection."""

    study_id: str
    patient_id: str
    split: str
    report: bytes  # ``report_hash``
    images: tuple[bytes, ...]  # SHA-256 of each film
    differences: tuple[bytes, ...]  # difference hash of each film, 32 bytes


def count_shared(values: Iterable[tuple[str, Hashable]]) -> int:
    """How many distinct values of the (split, value) pairs are in more than one split."""
    splits: dict[Hashable, set[str]] = {}
    for split, value in values:
        splits.setdefault(value, set()).add(split)
    return sum(len(found) > 1 for found in splits.values())


def studies_to_drop(splits: Sequence[str], image_hashes: Sequence[Sequence[Hashable]]) -> dict[int, str]:
    """The studies that share an identical image with a split of higher priority, and that split.

    Test comes before validate, and validate before train: an image seen in training must not be scored, and
    dropping it from training costs least.

    Args:
        splits: the split of each study.
        image_hashes: the hashes of each study's images.

    Returns:
        position of each study to drop -> the split that keeps the image.
    """
    owner: dict[Hashable, str] = {}
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


def near_studies_to_drop(
    splits: Sequence[str], difference_hashes: Sequence[Sequence[bytes]], bits: int = NEAR_BITS
) -> dict[int, str]:
    """Like ``studies_to_drop``, for images that differ in at most ``bits`` bits of their difference hash (32 bytes)."""
    owned: dict[str, npt.NDArray[np.uint64]] = {}
    dropped: dict[int, str] = {}
    for split in reversed(SPLITS):
        members = [index for index, value in enumerate(splits) if value == split]
        images = [(position, value) for position in members for value in difference_hashes[position]]
        for keeper, kept in owned.items():
            near = _has_near(_words([value for _, value in images]), kept, bits)
            for (position, _), twin in zip(images, near, strict=True):
                if twin:
                    dropped.setdefault(position, keeper)
        owned[split] = _words([value for position, value in images if position not in dropped])
    return dropped


def duplicates_to_drop(entries: Sequence[Entry], drop: Collection[str] = ()) -> dict[str, dict[int, str]]:
    """The studies that each rule drops: rule -> position in ``entries`` -> the split that keeps the duplicate.

    Every rule puts test before validate and validate before train: scores stay comparable with those of others, and
    training loses least by one study less. "identical_images" always applies, a rule of ``DROPPABLE`` only if ``drop``
    names it. Each rule sees only the studies that the rules before it kept.
    """
    found: dict[str, dict[int, str]] = {}
    left = list(range(len(entries)))
    for name in ("identical_images", "near_identical_images", "identical_reports"):
        if name != "identical_images" and name.replace("_", "-") not in drop:
            continue
        members = [entries[position] for position in left]
        splits = [entry.split for entry in members]
        if name == "near_identical_images":
            duplicates = near_studies_to_drop(splits, [entry.differences for entry in members])
        elif name == "identical_images":
            duplicates = studies_to_drop(splits, [entry.images for entry in members])
        else:
            duplicates = studies_to_drop(splits, [(entry.report,) for entry in members])
        found[name] = {left[position]: keeper for position, keeper in sorted(duplicates.items())}
        left = [position for position in left if position not in found[name]]
    return found


def report_hash(findings: str, impression: str, section: str) -> bytes:
    """SHA-256 of a report's ``section``, equal for reports that differ only in case and spacing."""
    text = Study("", "", "", (), findings=findings, impression=impression).report(section)
    return hashlib.sha256(one_line(text.lower()).encode()).digest()


def count_near_twins(splits: Sequence[str], difference_hashes: Sequence[bytes], bits: int = NEAR_BITS) -> int:
    """How many images differ from an image of another split in at most ``bits`` bits of their difference hash.

    Args:
        splits: the split of each image.
        difference_hashes: 32 bytes an image.
        bits: Hamming distance up to which two images are near twins.
    """
    hashes = _words(difference_hashes)
    membership = np.array(splits)
    return sum(int(_has_near(hashes[membership == split], hashes[membership != split], bits).sum()) for split in SPLITS)


def _words(hashes: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    """Hashes of 32 bytes each as n x 4 words."""
    return np.frombuffer(b"".join(hashes), np.uint64).reshape(len(hashes), 4)


def _has_near(left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.bool_]:
    """For each hash of ``left`` (n x 4), whether any of ``right`` (m x 4) is within ``bits`` bits."""
    near = np.zeros(len(left), np.bool_)
    # One word alone rules out most pairs; not the first, which is black padding in a wide film.
    screen = np.ascontiguousarray(right[:, SCREENING_WORD])
    for start in range(0, len(left), BLOCK):
        block = left[start : start + BLOCK]
        for first in range(0, len(right), BLOCK_RIGHT):
            differing = np.bitwise_count(block[:, None, SCREENING_WORD] ^ screen[None, first : first + BLOCK_RIGHT])
            rows, columns = np.nonzero(differing <= bits)
            whole = np.bitwise_count(block[rows] ^ right[first + columns]).sum(axis=1)
            near[start + rows[whole <= bits]] = True
    return near
