"""Read one section of reports: from columns or fields that hold sections, else cut from the text at its headings."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from radscribe.core.csv_files import read_csv
from radscribe.core.errors import WrongUse
from radscribe.core.json_files import read_json_file
from radscribe.core.report_text import one_line
from radscribe.data.sources.report_sections import PLAIN_SECTIONS, section_name
from radscribe.evaluation.report_files import Side, read_reports
from radscribe.labels.rules import was_read

Section = Literal["findings", "impression", "both"]
SCORED = ("findings", "impression")
# Words that are headings in MIMIC-CXR alone, and begin sentences elsewhere.
NO_HEADINGS = ("chest, two views", "preamble", "date", "comment", "pfi")
_NAMES = sorted((name for name in PLAIN_SECTIONS if name not in NO_HEADINGS), key=len, reverse=True)
_HEADING = re.compile(
    rf"(?<!\w)(?P<name>{'|'.join(re.escape(name).replace(' ', ' +') for name in _NAMES)})[*_ \t]*"
    r"(?P<end>[:：][*_]*|(?=\n|$))",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_END = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_LINE_BEGIN = re.compile(r"^[ \t#*_>-]*", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?;。][ \t*_#]*")
# Lines above the first heading that describe no film: names of the examination, and whose it is.
_TITLE = re.compile(
    r"[\W\d_]*(?:(?:final|preliminary|wet|radiology|radiological|radiographic|report|read|x|rays?|xrays?|xr|cr|dx|cxr|"
    r"chest|thorax|radiographs?|films?|exam|examination|study|portable|bedside|pa|ap|lat|lateral|frontal|and|of|the|"
    r"views?|one|two|single|upright|semi|supine|erect|performed|dated?|on|at)\b[\W\d_]*)*"
    r"|\W*(?:patient|name|mrn|dob|age|sex|gender|accession|physician|referring|dictated|exam|study)\b[^:.]*:.*",
    re.IGNORECASE,
)
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
        WrongUse: as ``read_reports`` does, where a section is no text or is there twice, and where no reference has it.
    """
    what = "findings or impression" if section == "both" else section
    expected = {study: _chosen(parts, section) for study, parts in _read(references, "references").items()}
    true = {study: text for study, text in expected.items() if text}
    if not true:
        raise WrongUse(
            f"{references}: no reference has a section {what}; give reports with headings (FINDINGS:, IMPRESSION:), or "
            "columns findings and impression, or leave --section out"
        )
    # An id that one file alone has stays, so that scoring names it.
    left_out = expected.keys() - true.keys()
    written = {study: parts for study, parts in _read(hypotheses, "hypotheses").items() if study not in left_out}
    whole = sum(isinstance(parts, str) for parts in written.values())
    said = {study: parts if isinstance(parts, str) else _chosen(parts, section) for study, parts in written.items()}
    lacking = sum(not text and not isinstance(written[study], str) for study, text in said.items())
    notes = []
    if left_out:
        notes.append(f"{len(left_out)} of {len(expected)} studies are left out: their reference has no {what}")
    if whole:
        notes.append(f"{whole} of {len(said)} hypotheses have no headings and are taken whole as the {section}")
    if lacking:
        notes.append(f"{lacking} of {len(said)} hypotheses have sections but no {what}, and count as empty")
    return SectionReports(said, true, tuple(notes))


def sections_of(report: str) -> dict[str, str] | None:
    """The sections of a report by name, None where it has no heading of a section.

    A heading begins a line, or ends in a colon behind the end of a sentence or with a capital letter. Of several
    sections with one name the texts are joined. Without findings, statements before the first heading are these.
    """
    report = _LINE_END.sub("\n", report)
    line_begins = {match.end() for match in _LINE_BEGIN.finditer(report)}
    behind_sentence = {match.end() for match in _SENTENCE_END.finditer(report)}

    def begins_section(match: re.Match[str]) -> bool:
        start = match.start()
        if start in line_begins:
            return True
        stands_out = start in behind_sentence or match["name"][0].isupper()
        return bool(match["end"]) and report[start - 1] in " \t*_" and stands_out

    headings = [match for match in _HEADING.finditer(report) if begins_section(match)]
    if not headings:
        return None
    found: dict[str, list[str]] = {}
    ends = [*(match.start() for match in headings[1:]), len(report)]
    for match, end in zip(headings, ends, strict=True):
        name = section_name(one_line(match["name"]), PLAIN_SECTIONS)
        found.setdefault(name, []).append(report[match.end() : end].strip(" \t\n#*_"))
    if "findings" not in found:
        lines = report[: headings[0].start()].strip(" \t\n#*_").split("\n")
        above = "\n".join(line for line in lines if not _TITLE.fullmatch(line))
        found |= {"findings": [above]} if was_read(above) else {}
    return {name: " ".join(filter(None, texts)) for name, texts in found.items()}


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
    _require_single(names, f"{path}: its columns")
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
    return {study: _texts(parts, fields & parts.keys(), f"{path}: study {study}") for study, parts in content.items()}


def _texts(parts: Mapping[str, Any], names: Collection[str], where: str) -> dict[str, str]:
    """The sections ``names`` of a study; one that is null, or not a number as ReXrank writes it, is absent."""
    _require_single(names, f"{where}: its fields")
    texts = {}
    for name in sorted(names):
        text = parts[name]
        if text is None or text != text:
            continue
        if not isinstance(text, str):
            raise WrongUse(f"{where} has a {name} that is no text; give each section as a string")
        texts[name.removeprefix("section_")] = text
    return texts


def _require_single(names: Collection[str], where: str) -> None:
    for name in SCORED:
        if name in names and f"section_{name}" in names:
            raise WrongUse(f"{where} {name} and section_{name} give one section twice; remove one of them")
