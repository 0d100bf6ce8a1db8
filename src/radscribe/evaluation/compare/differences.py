"""Explain why the figures of two scorecards differ: the effect of each setting that differs, by scoring again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from radscribe.evaluation.compare.rescoring import (
    PROTOCOL_FIELDS,
    Rescored,
    Rescorer,
    Settings,
    labeler_of,
    settings_of,
    shown,
)
from radscribe.evaluation.scorecard.per_study import content_hash
from radscribe.evaluation.scorecard.saved import SavedScorecard

TOGETHER = "all together"
# Fields of the signature that describe the rows and the model, not the scoring; the version of another package changes
# only its own figures.
NO_SETTINGS = frozenset({"hashes", "model", "fingerprint", "dataset", "part_controls_on", "radeval", "other_metrics"})
SCORED = frozenset({*PROTOCOL_FIELDS, *(field.name for field in fields(Settings))})
SOFTWARE = "software"
UNMEASURED = {
    "split": "a name for the studies, without effect of its own",
    "section": "a name for the references, without effect of its own",
    "bootstrap": "it moves intervals, no figure",
    "averaging": "this version knows one averaging",
}
UNKNOWN = "this version does not know this setting"
# Figures nearer to each other than this are equal but for rounding.
SAME = 1e-9


@dataclass(frozen=True)
class Difference:
    """A setting in which ``system`` differs from the first system, with both values."""

    system: str
    setting: str
    first: str  # the first system's value
    own: str
    changes: Mapping[str, float]  # of each figure of ``system`` under the first's value, all else unchanged
    reason: str = ""  # why ``changes`` lacks figures


def adopted(card: SavedScorecard, first: SavedScorecard, study_ids: Collection[str]) -> Settings:
    """The settings of ``first`` for the reports of ``card``, on studies that both have."""
    settings = settings_of(first, study_ids)
    if settings.references is None and _same_references_by_hash(card, first):
        settings = replace(settings, references=settings_of(card, study_ids).references)
    return settings


def find_differences(
    card: SavedScorecard, first: SavedScorecard, study_ids: Sequence[str], aligned: Rescored, rescore: Rescorer
) -> tuple[list[Difference], list[str]]:
    """In which settings ``card`` differs from ``first``, and notes on what scoring again did not reproduce.

    ``study_ids`` are the common studies; ``aligned`` is ``card`` scored on them by all settings of ``first``. The
    effect of a single setting is measured on these studies too, that of the set of studies by the card's own settings.
    """
    every = card.rows.study_ids
    own, target = settings_of(card, study_ids), adopted(card, first, study_ids)
    published = {name: card.figures[name].value for name in rescore.figures}

    def by(settings: Settings) -> Rescored:
        return aligned if settings == target else rescore(card, study_ids, settings)

    fewer = len(every) > len(study_ids)
    whole = rescore(card, every, settings_of(card, every)) if fewer else by(own)
    before = published | whole.values()
    base = by(own) if fewer else whole
    # On all of its studies, figures that cannot be scored again by the card's own settings are known from the card.
    base_values = base.values() if fewer else before
    found: list[Difference] = []

    def add(setting: str, theirs: str, ours: str, after: Rescored, start: Mapping[str, float]) -> None:
        changes = _changes(start, after.values(), rescore.figures)
        reason = after.reason() or ("" if len(changes) == len(rescore.figures) else base.reason() or _missing(after))
        found.append(Difference(card.name, setting, theirs, ours, changes, reason))

    if fewer or set(every) != set(first.rows.study_ids):
        add("study set", f"{len(first.rows.study_ids)}, {len(study_ids)} in all", f"{len(every)}", base, before)
    for setting, theirs, ours in _scored_settings(card, first, own, target):
        after = by(replace(own, **{setting: getattr(target, setting)}))
        add(setting.replace("_", " "), theirs, ours, after, base_values)
    if found:
        add(TOGETHER, "", "", aligned, before)
    notes = [_note_on(setting, card, first, whole, published) for setting in _other_settings(card, first)]
    return found + notes, _not_reproduced(card, whole, published)


def _scored_settings(
    card: SavedScorecard, first: SavedScorecard, own: Settings, target: Settings
) -> list[tuple[str, str, str]]:
    """Settings that scoring again can change and that differ, with both values as they are shown."""
    differing = []

    def add(name: str, show: Callable[[Settings], str]) -> None:
        if getattr(own, name) != getattr(target, name):
            differing.append((name, show(target), show(own)))

    parts = [name for name in PROTOCOL_FIELDS if own.protocol[name] != target.protocol[name]]
    add("protocol", lambda settings: _of_parts("protocol", {name: settings.protocol[name] for name in parts}))
    add("uncertain", lambda settings: settings.uncertain)
    add("vocabulary", lambda settings: shown(settings.vocabulary))
    add("labeler", lambda settings: _of_parts("labeler", settings.labeler))
    # Where rows hold no texts, the hashes show whether the references are the same.
    if own.references != target.references or (own.references is None and not _same_references_by_hash(card, first)):
        differing.append(("references", shown(_hash_of_references(first)), shown(_hash_of_references(card))))
    add("reference_labels", _labels_shown)
    return differing


def _other_settings(card: SavedScorecard, first: SavedScorecard) -> list[str]:
    """Fields of the signatures that differ and that scoring again does not change."""
    names = [name for name in {**first.signature, **card.signature} if name not in SCORED | NO_SETTINGS]
    labelers = labeler_of(first.signature) | labeler_of(card.signature)
    return [name for name in names if name not in labelers and first.signature.get(name) != card.signature.get(name)]


def _note_on(
    setting: str, card: SavedScorecard, first: SavedScorecard, whole: Rescored, published: Mapping[str, float]
) -> Difference:
    theirs, ours = (_differing_parts(setting, saved, (first, card)) for saved in (first, card))
    changes, reason = {}, UNMEASURED.get(setting, UNKNOWN)
    if setting == SOFTWARE:
        reason = whole.reason()
        if whole.card is not None and whole.card.signature[SOFTWARE] == first.signature.get(SOFTWARE):
            changes = _changes(published, whole.values(), published)
        elif whole.card is not None:
            reason = f"scoring again runs on {_of_parts(SOFTWARE, whole.card.signature[SOFTWARE])}"
    return Difference(card.name, setting, theirs, ours, changes, reason)


def _differing_parts(setting: str, saved: SavedScorecard, pair: Sequence[SavedScorecard]) -> str:
    """The value of a setting; of a setting with parts, only the parts that differ."""
    values: list[Any] = [one.signature.get(setting) for one in pair]
    value = saved.signature.get(setting)
    if not isinstance(value, Mapping) or not all(isinstance(one, Mapping) for one in values):
        return shown(value)
    return _of_parts(
        setting, {name: part for name, part in value.items() if values[0].get(name) != values[1].get(name)}
    )


def _of_parts(setting: str, parts: Mapping[str, Any]) -> str:
    """Parts of a setting with their names, except the part with the name of the setting itself."""
    return "; ".join(shown(part) if name == setting else f"{name} {shown(part)}" for name, part in parts.items())


def _not_reproduced(card: SavedScorecard, whole: Rescored, published: Mapping[str, float]) -> list[str]:
    changes = _changes(published, whole.values(), published)
    found = [
        f"{name} {published[name]:.4f} became {published[name] + by:.4f}"
        for name, by in changes.items()
        if abs(by) > SAME
    ]
    if not found:
        return []
    changed = ", ".join(found)
    return [f"{card.name}: scored again by its own settings its figures change ({changed}): the software is another"]


def _same_references_by_hash(card: SavedScorecard, first: SavedScorecard) -> bool:
    known = _hash_of_references(first)
    return known is not None and known == _hash_of_references(card)


def _hash_of_references(card: SavedScorecard) -> str | None:
    found = card.signature.get("hashes", {}).get("references")
    return None if found is None else str(found)


def _labels_shown(settings: Settings) -> str:
    labels = settings.reference_labels
    return "labeler" if labels is None else f"true labels {shown(content_hash(labels))}"


def _changes(before: Mapping[str, float], after: Mapping[str, float], figures: Collection[str]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in figures if name in before and name in after}


def _missing(after: Rescored) -> str:
    missing = {} if after.card is None else after.card.missing
    return "; ".join(f"{name} {reason}" for name, reason in missing.items())
