"""Score a checkpoint on a split of a prepared dataset, beside controls that do not see the right film."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import RadscribeError
from radscribe.core.files import replaced_together, write_json_lines, write_text
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter
from radscribe.evaluation.controls.baselines import with_baselines
from radscribe.evaluation.controls.films import (
    changed_controls,
    image_sources,
    noise_reports,
    other_films,
    part_controls,
    stratified_rows,
)
from radscribe.evaluation.controls.sources import names_pneumonia, transfer_between_sources
from radscribe.evaluation.doubts import Doubts, doubts_of
from radscribe.evaluation.drafted import draft_reports
from radscribe.evaluation.scorecard.breakdown import agreement, agreement_by_group, by_frequency, by_severity
from radscribe.evaluation.scorecard.card import SHUFFLED_IMAGES, Scorecard
from radscribe.evaluation.scorecard.per_study import PerStudy
from radscribe.evaluation.scorecard.tables import markdown
from radscribe.evaluation.split import SplitReferences, states_of
from radscribe.evaluation.statements import drafted_split
from radscribe.labels.conditions import CHEXBERT_COUNT, POSITIVE
from radscribe.labels.old_changes import without_old_changes
from radscribe.labels.rules import label_report
from radscribe.metrics.areas import areas
from radscribe.metrics.nlg import METRICS
from radscribe.metrics.sanity import negation_flipped
from radscribe.metrics.significance import Figure
from radscribe.models.evidence import FilmEvidence

if TYPE_CHECKING:
    from radscribe.evaluation.controls.proof import Proof

TRAINING_SPLIT_FLAG = "scored on the training split, whose own reports are the database"


@dataclass(frozen=True)
class Evaluation:
    """A scored checkpoint, with what it drafted and what it drafted from."""

    scorecard: Scorecard
    # Scorecards of the baselines that need no model, to be compared like any other system's.
    baselines: dict[str, Scorecard]
    reports: dict[str, str]  # the drafts by study id
    studies: list[Study]
    evidence: FilmEvidence  # of the studies in their order
    shuffled: NDArray[np.int64]  # for each study, the row of the other patient's film
    doubts: Doubts | None = None  # what the statements are worth, where the checkpoint is calibrated

    def save(self, out: Path, proof: Proof) -> str:
        """Write the results into the folder ``out``, all of them or none, and return the Markdown table.

        ``scorecard.json`` (with the content of ``proof``) and its rows, ``scorecard.md``, ``reports.jsonl``, and in a
        folder each the scorecards of the baselines. Raises ``RadscribeError`` where the disk refuses.
        """
        doubts = f"\n\n{self.doubts.markdown()}" if self.doubts else ""
        table = markdown(self.scorecard, proof.markdown() + doubts)
        with replaced_together(out) as staging:
            more = {"doubts": self.doubts.to_dict()} if self.doubts else {}
            self.scorecard.save(staging, {**proof.to_dict(), **more})
            for name, baseline in self.baselines.items():
                baseline.save(staging / name)
            rows = ({"study_id": study_id, "report": report} for study_id, report in self.reports.items())
            write_json_lines(staging / "reports.jsonl", rows)
            write_text(staging / "scorecard.md", table)
        return table


def evaluate(
    reporter: Reporter,
    dataset: PreparedDataset,
    split: str = "test",
    limit: int | None = None,
    part_limit: int = 400,
    protocol: str = "full",
) -> Evaluation:
    """Draft every study of ``split`` (the first ``limit``) and score the drafts and the controls by ``protocol``.

    Controls: another patient's film of the same source through the whole pipeline; one part alone (patches, retrieved
    text or memory) of that other film, the film's edge alone and the film without its top (these on ``part_limit``
    studies, drawn from each stratum); the draft's own statements negated (a figure that does not fall there does not
    read statements); noise; the commonest training report, and one of the commonest sentences; the report of the
    nearest training film by pixels and by patches, and of the study that the model looks up; logistic regression on
    32 x 32 pixels, and on the outer ones alone.
    Where image sources were labelled, what the patches tell of films of a source left out.

    Raises:
        WrongUse: an unknown protocol.
        RadscribeError: fewer than two studies, all of one patient, or a dataset prepared for another section.
    """
    references = SplitReferences.of(dataset, split, reporter.system.config.section, limit, protocol)
    studies = references.studies
    if len(studies) < 2:
        raise RadscribeError(
            f"{dataset.folder}: the {split} split has {len(studies)} studies to score, not at least 2; prepare more"
        )
    drafted = draft_reports(reporter, dataset, studies)
    evidence, reports = drafted.evidence, drafted.reports
    drafts = dict(zip(references.ids, reports, strict=True))
    card = references.score(reports, metrics=METRICS)
    sources = image_sources(dataset, studies)
    shuffled = other_films(studies, sources)
    of_other_films = references.score([reports[row] for row in shuffled])
    card = card.with_control(SHUFFLED_IMAGES, of_other_films)
    exchanged = stratified_rows(studies, sources, part_limit)
    parts = part_controls(reporter, references, evidence, reports, shuffled, exchanged)
    changed = changed_controls(reporter, references, reports, exchanged)
    card = replace(card, controls={**card.controls, **parts, **changed})
    card = card.with_control("negation_flip", references.score(map(negation_flipped, reports)))
    card = card.with_control("noise_image", references.score(noise_reports(reporter, len(studies))))
    card, baselines = with_baselines(card, references, reporter, evidence)
    card = with_areas(card, reporter, references.ids, evidence)
    if dataset.split("train"):
        card = _broken_down(card, dataset)
    if "image_labels" in dataset.table.column_names:
        card = _with_agreement(card, of_other_films, dataset, drafts)
        transfer = transfer_between_sources(reporter, dataset, studies, evidence.patches)
        card = replace(card, source_transfer=transfer)
    model = {"model": reporter.system.config.name, "fingerprint": reporter.fingerprint}
    card = _signed(card, {**model, "part_controls_on": len(exchanged), "dataset": dataset.fingerprint})
    baselines = {
        name: _signed(baseline, {"model": name, "dataset": dataset.fingerprint}) for name, baseline in baselines.items()
    }
    if split == "train":
        card = replace(card, flags=(*card.flags, TRAINING_SPLIT_FLAG))
    calibration = reporter.calibration
    doubts = None if calibration is None else doubts_of(calibration, drafted_split(studies, drafted))
    return Evaluation(card, baselines, drafts, studies, evidence, shuffled, doubts)


def with_areas(card: Scorecard, reporter: Reporter, ids: Sequence[str], evidence: FilmEvidence) -> Scorecard:
    """The scorecard with the ROC areas of the probabilities that the model gives the conditions of the studies ``ids``,
    from their ``evidence``; as it is where the model gives none."""
    states = reporter.system.model.findings(evidence)
    if states is None:
        return card
    rows = card.per_study
    row_of = {study_id: row for row, study_id in enumerate(ids)}
    order = [row_of[study_id] for study_id in rows.study_ids]
    probabilities = states[order, :CHEXBERT_COUNT, POSITIVE].cpu().numpy()
    positive = rows.reference_states[:, :CHEXBERT_COUNT] == POSITIVE
    return replace(card, areas=areas(probabilities, positive, rows.resampling))


def _signed(card: Scorecard, more: Mapping[str, object]) -> Scorecard:
    return replace(card, signature={**card.signature, **more})


def _broken_down(card: Scorecard, dataset: PreparedDataset) -> Scorecard:
    """The scorecard with F1 by the frequency of conditions in training, and by severity where the dataset has it."""
    rows = card.per_study
    ids, resampling = rows.study_ids, rows.resampling
    training = states_of(dataset.split("train"))
    card = replace(card, frequency=by_frequency(rows.hypothesis_states, rows.reference_states, training, resampling))
    if "severities" in dataset.table.column_names:
        column = dataset.column("severities")
        severities = {study_id: json.loads(column[study_id]) for study_id in ids}
        by = by_severity(ids, rows.hypothesis_states, rows.reference_states, severities, resampling)
        card = replace(card, severity=by)
    return card


def _with_agreement(
    card: Scorecard, shuffled: Scorecard, dataset: PreparedDataset, reports: Mapping[str, str]
) -> Scorecard:
    """The scorecard with the agreement of reports with the images' own labels."""
    rows = card.per_study
    today = np.array([label_report(without_old_changes(reports[study_id])) for study_id in rows.study_ids])
    return replace(
        card,
        agreement=_agreement(rows.hypothesis_states, rows, dataset),
        agreement_without_old_changes=_agreement(today, rows, dataset),
        agreement_shuffled=_agreement(shuffled.per_study.hypothesis_states, rows, dataset),
    )


def _agreement(states: NDArray[np.int64], rows: PerStudy, dataset: PreparedDataset) -> dict[str, Figure | None]:
    source, view = (dataset.column(name) for name in ("image_source", "image_view_position"))
    by_id = {study.study_id: study for study in dataset.studies}
    positive = names_pneumonia(dataset, [by_id[study_id] for study_id in rows.study_ids])
    sources = [source[study_id] for study_id in rows.study_ids]
    views = [f"{source[study_id]}, {view[study_id]}" for study_id in rows.study_ids if view[study_id]]
    found: dict[str, Figure | None] = {"all films": agreement(states, positive, resampling=rows.resampling)}
    found |= agreement_by_group(states, positive, sources, resampling=rows.resampling)
    if views:
        known = np.array([bool(view[study_id]) for study_id in rows.study_ids])
        found |= agreement_by_group(states[known], positive[known], views, resampling=rows.resampling.subset(known))
    return found
