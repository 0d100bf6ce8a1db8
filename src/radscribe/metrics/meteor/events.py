"""Where the search for the best alignment has something to decide, and what is decided before it starts.

A match whose words no other match touches is settled: every alignment takes it. Words of the reference without any
match leave no choice either. So the search goes from event to event, which are the places where alignments of a pair
can part, or where some of them close a chunk that others do not: the words with options, and the words that follow an
option. Between two events all alignments of a pair gain and lose the same.
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
    """The ``M`` matches that are not settled, by event, and a last row of zeros.

    ``bits`` (``planes x (M + 1)``) are the words of the hypothesis they use; ``row`` is their row among all matches;
    ``words`` is how many words they count in the ranking; ``start`` and ``end`` are places in the hypothesis, and
    ``until`` is where they end in the references.
    """

    bits: NDArray[np.uint64]
    row: Integers
    words: Integers
    distance: Integers
    start: Integers
    end: Integers
    until: Integers


@dataclass(frozen=True)
class Events:
    """The ``E`` events by place; places run on through the references of all pairs.

    ``first`` and ``stop`` bound the options; ``joins`` is the word of the hypothesis where a settled match starts
    here; ``arrives`` and ``leaves`` are where a settled match ends that stops just before this and the next event.
    """

    pair: Integers
    place: Integers
    first: Integers
    stop: Integers
    joins: Integers
    arrives: Integers
    leaves: Integers


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
