"""The scorecard: reports against references, every figure with its interval, beside its controls."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from radscribe.core.errors import WrongUse
from radscribe.core.version import __version__
from radscribe.evaluation.scorecard.breakdown import FrequencyBand, SeverityBand
from radscribe.evaluation.scorecard.per_study import PerStudy, States, content_hash, rows_path
from radscribe.labels.conditions import CHEXBERT_COUNT
from radscribe.labels.labeler import Labeler, RuleLabeler
from radscribe.metrics.clinical import Clinical, Uncertain, compare_micro_f1, score_states
from radscribe.metrics.nlg import METRICS, score_language
from radscribe.metrics.protocols import known_words, protocol_named, read_by
from radscribe.metrics.sanity import share_with_prior
from radscribe.metrics.significance import Figure, PairedTest, Resampling

FORMAT = "radscribe-scorecard/1"
SHUFFLED_IMAGES = "shuffled_images"
IDS_IN_MESSAGE = 10
# Fields that a scorecard is written without where they are empty.
OPTIONAL = (
    "severity", "frequency", "agreement", "agreement_without_old_changes", "agreement_shuffled", "radeval", "notice",
)  # fmt: skip


@dataclass(frozen=True)
class Control:
    """Another way to the same reports' place; ``micro_f1_drop`` is the system's micro-F1 less the control's."""

    nlg: Mapping[str, Figure | None]
    clinical: Clinical
    micro_f1_drop: PairedTest


@dataclass(frozen=True)
class Scorecard:
    """All figures of one system on one set of studies; ``severity``, ``frequency``, ``agreement`` and ``radeval``
    (figures of the RadEval package) where known.

    ``prior_references`` are the shares of hypotheses and of references that speak of an earlier film, which a system
    that is given one film alone can only make up. ``agreement_shuffled`` is the agreement of reports drafted from
    another patient's film of the same source, ``agreement_without_old_changes`` that of the reports without their
    sentences on scars and other old changes, which the labeler counts as opacity.
    """

    nlg: Mapping[str, Figure | None]
    missing: Mapping[str, str]
    clinical: Clinical
    distinct_reports: float
    commonest_report: float
    empty_hypotheses: int
    prior_references: Mapping[str, float]
    studies: int
    signature: Mapping[str, Any]
    per_study: PerStudy
    flags: tuple[str, ...] = ()
    controls: Mapping[str, Control] = field(default_factory=dict)
    severity: Mapping[str, SeverityBand] = field(default_factory=dict)
    frequency: Mapping[str, FrequencyBand] = field(default_factory=dict)
    agreement: Mapping[str, Figure | None] = field(default_factory=dict)
    agreement_without_old_changes: Mapping[str, Figure | None] = field(default_factory=dict)
    agreement_shuffled: Mapping[str, Figure | None] = field(default_factory=dict)
    radeval: Mapping[str, Figure] = field(default_factory=dict)
    notice: str | None = None

    def with_control(self, name: str, control: Scorecard) -> Scorecard:
        """This scorecard with another one of the same studies as its control ``name``.

        Under the name ``shuffled_images`` it is flagged when it is no better than that control.
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

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write ``scorecard.json`` into a folder (or to a ``.json`` file), and its rows beside it (see ``rows_path``).

        The rows hold both reports of each study, the JSON none. Each file appears whole or not at all. Returns the
        path of the JSON file; raises ``OSError`` as the disk does.
        """
        target = Path(path)
        if target.suffix != ".json":
            target = target / "scorecard.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = rows_path(target)
        rows, text = beside.with_name(beside.name + ".part"), target.with_name(target.name + ".part")
        try:
            pq.write_table(self.per_study.table(), rows)
            text.write_text(self.to_json(), encoding="utf-8")
            os.replace(rows, beside)
            os.replace(text, target)
        finally:
            rows.unlink(missing_ok=True)
            text.unlink(missing_ok=True)
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

    ``true_labels`` (14 or 18 states a study) replace the labels read from the references; ``patients`` make the
    bootstrap draw patients instead of studies. Both may know more studies than are scored. ``vocabulary`` makes every
    other word of a reference ``<unk>``, as models of the R2Gen line do. ``notice`` is carried on, as "weakly paired"
    is. Raises ``WrongUse`` for an unknown protocol and for ids that do not match.
    """
    rules, labeler = protocol_named(protocol), labeler or RuleLabeler()
    if not hypotheses:
        raise WrongUse("no hypotheses to score: give at least one report")
    _require_ids("hypotheses without reference", hypotheses.keys() - references.keys())
    _require_ids("references without hypothesis", references.keys() - hypotheses.keys())
    # Sorted, so that the order in which reports come changes no interval.
    ids = tuple(sorted(hypotheses))
    clusters = None
    if patients is not None:
        _require_ids("studies without patient", hypotheses.keys() - patients.keys())
        clusters = tuple(patients[study_id] for study_id in ids)
    resampling = Resampling(clusters, resamples, seed)

    written, expected = ([reports[study_id] for study_id in ids] for reports in (hypotheses, references))
    said, true = read_by(rules, written, expected)
    if vocabulary is not None:
        true = [known_words(text, vocabulary) for text in true]
    hypothesis_states = _label(labeler, written)
    if true_labels is None:
        reference_states = _label(labeler, true if rules.labels_cut_references else expected)
    else:
        _require_ids("studies without true labels", hypotheses.keys() - true_labels.keys())
        reference_states = _stack(true_labels, ids)

    language = score_language(said, true, resampling, metrics)
    counts = Counter(" ".join(text.lower().split()) for text in written)
    return Scorecard(
        nlg=language.figures,
        missing=language.missing,
        clinical=score_states(hypothesis_states, reference_states, resampling, uncertain),
        distinct_reports=len(counts) / len(ids),
        commonest_report=max(counts.values()) / len(ids),
        empty_hypotheses=counts[""],
        prior_references={"hypotheses": share_with_prior(written), "references": share_with_prior(expected)},
        studies=len(ids),
        signature={
            "protocol": protocol,
            "labeler": labeler.name,
            "labeler_version": labeler.version,
            "reference_labels": "labeler" if true_labels is None else "true labels",
            "uncertain": uncertain,
            "averaging": "micro, macro, example-based; 0/0 = 0",
            "cleaning": rules.cleaning,
            "tokenization": rules.tokenization,
            "casing": "lower",
            "truncation": rules.truncation,
            "vocabulary": None if vocabulary is None else content_hash({"words": sorted(vocabulary)}),
            "split": split,
            "section": section,
            "bootstrap": {"unit": "study" if patients is None else "patient", "resamples": resamples, "seed": seed},
            "software": {
                "python": platform.python_version(),
                "radscribe": __version__,
                "numpy": np.__version__,
            },
            "hashes": {
                "hypotheses": content_hash({study_id: hypotheses[study_id] for study_id in ids}),
                "references": content_hash({study_id: references[study_id] for study_id in ids}),
                "reference_states": content_hash(dict(zip(ids, reference_states.tolist(), strict=True))),
            },
        },
        per_study=PerStudy(
            ids,
            hypothesis_states,
            reference_states,
            language.per_study,
            resampling,
            uncertain,
            hypotheses=tuple(written),
            references=tuple(expected),
            parts=language.parts,
        ),
        flags=(f"{counts['']} of {len(ids)} hypotheses are empty",) if counts[""] else (),
        notice=notice,
    )


def majority_report(training_reports: Iterable[str], study_ids: Iterable[str]) -> dict[str, str]:
    """The commonest training report for every study: what a system scores that never looks at a film."""
    counts = Counter(" ".join(report.split()) for report in training_reports)
    if not counts:
        raise WrongUse("no training reports: the majority report needs at least one")
    # Of equally common reports the first in the alphabet, whatever order they came in.
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
    """States ``N x 14`` or ``N x 18``; each distinct text is read once, since systems repeat themselves."""
    texts = list(dict.fromkeys(reports))
    found = dict(zip(texts, labeler.label(texts), strict=True))
    return np.array([found[text] for text in reports], dtype=np.int64)


def _stack(labels: Mapping[str, Sequence[int]], ids: Sequence[str]) -> States:
    width = len(labels[ids[0]])
    uneven = [study_id for study_id in ids if len(labels[study_id]) != width or width < CHEXBERT_COUNT]
    _require_ids("true labels that are not 14 or 18 states", uneven)
    return np.array([labels[study_id] for study_id in ids], dtype=np.int64)
