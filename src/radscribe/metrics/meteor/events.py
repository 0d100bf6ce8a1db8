"""Find the places where the search for the best alignment has a choice, and the matches that are fixed before it.

A match whose words no other match touches is settled: every alignment has it. Words of the reference without any match
leave no choice either. The search therefore goes from event to event, the places where alignments of a pair can
diverge, or where some of them close a chunk that others do not: the words with options, and the words that follow an
option. Between two events all alignments of a pair change by the same rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.metrics.meteor.lexicon import EXACT
from radscribe.metrics.meteor.matches import Integers, Matches

WORD_BITS = 64
NOWHERE = -1  # where no settled match starts or ends
NOTHING = -1  # the option to take no match; as an index it is the last row of the options, which is all zero


@dataclass(frozen=True)
class Options:
    """The ``M`` matches that are not settled, by event, and a last row of zeros."""

    bits: NDArray[np.uint64]  # planes x (M + 1), the words of the hypothesis that they use
    row: Integers  # their row among all matches
    words: Integers  # the words that they count in the ranking
    distance: Integers
    start: Integers  # place in the hypothesis
    end: Integers  # place in the hypothesis
    until: Integers  # where they end in the references


@dataclass(frozen=True)
class Events:
    """The ``E`` events by place; places count on through the references of all pairs."""

    pair: Integers
    place: Integers
    first: Integers  # the first of the event's options
    stop: Integers  # behind the last of its options
    joins: Integers  # the word of the hypothesis where a settled match starts here
    arrives: Integers  # the end in the hypothesis of a settled match that stops just before this event
    leaves: Integers  # the same for the next event


def find_events(matches: Matches) -> tuple[NDArray[np.bool_], Options, Events]:
    """Which of the ``M`` matches are settled, the options that the others are, and the events they make."""
    offsets = np.concatenate([[0], np.cumsum(matches.reference_words)])
    start = offsets[matches.pair] + matches.reference_start
    end = start + matches.reference_length
    origin = (np.cumsum(matches.hypothesis_words) - matches.hypothesis_words)[matches.pair] + matches.hypothesis_start
    settled = np.bincount(start, minlength=1)[start] == 1
    settled &= _alone(start, end) & _alone(origin, origin + matches.hypothesis_length)

    open_rows = np.flatnonzero(~settled)
    within = end[open_rows] < offsets[matches.pair[open_rows] + 1]
    place = np.unique(np.concatenate([start[open_rows], end[open_rows][within]]))
    pair = np.searchsorted(offsets, place, side="right") - 1
    following = np.append(place[1:], 0)
    following = np.where(np.append(pair[1:], -1) == pair, following, offsets[pair + 1])
    starts, ends = np.full((2, offsets[-1] + 1), NOWHERE)
    starts[start[settled]] = matches.hypothesis_start[settled]
    ends[end[settled]] = (matches.hypothesis_start + matches.hypothesis_length)[settled]
    events = Events(
        pair=pair,
        place=place,
        first=np.searchsorted(start[open_rows], place, side="left"),
        stop=np.searchsorted(start[open_rows], place, side="right"),
        joins=starts[place],
        arrives=np.where(place > offsets[pair], ends[place], NOWHERE),
        leaves=ends[following],
    )
    return settled, _options(matches, open_rows, end), events


def _options(matches: Matches, rows: Integers, end: Integers) -> Options:
    start, length = matches.hypothesis_start[rows], matches.hypothesis_length[rows]
    bits = np.zeros((1 + int((start + length).max(initial=0)) // WORD_BITS, len(rows) + 1), dtype=np.uint64)
    for step in range(length.max(initial=0)):
        column = np.flatnonzero(length > step)
        plane, bit = np.divmod(start[column] + step, WORD_BITS)
        bits[plane, column] |= np.uint64(1) << bit.astype(np.uint64)
    parts = np.where(matches.matcher[rows] == EXACT, 1, 2)
    words = length // parts + matches.reference_length[rows] // parts
    distance = np.abs(matches.reference_start[rows] - start)
    table = np.stack([rows, words, distance, start, start + length, end[rows]])
    return Options(bits, *np.pad(table, ((0, 0), (0, 1))))


def _alone(start: Integers, stop: Integers) -> NDArray[np.bool_]:
    """Whether the span from ``start`` to ``stop`` (both ``M``) shares no place with another one."""
    size = int(stop.max(initial=0)) + 1
    cover = np.cumsum(np.bincount(start, minlength=size) - np.bincount(stop, minlength=size))
    shared = np.concatenate([[0], np.cumsum(cover > 1)])
    return np.asarray(shared[stop] == shared[start])
