"""What every document states beside the sentences: the notice, the model, what is in doubt and what is left out."""

from __future__ import annotations

from radscribe.clinic.case import Case
from radscribe.core.records import Draft
from radscribe.core.version import __version__
from radscribe.drafting.text import not_assessed

HEDGED = "Too doubtful to be stated without the word “possible”."
ABSENT_MAP = "No place of the film is shown as evidence."


def model_line(draft: Draft) -> str:
    """The model's name and fingerprint, and the program, in one line."""
    return f"Model {draft.model['name']}, fingerprint {draft.model['fingerprint']}, radscribe {__version__}."


def origin_line(case: Case) -> str:
    """Who wrote the draft and who read it, in one line."""
    if case.reader is None:
        return "Drafted by software, verified by nobody."
    return f"Drafted by software; {case.reader} accepted, edited or rejected every sentence. Not signed."


def remarks(case: Case) -> list[str]:
    """The notice, origin and model first, then abstention, warnings, withheld sentences and what is not assessed."""
    draft = case.draft
    lines = [draft.notice, origin_line(case), model_line(draft)]
    if draft.abstain:
        lines += [f"No draft: {reason}" for reason in draft.reasons or ("the model abstains.",)]
    lines += [f"Warning: {warning}" for warning in draft.warnings]
    lines += [f"Withheld: “{each.text}” {each.reason}" for each in draft.withheld]
    if unknown := not_assessed(draft):
        lines.append(f"Not assessed: {', '.join(unknown)}.")
    return lines
