"""Drafts of the service as hospital documents, with a reader's words where a draft is final."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from radscribe.core.config import from_mapping
from radscribe.core.records import NOT_ASSESSED, Draft, DraftSentence, Finding
from radscribe.imaging.crop import FilmConfig, centre_crop
from radscribe.imaging.film import fit, read_film
from radscribe.imaging.refusal import RefusedFilm
from radscribe.labels.conditions import BLANK, CONDITIONS, STATES
from radscribe.labels.rules import label_report, label_sentence
from radscribe.serve.messages import Edits

DICOM = "application/dicom"
# The media type of each document.
DOCUMENTS = {
    "report.sr.dcm": DICOM,
    "findings.sr.dcm": DICOM,
    "report.pdf": "application/pdf",
    "report.pdf.dcm": DICOM,
    "overlay.sc.dcm": DICOM,
    "fhir": "application/fhir+json",
}
WRITTEN = "A reader wrote this sentence."


def draft_of(line: Mapping[str, Any]) -> Draft:
    """The draft in a line of ``radscribe generate``."""
    names = {field.name for field in fields(Draft)}
    return from_mapping(Draft, {name: value for name, value in line.items() if name in names})


def final_draft(draft: Draft, edits: Edits) -> Draft:
    """``draft`` with the words that a reader left of it, and the findings that these state.

    A sentence that the reader wrote has no probabilities and no evidence; nor has a finding that only the reader's
    words state. A condition that is not assessed stays so unless the words state it.
    """
    decided = {edit.index: edit for edit in edits.sentences}
    kept = [_written(each.text) for each in edits.added if each.after == -1]
    for index, sentence in enumerate(draft.sentences):
        edit = decided.get(index)
        if edit is not None and edit.text is not None:
            kept.append(_written(edit.text))
        elif edit is None or edit.action != "rejected":
            kept.append(sentence)
        kept += [_written(each.text) for each in edits.added if each.after == index]
    kept += [_written(each.text) for each in edits.added if each.after is None]
    report = " ".join(sentence.text for sentence in kept)
    # The rules that read reports may read a sentence otherwise than the model meant it: while all that is said of a
    # condition stands as it was drafted, its finding does too.
    changed = [
        sentence for sentence in (*draft.sentences, *kept) if (sentence in draft.sentences) != (sentence in kept)
    ]
    touched = {condition for sentence in changed for condition in sentence.conditions}
    said = {condition for sentence in kept for condition in sentence.conditions} - touched
    before = {finding.condition: finding for finding in draft.findings}
    states = zip(CONDITIONS, label_report(report), strict=True)
    findings = tuple(
        before[name] if name in said and name in before else _finding(before.get(name), name, STATES[state])
        for name, state in states
    )
    return replace(draft, report=report, sentences=tuple(kept), findings=findings, withheld=())


def _written(text: str) -> DraftSentence:
    states = zip(CONDITIONS, label_sentence(text), strict=True)
    conditions = {name: STATES[state] for name, state in states if state != BLANK and name != "no finding"}
    return DraftSentence(text, conditions, 1.0, (), None, unmapped=WRITTEN)


def _finding(before: Finding | None, condition: str, state: str) -> Finding:
    if before is not None and (before.state == state or (state == STATES[BLANK] and before.state == NOT_ASSESSED)):
        return before
    return Finding(condition, state, None)


def view_of(film: FilmConfig) -> dict[str, int]:
    """What a model that cuts films as ``film`` says sees of them, as a draft keeps it: maps are in shares of that."""
    return {"resize": film.resize, "crop": film.crop}


def document_request(
    name: str, draft: Draft, made: str, paths: Sequence[Path], view: Mapping[str, int], reader: str | None = None
) -> dict[str, Any]:
    """What ``make_document`` needs, as JSON holds it.

    Args:
        name: the document.
        draft: the draft.
        made: when, by ISO 8601.
        paths: the files of the films that the model read.
        view: what it saw of them (``view_of``).
        reader: who made the draft final; None for one that is not.
    """
    files = [str(path) for path in paths]
    return {"name": name, "draft": asdict(draft), "made": made, "paths": files, "view": view, "reader": reader}


def make_document(request: Mapping[str, Any]) -> bytes:
    """The document of a ``document_request``. For the process that reads films.

    Raises:
        RefusedFilm: the film has no header that the document could refer to, or no document can be made of it.
    """
    from radscribe.clinic.case import case_of
    from radscribe.clinic.fhir import fhir_bundle
    from radscribe.clinic.findings_report import findings_report
    from radscribe.clinic.narrative import narrative
    from radscribe.clinic.overlay import overlay_object
    from radscribe.clinic.pdf import pdf_object, report_pdf
    from radscribe.clinic.source import read_source

    name, paths = request["name"], [Path(path) for path in request["paths"]]
    config = FilmConfig(**request["view"])
    pixels = read_film(paths[0], "film", longest=config.resize).pixels
    plain = DOCUMENTS[name] != DICOM
    try:
        source = read_source(paths[0])
    except RefusedFilm:
        if not plain:
            raise
        source = None
    if source is None and not plain:
        raise RefusedFilm("film", "it has no DICOM header; there are report.pdf and fhir alone")
    others = [read_source(path) for path in paths[1:]] if source else []
    draft, made = draft_of(request["draft"]), datetime.fromisoformat(request["made"])
    view = centre_crop(fit(pixels, config.resize), config)
    read = tuple(filter(None, others))
    case = case_of(draft, paths[0], pixels, view, config, made, source, read, request["reader"])
    if name == "fhir":
        return json.dumps(fhir_bundle(case), ensure_ascii=False).encode()
    if name == "report.pdf":
        return report_pdf(case)
    if name == "report.pdf.dcm":
        made_object = pdf_object(case, report_pdf(case))
    else:
        makers = {"report.sr.dcm": narrative, "findings.sr.dcm": findings_report, "overlay.sc.dcm": overlay_object}
        made_object = makers[name](case)
    content = BytesIO()
    made_object.save_as(content)
    return content.getvalue()
