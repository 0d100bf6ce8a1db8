"""Sections of reports: headings, their names, and what is done where there are none."""

from __future__ import annotations

import pytest

from radscribe.data.sources.report_sections import HEADINGS, SECTIONS, cut_sections, section_name


def names(report: str) -> list[str]:
    return [section.name for section in cut_sections(report)]


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("IMPRESSION", "impression"),
        ("CONCLUSION", "impression"),
        ("FINDINGS/IMPRESSION", "impression"),
        ("IMPRESSOIN", "impression"),
        ("FINIDNGS", "findings"),
        ("CHEST, TWO VIEWS", "findings"),
        ("PORTABLE AP FILM", "findings"),
        ("PA AND LATERAL VIEWS OF THE CHEST", "findings"),
        ("FINAL IMPRESSION AND FINDINGS", "impression"),
        ("HISTORY AND INDICATION", "history"),
        ("COMPARISON STUDIES", "comparison"),
        ("PFI", "history"),
        ("WETREAD", "wet read"),
        ("NOTE", "note"),
    ],
)
def test_a_heading_has_the_published_name(heading: str, section: str) -> None:
    assert section_name(f" {heading} ") == section


def test_no_heading_stands_for_two_sections() -> None:
    assert len(SECTIONS) == sum(map(len, HEADINGS.values())) == 58


def test_headings_begin_sections_and_the_rest_of_their_line_is_text() -> None:
    report = " FINAL REPORT\n HISTORY:  Cough, no FEVER: see note.\n \n FINDINGS: \n \n Clear.\n IMPRESSION:\n None.\n"
    assert names(report) == ["preamble", "history", "findings", "impression"]
    texts = [section.text.strip() for section in cut_sections(report)]
    assert texts[1:] == ["Cough, no FEVER: see note.", "Clear.", "None."]


def test_what_is_no_heading_stays_in_its_section() -> None:
    assert names("\n IMPRESSION: x\n Note: lower case.\nOUTSIDE: no space before it.\n") == ["preamble", "impression"]


def test_empty_findings_are_left_out() -> None:
    report = " x\n CHEST, PA AND LATERAL:\n \n INDICATION: Cough.\n \n FINDINGS: Clear.\n"
    assert names(report) == ["preamble", "indication", "findings"]


def test_without_findings_and_impression_the_last_section_is_divided() -> None:
    report = "\n COMPARISON: None.\n \n The lungs are clear.\n \n No effusion.\n"
    sections = cut_sections(report)
    assert [section.name for section in sections] == ["preamble", "comparison", "last_paragraph"]
    assert sections[1].text == "None."
    assert sections[2].text == " The lungs are clear.\n \n No effusion.\n"


def test_a_report_without_headings_is_one_section() -> None:
    assert names(" The lungs are clear.\n") == ["full report"]
    assert names(" FINAL REPORT\n \n The lungs are clear.\n") == ["full report", "last_paragraph"]
