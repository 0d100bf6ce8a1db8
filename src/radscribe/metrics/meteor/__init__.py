"""Compute METEOR 1.5 for English without Java, equal to the jar as pycocoevalcap runs it, from that package's data.

Source: M. Denkowski and A. Lavie, "Meteor Universal: Language Specific Translation Evaluation for Any Target
Language", WMT 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from radscribe.core.errors import WrongUse
from radscribe.metrics.meteor.counts import count
from radscribe.metrics.meteor.lexicon import read_lexicon
from radscribe.metrics.meteor.normalize import words_of
from radscribe.metrics.meteor.resources import read_word_lists, resource_folder
from radscribe.metrics.meteor.score import STATISTICS, corpus_score
from radscribe.metrics.meteor.search import TextTooLong
from radscribe.metrics.significance import Floats

__all__ = ["STATISTICS", "MeteorScores", "TextTooLong", "corpus_score", "meteor"]

# Words of one side times words of the other, the cost of aligning a pair. Reports have about ten thousand.
LARGEST_PAIR = 2**20


@dataclass(frozen=True)
class MeteorScores:
    """METEOR of ``N`` studies."""

    per_study: Floats  # N
    statistics: Floats  # N x 23, the ``STATISTICS`` behind it, whose sums ``corpus_score`` takes

    @property
    def corpus(self) -> float:
        """METEOR of all studies together, which is not the mean over studies."""
        return float(corpus_score(self.statistics.sum(axis=0)))


def meteor(hypotheses: Sequence[str], references: Sequence[str]) -> MeteorScores | None:
    """METEOR 1.5 of ``N`` hypotheses against one reference each, or None where pycocoevalcap is not installed.

    Texts are given raw, since METEOR has its own rules for words. Each call reads the package's data, which takes
    seconds. The separator of the jar's protocol, ``|||``, is removed from texts.

    Raises:
        WrongUse: there are not as many hypotheses as references.
        RadscribeError: the installed package lacks METEOR's data.
        TextTooLong: a pair has more words than can be aligned.
    """
    if len(hypotheses) != len(references):
        raise WrongUse(f"{len(hypotheses)} hypotheses for {len(references)} references; give one for each study")
    folder = resource_folder()
    if folder is None:
        return None
    lists = read_word_lists(folder)
    lines = [
        # pycocoevalcap removes double blanks from the hypothesis only, which can separate quotation marks differently.
        (hypothesis.replace("|||", "").replace("  ", " "), reference.replace("|||", ""))
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    words = {line: words_of(line, lists.abbreviations) for line in set(chain(*lines))}
    pairs = [(words[hypothesis], words[reference]) for hypothesis, reference in lines]
    for said, true in pairs:
        if len(said) * len(true) > LARGEST_PAIR:
            raise TextTooLong(f"a pair of texts has {len(said):,} and {len(true):,} words, too many to be aligned")
    statistics = count(pairs, read_lexicon(folder, lists, set(words.values())))
    return MeteorScores(corpus_score(statistics), statistics)
