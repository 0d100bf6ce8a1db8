"""Read reports: CSV with the columns study_id and report, JSON from study id to report, or ReXrank's JSON.

A ReXrank file is JSON from study id to an object with the sections of the reference and, where a system has run, its
``model_prediction``: one file holds both sides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from radscribe.core.csv_files import read_csv
from radscribe.core.errors import WrongUse
from radscribe.core.json_files import read_json_file

Side = Literal["hypotheses", "references"]


def read_reports(path: Path, side: Side = "hypotheses") -> dict[str, str]:
    """Reports by study id, in the order of the file; JSON by its ending, else CSV.

    ``side`` chooses between the two reports of a ReXrank study.

    Raises:
        WrongUse: one line with the file, the row and the reason.
    """
    reports = _of_json(path, side) if path.suffix.lower() == ".json" else read_column(path, "report")
    if not reports:
        raise WrongUse(f"{path}: it holds no report; give a file with at least one")
    return reports


def _of_json(path: Path, side: Side) -> dict[str, str]:
    content = read_json_file(path, "give one JSON object from study id to report")
    if not isinstance(content, dict):
        raise WrongUse(f"{path}: not a JSON object; give one JSON object from study id to report")
    reports: dict[str, str] = {}
    for study_id, value in content.items():
        if isinstance(value, dict):
            value = _of_rexrank(value, side, f"{path}: study {study_id}")
        if not isinstance(value, str):
            raise WrongUse(f"{path}: study {study_id} has no report as text; give each study a string")
        _add(reports, study_id, value, f"{path}")
    return reports


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
    """A column of a CSV file by study_id, such as patient_id; raises ``WrongUse`` as ``read_reports`` does."""
    found: dict[str, str] = {}
    for row in read_csv(path, ("study_id", column)):
        _add(found, row.cells["study_id"], row.cells[column], f"{path}: line {row.line}")
    return found


def _add(reports: dict[str, str], study_id: str, report: str, where: str) -> None:
    study_id = study_id.strip()
    if not study_id:
        raise WrongUse(f"{where}: a report has no study_id; give it one")
    if study_id in reports:
        raise WrongUse(f"{where}: the study_id {study_id} appears twice; keep one report of it")
    reports[study_id] = report
