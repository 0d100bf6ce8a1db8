"""What the generator learns to write: reports without the holes that de-identification left in them."""

from __future__ import annotations

import re

from radscribe.drafting.doubt import unknowable
from radscribe.labels.conditions import POSITIVE, UNCERTAIN
from radscribe.labels.rules import label_sentence
from radscribe.models.decoding.tokenizer import REMOVED
from radscribe.models.knowledge.prompts import report_sentences

_MARK = re.compile(rf"\s*\b{REMOVED}\b", re.IGNORECASE)


def writable(report: str) -> str:
    """``report`` without its sentences that hold the mark of removed words, as no draft may hold it.

    A sentence that states a finding stays, without the mark: the decoder is given its state and must write it. A report
    whose every sentence holds the mark stays too, without the marks.
    """
    if not _MARK.search(report):
        return report
    kept = [
        _MARK.sub("", sentence).strip()
        for sentence in report_sentences(report)
        if not _MARK.search(sentence) or not {POSITIVE, UNCERTAIN}.isdisjoint(label_sentence(sentence))
    ]
    return " ".join(kept) or _MARK.sub("", report).strip()


def knowable(report: str) -> str:
    """``report`` without its sentences that no model of one film can know: of earlier films, sizes, removed words.

    A report of nothing else stays as ``writable`` has it.
    """
    kept = [sentence for sentence in report_sentences(report) if unknowable(sentence) is None]
    return " ".join(kept) or writable(report)
