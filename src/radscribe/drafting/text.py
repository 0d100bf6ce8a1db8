"""A draft as one reads it: the report with its probabilities, what is in doubt, and what was not looked at."""

from __future__ import annotations

import textwrap

from radscribe.core.records import NOT_ASSESSED, Draft, DraftSentence

WIDTH = 100
# The states in plain words.
SAID = {"positive": "present", "negative": "absent", "uncertain": "possible"}


def draft_text(draft: Draft, picture: str | None = None) -> str:
    """The lines of ``draft`` for a terminal; ``picture`` is where its picture lies."""
    lines = [draft.study_id]
    if draft.abstain:
        lines += _listed("No draft.", draft.reasons)
    for sentence in draft.sentences:
        lines += _wrapped(sentence.text, "  ")
        if stated := statements(sentence):
            lines += _wrapped(stated, "      ")
    if draft.withheld:
        lines += _listed("Withheld:", [f"“{each.text}” {each.reason}" for each in draft.withheld])
    if unknown := not_assessed(draft):
        lines += _wrapped(f"Not assessed: {', '.join(unknown)}.", "  ")
    lines += [f"  Warning: {warning}" for warning in draft.warnings]
    if picture:
        lines.append(f"  Picture: {picture}")
    return "\n".join([*lines, f"  {draft.notice}", ""])


def statements(sentence: DraftSentence) -> str:
    """What a sentence states of each condition, with its probability where that is known."""
    said = []
    for name, state in sentence.conditions.items():
        likely = sentence.probabilities.get(name)
        said.append(f"{name} {SAID.get(state, state)}" + ("" if likely is None else f" {likely:.2f}"))
    return ", ".join(said)


def not_assessed(draft: Draft) -> list[str]:
    """The conditions that the model cannot tell."""
    return [finding.condition for finding in draft.findings if finding.state == NOT_ASSESSED]


def _listed(title: str, items: list[str] | tuple[str, ...]) -> list[str]:
    return [f"  {title}", *(line for item in items for line in _wrapped(item, "    - "))]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent))
