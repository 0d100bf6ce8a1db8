"""Read one section of reports: from columns or fields that hold sections, else cut from the text at its headings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from radscribe.core.csv_files import read_csv
from radscribe.core.errors import WrongUse
from radscribe.core.json_files import read_json_file
from radscribe.data.sources.report_sections import SECTIONS, section_name
from radscribe.evaluation.report_files import Side, read_reports

Section = Literal["findings", "impression", "both"]
SCORED = ("findings", "impression")
# Words that are headings in MIMIC-CXR alone, and begin sentences elsewhere.
NO_HEADINGS = ("ndication", "chest, two views", "preamble", "date", "comment", "pfi")
_NAMES = sorted((name for name in SECTIONS if name not in NO_HEADINGS), key=len, reverse=True)
_HEADING = re.compile(
    rf"(?<!\w)(?P<name>{'|'.join(re.escape(name).replace(' ', ' +') for name in _NAMES)})[*_ \t]*"
    r"(?P<end>[:：][*_]*|(?=\n|$))",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_BEGIN = re.compile(r"(?:^|\n)[ \t#*_>-]*$")
# What an absent section is where every study has all fields.
ABSENT = frozenset({"", "none", "nan", "n/a"})


@dataclass(frozen=True)
class SectionReports:
    """One section of the reports of both sides, for the studies whose reference has it."""

    hypotheses: dict[str, str]
    references: dict[str, str]
    notes: tuple[str, ...]  # what was left out or taken whole, a line each


def read_section(hypotheses: Path, references: Path, section: Section) -> SectionReports:
    """The ``section`` of the reports in two files, in any format of ``read_reports`` or with a column or field each.

    Studies whose reference lacks the section are left out. A hypothesis without any heading is taken whole, one with
    headings but without the section is empty.

    Raises:
        WrongUse: as ``read_reports`` does, and where no reference has the section.
    """
    expected = {study: _chosen(parts, section) for study, parts in _read(references, "references").items()}
    true = {study: text for study, text in expected.items() if text}
    if not true:
        what = "findings or impression" if section == "both" else section
        raise WrongUse(
            f"{references}: no reference has a section {what}; give reports with headings (FINDINGS:, IMPRESSION:), or "
            "columns findings and impression, or leave --section out"
        )
    # An id that one file alone has stays, so that scoring names it.
    left_out = expected.keys() - true.keys()
    written = {study: parts for study, parts in _read(hypotheses, "hypotheses").items() if study not in left_out}
    whole = sum(isinstance(parts, str) for parts in written.values())
    said = {study: parts if isinstance(parts, str) else _chosen(parts, section) for study, parts in written.items()}
    notes = []
    if left_out:
        notes.append(f"{len(left_out)} of {len(expected)} studies are left out: their reference has no {section}")
    if whole:
        notes.append(f"{whole} of {len(said)} hypotheses have no headings and are taken whole as the {section}")
    return SectionReports(said, true, tuple(notes))


def sections_of(report: str) -> dict[str, str] | None:
    """The sections of a report by name, None where it has no heading of a section.

    A heading begins a line, or ends in a colon behind the end of a sentence or with a capital letter. Of several
    sections with one name the texts are joined.
    """
    headings = [match for match in _HEADING.finditer(report) if _begins_section(report, match)]
    if not headings:
        return None
    found: dict[str, str] = {}
    ends = [*(match.start() for match in headings[1:]), len(report)]
    for match, end in zip(headings, ends, strict=True):
        name, text = section_name(match["name"]), report[match.end() : end].strip(" \t\r\n#*_")
        found[name] = f"{found[name]} {text}" if found.get(name) else text
    return found


def _begins_section(report: str, match: re.Match[str]) -> bool:
    before = report[: match.start()]
    if _LINE_BEGIN.search(before):
        return True
    behind_sentence = before.rstrip(" \t*_#").endswith((".", "!", "?", ";", "。"))
    return bool(match["end"]) and before[-1:] in " \t*_" and (behind_sentence or match["name"][0].isupper())


def _chosen(parts: Mapping[str, Any] | str, section: Section) -> str:
    """The text of the chosen section, "" where it is absent."""
    if isinstance(parts, str):
        return ""
    names = SCORED if section == "both" else (section,)
    texts = [text.strip() for name in names if isinstance(text := parts.get(name), str)]
    return " ".join(text for text in texts if text.lower().rstrip(".") not in ABSENT)


def _read(path: Path, side: Side) -> dict[str, Mapping[str, Any] | str]:
    """The sections of each report by name, or the whole report where it has no headings."""
    held = _of_json(path, side) if path.suffix.lower() == ".json" else _of_csv(path)
    reports = {} if held else read_reports(path, side)
    return held or {study: sections_of(text) or text for study, text in reports.items()}


def _of_csv(path: Path) -> dict[str, Mapping[str, Any] | str] | None:
    """The columns that hold sections, None where there are none or a column ``report``."""
    rows = read_csv(path, ("study_id",))
    names = {name: name.removeprefix("section_") for row in rows[:1] for name in row.cells}
    if "report" in names or not set(names.values()) & set(SCORED):
        return None
    found: dict[str, Mapping[str, Any] | str] = {}
    for row in rows:
        study = row.cells["study_id"].strip()
        if not study or study in found:
            raise WrongUse(f"{path}: line {row.line}: its study_id is empty or appears twice; give each study one row")
        found[study] = {names[name]: text for name, text in row.cells.items()}
    return found


def _of_json(path: Path, side: Side) -> dict[str, Mapping[str, Any] | str] | None:
    """The fields that hold sections, None where every study is a text or a system's ``model_prediction``."""
    content = read_json_file(path, "give one JSON object from study id to report")
    if not isinstance(content, dict) or not content:
        return None
    prefixes = ("section_", "") if side == "references" else ("",)
    fields = {f"{prefix}{name}" for prefix in prefixes for name in SCORED}
    for study in content.values():
        if not isinstance(study, dict) or (side == "hypotheses" and "model_prediction" in study):
            return None
        if not fields & study.keys():
            return None
    return {
        study: {name.removeprefix("section_"): text for name, text in parts.items() if name in fields}
        for study, parts in content.items()
    }
