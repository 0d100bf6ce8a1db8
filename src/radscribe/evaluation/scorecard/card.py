"""The scorecard of a system: its reports against references, each figure with its interval, beside its controls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from radscribe.core.errors import WrongUse
from radscribe.core.files import all_replaced, saving
from radscribe.core.report_text import one_line
from radscribe.core.version import __version__
from radscribe.evaluation.scorecard.breakdown import FrequencyBand, SeverityBand, StudyGroup, by_normality
from radscribe.evaluation.scorecard.cautions import flags_of, not_read, warnings_of
from radscribe.evaluation.scorecard.per_study import PerStudy, States, rows_path
from radscribe.evaluation.scorecard.signature import TRUE_LABELS, signature_of
from radscribe.labels.conditions import CHEXBERT_COUNT
from radscribe.labels.labeler import Labeler, RuleLabeler
from radscribe.metrics.clinical import Clinical, Uncertain, compare_micro_f1, score_states
from radscribe.metrics.nlg import METRICS, LanguageScores, score_language
from radscribe.metrics.protocols import Protocol, known_words, protocol_named, read_by
from radscribe.metrics.sanity import share_with_prior
from radscribe.metrics.significance import Figure, PairedTest, Resampling

FORMAT = "radscribe-scorecard/1"
SHUFFLED_IMAGES = "shuffled_images"
IDS_IN_MESSAGE = 10
# Fields that the JSON file leaves out where they are empty.
OPTIONAL = (
    "severity", "frequency", "areas", "agreement", "agreement_without_old_changes", "agreement_shuffled",
    "source_transfer", "radeval", "notice", "other_metrics", "whole_set",
)  # fmt: skip


@dataclass(frozen=True)
class Control:
    """The figures of a baseline, or of the system without the right film, on the same studies."""

    nlg: Mapping[str, Figure | None]  # a control that predicts conditions alone has None
    clinical: Clinical
    micro_f1_drop: PairedTest  # the system's micro-F1 minus the control's


@dataclass(frozen=True)
class Scorecard:
    """All figures of one system on one set of studies."""

    nlg: Mapping[str, Figure | None]  # language figures by name, None where ``missing`` has the reason
    missing: Mapping[str, str]
    clinical: Clinical
    distinct_reports: float  # distinct hypotheses / hypotheses
    commonest_report: float  # share of hypotheses that are the commonest one
    empty_hypotheses: int
    # Shares of hypotheses and references that mention an earlier film; a system that is given one film alone can only
    # invent it.
    prior_references: Mapping[str, float]
    studies: int
    signature: Mapping[str, Any]
    per_study: PerStudy
    # In how many hypotheses and references nothing was understood; empty ones are counted above.
    not_read: Mapping[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()  # why an interval, or a kind of figures, is not to be trusted
    controls: Mapping[str, Control] = field(default_factory=dict)
    # Studies without a finding and with one, each apart.
    normality: Mapping[str, StudyGroup] = field(default_factory=dict)
    # Where the dataset has them: severities of the findings, training labels, labels of the images themselves.
    severity: Mapping[str, SeverityBand] = field(default_factory=dict)
    frequency: Mapping[str, FrequencyBand] = field(default_factory=dict)
    # Where the system gives them, ROC areas of its conditions' probabilities, and their mean.
    areas: Mapping[str, Figure] = field(default_factory=dict)
    agreement: Mapping[str, Figure | None] = field(default_factory=dict)
    # The same without the reports' sentences on scars and other old changes, which the labeler counts as opacity.
    agreement_without_old_changes: Mapping[str, Figure | None] = field(default_factory=dict)
    # The same of the reports drafted from another patient's film of the same source.
    agreement_shuffled: Mapping[str, Figure | None] = field(default_factory=dict)
    # ROC areas for pneumonia by image source: of a regression fitted on its own training films, and on the others'.
    source_transfer: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    radeval: Mapping[str, Figure] = field(default_factory=dict)  # figures of the RadEval package
    other_metrics: Mapping[str, Figure] = field(default_factory=dict)  # figures of further packages
    # Of these packages, figures of all studies together that come without interval.
    whole_set: Mapping[str, float] = field(default_factory=dict)
    notice: str | None = None

    def with_control(self, name: str, control: Scorecard) -> Scorecard:
        """This scorecard with another one of the same studies as its control ``name``.

        With the control ``shuffled_images`` it gets a flag where it is no better than that control. Raises
        ``WrongUse`` for a control of other studies.
        """
        card = self._with(name, control.nlg, control.per_study)
        if name == SHUFFLED_IMAGES:
            card = replace(card, flags=(*card.flags, *flag_if_no_better_than_shuffled(self, control)))
        return card

    def with_predictions(self, name: str, positive: NDArray[np.bool_]) -> Scorecard:
        """This scorecard with a control that predicts conditions (``N x 14``, rows as ``study_ids``), not reports."""
        states = np.asarray(positive, dtype=bool).astype(np.int64)
        return self._with(name, dict.fromkeys(self.nlg), replace(self.per_study, hypothesis_states=states))

    def _with(self, name: str, nlg: Mapping[str, Figure | None], rows: PerStudy) -> Scorecard:
        clinical = score_states(rows.hypothesis_states, rows.reference_states, rows.resampling, rows.uncertain)
        control = Control(nlg, clinical, _micro_f1_drop(self.per_study, rows))
        return replace(self, controls={**self.controls, name: control})

    def to_dict(self) -> dict[str, Any]:
        """The content of ``scorecard.json``, which holds no text of a report."""
        fields = asdict(self)
        del fields["per_study"]  # its rows are the parquet file
        for optional in OPTIONAL:
            if not fields[optional]:
                del fields[optional]
        return {"format": FORMAT, "radscribe_version": __version__, **fields}

    def to_json(self, more: Mapping[str, Any] | None = None) -> str:
        """The text of ``scorecard.json``; with ``more`` fields behind its own, in ASCII.

        Raises ``ValueError`` for a figure that is not a finite number.
        """
        content = {**self.to_dict(), **(more or {})}
        return json.dumps(content, indent=2, ensure_ascii=more is not None, allow_nan=False) + "\n"

    def save(self, path: str | Path, more: Mapping[str, Any] | None = None) -> Path:
        """Write ``scorecard.json`` into a folder (or to a ``.json`` file), and its rows beside it (see ``rows_path``).

        The rows hold both reports of each study, the JSON none; ``more`` are further fields of the JSON. Both files
        are written whole or not at all. Returns the path of the JSON file; raises ``RadscribeError`` where the disk
        refuses.
        """
        target = Path(path)
        if target.suffix != ".json":
            target = target / "scorecard.json"
        text = self.to_json(more)
        with saving(target), all_replaced(rows_path(target), target) as (rows, card):
            pq.write_table(self.per_study.table(), rows)
            card.write_text(text, encoding="utf-8")
        return target


def score(
    hypotheses: Mapping[str, str],
    references: Mapping[str, str],
    protocol: str = "full",
    true_labels: Mapping[str, Sequence[int]] | None = None,
    patients: Mapping[str, str] | None = None,
    *,
    metrics: Collection[str] = METRICS,
    labeler: Labeler | None = None,
    uncertain: Uncertain = "negative",
    vocabulary: Collection[str] | None = None,
    split: str | None = None,
    section: str | None = None,
    notice: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Scorecard:
    """Score drafted reports against reference reports, both by study id.

    Args:
        protocol: how reports are cleaned and cut, a name in ``metrics.protocols``.
        true_labels: 14 or 18 states a study, in place of the labels read from the references. These and ``patients``
            may cover more studies than are scored.
        patients: patient by study; the bootstrap then draws patients instead of studies.
        metrics: which language figures to compute; the others are None.
        labeler: reads the conditions of reports; by default the rules.
        uncertain: what an uncertain statement counts as.
        vocabulary: every other word of a reference becomes ``<unk>``, as models of the R2Gen line do.
        split, section, notice: recorded in the scorecard.

    Raises:
        WrongUse: an unknown protocol, or ids that do not match.
    """
    rules, labeler = protocol_named(protocol), labeler or RuleLabeler()
    ids = _matched_ids(hypotheses, references)
    resampling = Resampling(_clusters(ids, patients), resamples, seed)
    written, expected = ([reports[study_id] for study_id in ids] for reports in (hypotheses, references))
    said, true = read_by(rules, written, expected)
    if vocabulary is not None:
        true = [known_words(text, vocabulary) for text in true]
    hypothesis_states = _label(labeler, written)
    labelled = true if rules.labels_cut_references else expected
    reference_states = _label(labeler, labelled) if true_labels is None else _stack(true_labels, ids)
    language = score_language(said, true, resampling, metrics)
    rows = PerStudy(
        ids,
        hypothesis_states,
        reference_states,
        language.per_study,
        resampling,
        uncertain,
        hypotheses=tuple(written),
        references=tuple(expected),
        parts=language.parts,
    )
    known = true_labels is not None
    signature = signature_of(
        rows, rules, labeler, true_labels=known, vocabulary=vocabulary, split=split, section=section
    )
    return _scorecard(rows, rules, language, signature, notice)


def _scorecard(
    rows: PerStudy,
    rules: Protocol,
    language: LanguageScores,
    signature: Mapping[str, Any],
    notice: str | None,
) -> Scorecard:
    assert rows.hypotheses is not None and rows.references is not None
    by_rules = signature["labeler"] == RuleLabeler.name
    known = signature["reference_labels"] == TRUE_LABELS
    unread = {
        "hypotheses": not_read(rows.hypotheses, rows.hypothesis_states if by_rules else None),
        "references": not_read(rows.references, rows.reference_states if by_rules and not known else None),
    }
    studies, sides = len(rows.study_ids), {"hypotheses": rows.hypotheses, "references": rows.references}
    counts = Counter(one_line(text.lower()) for text in rows.hypotheses)
    return Scorecard(
        nlg=language.figures,
        missing=language.missing,
        clinical=score_states(rows.hypothesis_states, rows.reference_states, rows.resampling, rows.uncertain),
        distinct_reports=len(counts) / studies,
        commonest_report=max(counts.values()) / studies,
        empty_hypotheses=counts[""],
        prior_references={side: share_with_prior(reports) for side, reports in sides.items()},
        studies=studies,
        signature=signature,
        per_study=rows,
        not_read=unread,
        flags=flags_of(rows.hypotheses, rows.references, unread),
        warnings=warnings_of(rows.study_ids, rows.resampling.clusters, rows.outcomes(), rules, sides),
        notice=notice,
        normality=by_normality(rows),
    )


def _matched_ids(hypotheses: Mapping[str, str], references: Mapping[str, str]) -> tuple[str, ...]:
    """The study ids, which both sides must have; sorted, so that the order of the reports changes no interval."""
    if not hypotheses:
        raise WrongUse("no hypotheses to score: give at least one report")
    _require_ids("hypotheses without reference", hypotheses.keys() - references.keys())
    _require_ids("references without hypothesis", references.keys() - hypotheses.keys())
    return tuple(sorted(hypotheses))


def _clusters(ids: Sequence[str], patients: Mapping[str, str] | None) -> tuple[str, ...] | None:
    """The patient of each study, None where patients are unknown."""
    if patients is None:
        return None
    _require_ids("studies without patient", set(ids) - patients.keys())
    return tuple(patients[study_id] for study_id in ids)


def majority_report(training_reports: Iterable[str], study_ids: Iterable[str]) -> dict[str, str]:
    """The commonest training report for every study: the baseline that never looks at a film.

    Raises ``WrongUse`` without any training report.
    """
    counts = Counter(map(one_line, training_reports))
    if not counts:
        raise WrongUse("majority report: there are no training reports; give at least one")
    # Of equally common reports the first in alphabetical order, so that the order of the input does not matter.
    report = min(counts, key=lambda text: (-counts[text], text))
    return dict.fromkeys(study_ids, report)


def flag_if_no_better_than_shuffled(card: Scorecard, shuffled: Scorecard) -> tuple[str, ...]:
    """One flag when micro-F1 is not above that of the same system on other patients' films, none when it is.

    "Above" means that the 95 % interval of the paired difference is above zero.
    """
    drop = _micro_f1_drop(card.per_study, shuffled.per_study)
    if drop.difference.low > 0:
        return ()
    own, other = card.clinical.micro.f1.value, shuffled.clinical.micro.f1.value
    return (f"micro-F1 {own:.3f} is no better than {other:.3f} on shuffled images (paired p = {drop.p_value:.3f})",)


def _micro_f1_drop(system: PerStudy, control: PerStudy) -> PairedTest:
    _require_ids("studies scored once only", set(system.study_ids) ^ set(control.study_ids))
    return compare_micro_f1(system.outcomes(), control.outcomes(), system.resampling)


def _require_ids(what: str, ids: Iterable[str]) -> None:
    named = sorted(ids)
    if named:
        more = f" and {len(named) - IDS_IN_MESSAGE} more" if len(named) > IDS_IN_MESSAGE else ""
        raise WrongUse(f"{what}: {', '.join(named[:IDS_IN_MESSAGE])}{more}; ids must match")


def _label(labeler: Labeler, reports: Sequence[str]) -> States:
    """States ``N x 14`` or ``N x 18`` of ``N`` reports; each distinct text is read once, since systems repeat."""
    texts = list(dict.fromkeys(reports))
    found = dict(zip(texts, labeler.label(texts), strict=True))
    return np.array([found[text] for text in reports], dtype=np.int64)


def _stack(labels: Mapping[str, Sequence[int]], ids: Sequence[str]) -> States:
    """True labels in the order of ``ids``; all must have 14 states, or all 18."""
    _require_ids("studies without true labels", set(ids) - labels.keys())
    width = len(labels[ids[0]])
    uneven = [study_id for study_id in ids if len(labels[study_id]) != width or width < CHEXBERT_COUNT]
    _require_ids("true labels that are not 14 or 18 states", uneven)
    return np.array([labels[study_id] for study_id in ids], dtype=np.int64)
