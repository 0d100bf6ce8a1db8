"""Choose the alignments of METEOR 1.5 by its beam search over the words of the references, many pairs at a time.

Source: Denkowski & Lavie (2014). From left to right, each word of a reference takes one of its matches or none, and
the 40 best partial alignments are kept. Best is most matched words, then fewest chunks, then shortest distance, then
found first. Equal scores need the same 40, so two properties of the original are kept: in the ranking a match that is
not exact counts half, rounded down to whole words, so that a single word does not count; and an alternative is charged
the distances of those tried before it in place of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import RadscribeError
from radscribe.metrics.meteor.events import NOTHING, NOWHERE, Events, Options, find_events
from radscribe.metrics.meteor.matches import Integers, Matches

BEAM = 40
# Events with similar numbers of options are processed together; the spare columns of a width are never chosen.
WIDTHS = np.append(0, 2 ** np.arange(31))
# Options of all alignments at once, so that intermediate results stay in the processor's cache.
TOGETHER = 2**11


class TextTooLong(RadscribeError):
    """A pair of texts has more words than can be aligned."""


@dataclass(frozen=True)
class Weights:
    """The weights of a rank, which is smaller for better alignments."""

    word: int  # of one matched word
    chunk: int  # of one chunk
    dead: int  # ranks from here on belong to no alignment


@dataclass(frozen=True)
class Beam:
    """The partial alignments of ``P`` pairs, ``P x 40``, best first."""

    rank: Integers
    last: Integers  # where the last match ends in the hypothesis; ``NOWHERE`` when no chunk is open
    until: Integers  # the place in the references up to which the alignment is made
    used: NDArray[np.uint64]  # planes x P x 40, the words of the hypothesis that are taken


def choose(matches: Matches) -> NDArray[np.bool_]:
    """Which of the ``M`` matches make up the best alignments of their pairs.

    Raises ``TextTooLong`` where texts are so long that a rank does not fit into 64 bits.
    """
    chosen, options, events = find_events(matches)
    pairs, first = np.unique(events.pair, return_index=True)
    stop = np.append(first[1:], len(events.pair))
    weights = _weights(matches, options, events)
    beam = Beam(
        rank=np.full((len(pairs), BEAM), weights.dead),
        last=np.repeat(events.arrives[first][:, None], BEAM, axis=1),
        until=np.zeros((len(pairs), BEAM), dtype=np.int64),
        used=np.zeros((len(options.bits), len(pairs), BEAM), dtype=np.uint64),
    )
    beam.rank[:, 0] = 0
    parents = np.zeros((len(events.pair), BEAM), dtype=np.int8)
    choices = np.zeros((len(events.pair), BEAM), dtype=np.int32)

    width = np.searchsorted(WIDTHS, events.stop - events.first)
    now = first.copy()
    while len(waiting := np.flatnonzero(now < stop)):
        widths = width[now[waiting]]
        common = np.bincount(widths).argmax()
        columns = int(WIDTHS[common])
        rows = waiting[widths == common][: 1 + TOGETHER // (columns + 1)]
        event = now[rows]
        parents[event], choices[event] = _advance(beam, rows, event, columns, options, events, weights)
        now[rows] += 1

    best = np.argmin(beam.rank + weights.chunk * (beam.last != NOWHERE), axis=1)
    while len(rows := np.flatnonzero(now > first)):
        now[rows] -= 1
        event = now[rows]
        choice = choices[event, best[rows]]
        chosen[options.row[choice[choice != NOTHING]]] = True
        best[rows] = parents[event, best[rows]]
    return chosen


def _weights(matches: Matches, options: Options, events: Events) -> Weights:
    """Weights so large that no number of chunks outweighs a word and no distance outweighs a chunk."""
    pair = matches.pair[options.row[:-1]]
    farthest = int(np.bincount(pair, options.distance[:-1]).max(initial=0))
    chunk = 1 << farthest.bit_length()
    word = chunk << int(np.bincount(events.pair).max(initial=0) + 2).bit_length()
    dead = word << int((matches.hypothesis_words + matches.reference_words).max(initial=0) + 2).bit_length()
    most = int((events.stop - events.first).max(initial=0))
    if (4 * dead).bit_length() + (BEAM * (2 * most + 1)).bit_length() > 63:
        raise TextTooLong("a text is too long for METEOR's search: score its sections apart")
    return Weights(word, chunk, dead)


def _advance(
    beam: Beam, rows: Integers, event: Integers, width: int, options: Options, events: Events, weights: Weights
) -> tuple[Integers, Integers]:
    """Take the pairs ``rows`` (``R``) past one event each: which alignment came from which, by which option.

    Returns two arrays of ``R x 40`` and changes ``beam``. An event has at most ``width`` options.
    """
    rank, last, until, used = beam.rank[rows], beam.last[rows], beam.until[rows], beam.used[:, rows]
    option = events.first[event][:, None] + np.arange(width + 1)
    option = np.where(option < events.stop[event][:, None], option, NOTHING)
    each = option[:, :-1, None]
    inside = until > events.place[event][:, None]
    opened = last != NOWHERE

    # Axes from here on: pair, option, alignment.
    blocked = inside[:, None] | (each == NOTHING)
    for plane, bits in zip(used, options.bits, strict=True):
        blocked |= (plane[:, None] & bits[each]) != 0
    distance = np.where(blocked, 0, options.distance[each])
    charged = distance.cumsum(axis=1)
    apart = opened[:, None] & (last[:, None] != options.start[each])
    taken = charged - distance + weights.chunk * apart - weights.word * options.words[each] + rank[:, None]
    closes = opened & (last != events.joins[event][:, None])
    passed = rank + np.where(inside, 0, distance.sum(axis=1) + weights.chunk * closes)
    ranks = np.concatenate([np.where(blocked, weights.dead, taken), passed[:, None]], axis=1)

    # The order of finding in the low bits breaks ties, and identifies the entry afterwards.
    found = np.arange(width + 1)[:, None] + np.arange(BEAM) * (width + 1)
    low = found.size.bit_length()
    best = np.sort(((ranks << low) + found).reshape(len(rows), -1), axis=1)[:, :BEAM]
    parent, column = np.divmod(best & ((1 << low) - 1), width + 1)
    choice = np.take_along_axis(option, column, axis=1)

    beam.rank[rows] = best >> low
    goes_on = np.where(inside, last, events.leaves[event][:, None])
    beam.last[rows] = np.where(choice == NOTHING, np.take_along_axis(goes_on, parent, axis=1), options.end[choice])
    beam.until[rows] = np.where(choice == NOTHING, np.take_along_axis(until, parent, axis=1), options.until[choice])
    beam.used[:, rows] = np.take_along_axis(used, parent[None], axis=2) | options.bits[:, choice]
    return parent, choice
