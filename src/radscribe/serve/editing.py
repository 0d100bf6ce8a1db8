"""Readers' changes of a draft: merging them, and the final text that they leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from radscribe.core.errors import RadscribeError
from radscribe.serve.messages import DraftChange, Edits, SentenceEdit


class WrongEdit(RadscribeError):
    """A change that does not fit the draft."""


def changed(edits: Edits, change: DraftChange, draft: Mapping[str, Any]) -> Edits:
    """``edits`` of ``draft`` (a line of ``radscribe generate``) after ``change``.

    Raises ``WrongEdit`` for a sentence that the draft does not have, and for words where none or some are needed.
    """
    count = len(draft["sentences"])
    decided = {edit.index: edit for edit in edits.sentences}
    for edit in change.sentences:
        if edit.index >= count:
            raise WrongEdit(f"the draft has no sentence {edit.index}: it has {count}")
        if (edit.text is not None) != (edit.action == "edited"):
            raise WrongEdit(f"sentence {edit.index}: give its new text with the action edited, and with no other")
        if edit.action == "open":
            decided.pop(edit.index, None)
        else:
            decided[edit.index] = edit
    added = edits.added if change.added is None else change.added
    for sentence in added:
        if sentence.after is not None and sentence.after >= count:
            raise WrongEdit(f"the draft has no sentence {sentence.after} for another to follow")
    return Edits(
        sentences=[decided[index] for index in sorted(decided)],
        added=added,
        seconds=round(edits.seconds + (change.seconds or 0), 3),
    )


def final_text(edits: Edits, draft: Mapping[str, Any]) -> str:
    """The words of a report that every sentence was decided for.

    Raises ``WrongEdit`` for a sentence that is still open, and where no words are left.
    """
    decided = {edit.index: edit for edit in edits.sentences}
    words = [sentence.text for sentence in edits.added if sentence.after == -1]
    for index, sentence in enumerate(draft["sentences"]):
        if index not in decided:
            raise WrongEdit(f"sentence {index} is still open: accept, edit or reject it before the draft is final")
        words += _kept(decided[index], sentence["text"])
        words += [each.text for each in edits.added if each.after == index]
    words += [sentence.text for sentence in edits.added if sentence.after is None]
    if not words:
        raise WrongEdit("no sentence is left: accept or write one before the draft is final")
    return " ".join(words)


def _kept(edit: SentenceEdit, drafted: str) -> list[str]:
    if edit.action == "rejected":
        return []
    return [drafted if edit.text is None else edit.text]


def decisions(edits: Edits, draft: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each condition that a sentence of the draft states, with what was decided on the sentence."""
    for edit in edits.sentences:
        for condition in draft["sentences"][edit.index]["conditions"]:
            yield condition, edit.action


def summary(change: DraftChange) -> dict[str, Any]:
    """``change`` for the audit log, without any words."""
    counts: dict[str, Any] = {}
    for edit in change.sentences:
        counts[edit.action] = counts.get(edit.action, 0) + 1
    if change.added is not None:
        counts["added"] = len(change.added)
    return counts
