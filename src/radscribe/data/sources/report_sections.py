"""Splits a report into sections by the rules published with MIMIC-CXR (MIT-LCP/mimic-cxr, ``section_parser.py``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# A heading starts a line, after one space: every line of those reports begins with a space.
HEADING = re.compile(r"\n ([A-Z ()/,-]+):\s")
PARAGRAPH_END = "\n \n"
# Section -> the headings used for it in reports, including misspelt ones.
HEADINGS = {
    "preamble": ("preamble",),
    "impression": (
        "impression", "conclusion", "findings and impression", "findings/impression", "findings/ impression",
        "impresson", "imprression", "imoression", "impressoin", "imprssion", "impresion", "imperssion", "mpression",
        "impession", "ndication",
    ),
    "findings": (
        "findings", "finding", "findins", "findindgs", "findgings", "findngs", "findnings", "finidngs",
        "reference findings", "chest, two views",
    ),
    "comparison": (
        "comparison", "comparisons", "comparison exam", "comparison film", "reference exam", "comparision",
        "comparsion", "comparrison", "comparisions",
    ),
    "indication": ("indication", "reason for examination", "reason for exam", "clinical indication", "idication"),
    "history": ("history", "clinical history", "clinical information", "patient history", "pfi"),
    "examination": ("examination", "exam", "type of examination"),
    "technique": ("technique",),
    "notification": ("notification",),
    "recommendations": ("recommendations", "recommendation", "recommendation(s)"),
    "addendum": ("addendum",),
    "wet read": ("wet read", "wetread"),
    "date": ("date",),
    "comment": ("comment",),
}  # fmt: skip
SECTIONS = {heading: section for section, headings in HEADINGS.items() for heading in headings}
# The same without the slip that makes an indication an impression, and with more names of free-form reports.
PLAIN_SECTIONS = SECTIONS | dict.fromkeys(
    (
        "ndication", "indications", "clinical indications", "indication for exam", "reason for study",
        "reason for the study", "reason for the exam", "reason for the examination", "clinical details",
        "clinical question", "clinical data", "clinical context", "clinical background", "clinical statement",
        "clinical notes", "clinical diagnosis", "reason for this exam", "reason for this examination",
        "reason for this study", "signs and symptoms",
    ),
    "indication",
) | {"history of present illness": "history", "procedure": "technique"}  # fmt: skip
# A longer heading that contains one of these words begins that section; the first match wins.
SECTION_WORDS = ("impression", "findings", "history", "comparison", "addendum")
# The name of the examination as a heading: what follows describes the film.
EXAMINATIONS = re.compile(
    "chest|portable|pa and lat|lateral and pa|ap and lateral|lateral and ap|frontal and|two views|frontal view"
    "|pa view|ap view|one view|lateral view|bone window|frontal upright|frontal semi-upright|ribs"
)


@dataclass(frozen=True)
class Section:
    """One section of a report."""

    name: str  # from ``HEADINGS``, else its own heading in lower case
    text: str


def cut_sections(report: str, names: Mapping[str, str] = SECTIONS) -> list[Section]:
    """The sections of a report in their order, with their white space; ``names`` has the section of each heading.

    Text before the first heading is "preamble"; a report without headings is one "full report". Findings and
    impressions without text are dropped. If neither remains, the last section is split after its first paragraph, and
    the rest is "last_paragraph".
    """
    sections = _cut(report, names)
    kept = [section for section in sections if section.name not in ("findings", "impression") or section.text.strip()]
    if not any(section.name in ("findings", "impression") for section in kept):
        first, end, rest = kept[-1].text.partition(PARAGRAPH_END)
        if end:
            kept[-1:] = [Section(kept[-1].name, first), Section("last_paragraph", rest)]
    return kept


def section_name(heading: str, names: Mapping[str, str] = SECTIONS) -> str:
    """The section that a heading begins: that of ``names``, else by the words in it."""
    name = heading.strip().lower()
    if name in names:
        return names[name]
    section = next((word for word in SECTION_WORDS if word in name), None)
    return section or ("findings" if EXAMINATIONS.search(name) else name)


def _cut(report: str, names: Mapping[str, str]) -> list[Section]:
    heading = HEADING.search(report)
    if heading is None:
        return [Section("full report", report)]
    sections = [Section("preamble", report[: heading.start(1)])]
    while heading is not None:
        # A line holds at most one heading.
        line_end = report.find("\n", heading.end())
        following = HEADING.search(report, max(line_end, heading.end()))
        end = len(report) if following is None else following.start()
        sections.append(Section(section_name(heading[1], names), report[heading.end() : end]))
        heading = following
    return sections
