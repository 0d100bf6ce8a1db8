"""Read reports: CSV with the columns study_id and report, JSON from study id to report, or ReXrank's JSON.

A ReXrank file is JSON from study id to an object with the sections of the reference and, where a system has run, its
``model_prediction``: one file holds both sides.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Literal

from radscribe.core.errors import WrongUse

Side = Literal["hypotheses", "references"]


def read_reports(path: Path, side: Side = "hypotheses") -> dict[str, str]:
    """Reports by study id, in the order of the file; JSON by its ending, else CSV.

    ``side`` chooses between the two reports of a ReXrank study.

    Raises:
        WrongUse: one line with the file, the row and the reason.
    """
    text = _text(path)
    reports = _of_json(path, text, side) if path.suffix.lower() == ".json" else _of_csv(path, text)
    if not reports:
        raise WrongUse(f"{path}: it holds no report; give a file with at least one")
    return reports


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise WrongUse(f"{path}: no such file; give a CSV or JSON file of reports") from None
    except UnicodeDecodeError:
        raise WrongUse(f"{path}: not UTF-8 text; save it as UTF-8") from None


def _of_json(path: Path, text: str, side: Side) -> dict[str, str]:
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        raise WrongUse(f"{path}: line {error.lineno} is not JSON ({error.msg}); correct it") from None
    if not isinstance(pairs, _Pairs):
        raise WrongUse(f"{path}: not a JSON object; give one JSON object from study id to report")
    reports: dict[str, str] = {}
    for study_id, value in pairs:
        if isinstance(value, _Pairs):
            value = _of_rexrank(dict(value), side, f"{path}: study {study_id}")
        if not isinstance(value, str):
            raise WrongUse(f"{path}: study {study_id} has no report as text; give each study a string")
        _add(reports, study_id, value, f"{path}")
    return reports


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, so that a repeated id is found."""


def _of_rexrank(study: dict[str, Any], side: Side, where: str) -> Any:
    """A report as ReXrank's own evaluation reads it: an absent section is the word "None"."""
    if side == "hypotheses":
        if "model_prediction" not in study:
            raise WrongUse(f"{where} has no model_prediction; run the system first")
        return study["model_prediction"]
    names = ("section_findings", "section_impression")
    if not any(name in study for name in names):
        raise WrongUse(f"{where} has neither {' nor '.join(names)}; give it one")
    findings, impression = (study[name] if isinstance(study.get(name), str) else None for name in names)
    return f"Findings: {findings} Impression: {impression}"


def read_column(path: Path, column: str) -> dict[str, str]:
    """Another column of a CSV file by study_id, such as patient_id; raises ``WrongUse`` as ``read_reports`` does."""
    return _of_csv(path, _text(path), column)


def _of_csv(path: Path, text: str, column: str = "report") -> dict[str, str]:
    limit = csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a report may be longer than the default
    try:
        return _rows_of(path, text, column)
    finally:
        csv.field_size_limit(limit)  # the limit applies to the whole process


def _rows_of(path: Path, text: str, column: str) -> dict[str, str]:
    rows = csv.DictReader(text.splitlines(keepends=True))
    missing = [name for name in ("study_id", column) if name not in (rows.fieldnames or ())]
    if missing:
        found = ", ".join(rows.fieldnames or ()) or "none"
        raise WrongUse(f"{path}: the column {' and '.join(missing)} is missing; its columns are {found}")
    reports: dict[str, str] = {}
    for row in rows:
        where = f"{path}: line {rows.line_num}"
        if None in row or None in row.values():
            raise WrongUse(f"{where} does not have {len(rows.fieldnames or ())} fields; quote reports with commas")
        _add(reports, row["study_id"].strip(), row[column], where)
    return reports


def _add(reports: dict[str, str], study_id: str, report: str, where: str) -> None:
    if not study_id:
        raise WrongUse(f"{where}: a report has no study_id; give it one")
    if study_id in reports:
        raise WrongUse(f"{where}: the study_id {study_id} appears twice; keep one report of it")
    reports[study_id] = report
