"""Pairs each image with a report that states the same conditions."""

from __future__ import annotations

import random
from collections.abc import Sequence, Set
from dataclasses import dataclass

Conditions = frozenset[int]


@dataclass(frozen=True)
class Pair:
    """The report chosen for an image."""

    report: int  # its position
    distance: int  # Hamming distance between the conditions of image and report
    widened: bool = False  # whether the pool of nearest reports had to be widened to reach it


def pair(
    images: Sequence[Conditions],
    reports: Sequence[Conditions],
    decisive: Set[int],
    minimum_pool: int,
    seed: int,
) -> list[Pair]:
    """Choose a report for each image by its positive conditions.

    Only reports that agree with the image on whether any ``decisive`` condition is present are eligible. Of
    those the nearest by Hamming distance form the pool; a pool of fewer than ``minimum_pool`` reports is widened
    by one step of distance. In an order drawn with ``seed``, each image takes the least used report of its pool.
    The pairs are in the order of ``images``.

    Raises:
        ValueError: when no report is eligible for an image.
    """
    generator = random.Random(seed)
    order = generator.sample(range(len(images)), len(images))
    rank = generator.sample(range(len(reports)), len(reports))
    pools: dict[Conditions, list[int]] = {}
    used = [0] * len(reports)
    chosen: dict[int, Pair] = {}
    for image in order:
        wanted = images[image]
        if wanted not in pools:
            pools[wanted] = _pool(wanted, reports, decisive, minimum_pool)
        report = min(pools[wanted], key=lambda position: (used[position], rank[position]))
        used[report] += 1
        distance = len(wanted ^ reports[report])
        nearest = min(len(wanted ^ reports[position]) for position in pools[wanted])
        chosen[image] = Pair(report, distance, widened=distance > nearest)
    return [chosen[image] for image in range(len(images))]


def _pool(wanted: Conditions, reports: Sequence[Conditions], decisive: Set[int], minimum: int) -> list[int]:
    distances = {
        position: len(wanted ^ stated)
        for position, stated in enumerate(reports)
        if bool(wanted & decisive) == bool(stated & decisive)
    }
    if not distances:
        raise ValueError("no report agrees with the image")
    nearest = min(distances.values())
    pool = [position for position, distance in distances.items() if distance == nearest]
    if len(pool) < minimum:
        pool = [position for position, distance in distances.items() if distance <= nearest + 1]
    return pool
