"""Which model may draft the studies of a list: the one that did last, or another that has shown enough."""

from __future__ import annotations

from radscribe.drafting.acceptance import Acceptance
from radscribe.drafting.reporter import Reporter
from radscribe.drafting.succession import SHORT, change_of_model, missed
from radscribe.pacs.state import WorkState


def admit(state: WorkState, reporter: Reporter, acceptance: Acceptance, override: str | None = None) -> str:
    """Note in the list which model drafts from now on, where it is not the one of before (``change_of_model``).

    Returns a line on it, "" where there is nothing to say. Raises ``RadscribeError`` for a model that is not accepted;
    the list is then as it was.
    """
    change = change_of_model(reporter, state.last_model(), acceptance, override, "the list of studies")
    if change is None:
        return ""
    state.note_model(reporter.fingerprint, change)
    if change["by"] == "first":
        return ""
    why = "its scores keep the limits"
    if change["by"] == "override":
        why = f"{missed(change['misses'])}; accepted for the reason: {override}"
    return f"the model {reporter.fingerprint[:SHORT]} drafts from now on, not {change['before'][:SHORT]}: {why}"
