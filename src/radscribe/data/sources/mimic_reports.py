"""Finds the reports of MIMIC-CXR and splits each into findings, impression and indication."""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile, ZipFile

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.report_text import tidy_lines
from radscribe.data.sources.mimic_listed import LISTED_SECTIONS, LISTED_SPANS
from radscribe.data.sources.report_sections import cut_sections
from radscribe.labels.lines import without_page_breaks

MAXIMUM_REPORT_BYTES = 2**20
ARCHIVE = "mimic-cxr-reports.zip"
# files/p10/p10000032/s50414267.txt, the study's folder of films plus ".txt"
REPORT_NAME = re.compile(r"(?P<above>.*?)p\d\d/p\d{8}/s\d{8}\.txt")


@dataclass(frozen=True)
class MimicReport:
    """The sections of one report."""

    findings: str
    impression: str
    indication: str
    rule: str  # how the text was found: "heading", "last_paragraph", "comparison" or "listed"


def read_mimic_report(study_id: str, report: str) -> MimicReport:
    """Findings and impression of a report by the rules of MIT-LCP/mimic-cxr (``txt/create_section_files.py``).

    Of several sections with one name, the last counts. If there is neither, the findings are the last paragraph, else
    the text under COMPARISON; for studies on the published lists, they are what the lists say. Wet reads and addenda
    are separate sections and are not used.
    """
    if study_id in LISTED_SPANS:
        start, end = LISTED_SPANS[study_id]
        return MimicReport(without_page_breaks(tidy_lines(report[start:end])), "", "", "listed")
    sections = {section.name: without_page_breaks(tidy_lines(section.text)) for section in cut_sections(report)}
    if study_id in LISTED_SECTIONS:
        return MimicReport(sections.get(LISTED_SECTIONS[study_id], ""), "", "", "listed")
    indication = sections.get("indication") or sections.get("history", "")
    findings, impression = (sections.get(name, "") for name in ("findings", "impression"))
    rule = "heading"
    if not findings and not impression:
        rule = next((name for name in ("last_paragraph", "comparison") if name in sections), rule)
        findings = sections.get(rule, "")
    return MimicReport(findings, impression, indication, rule)


class Reports(Protocol):
    """Finds a report by the folder of its study ("p10/p10000032/s50414267"): its text, its file, or None."""

    def find(self, place: str) -> str | Path | None: ...


@dataclass(frozen=True)
class ReportFolder:
    """Reports in separate files below ``folder``, which are opened only when the study is read."""

    folder: Path

    def find(self, place: str) -> Path:
        return self.folder / f"{place}.txt"


@dataclass(frozen=True, eq=False)
class ReportArchive:
    """Reports inside an open ``mimic-cxr-reports.zip``, below ``above`` ("files/")."""

    path: Path
    archive: ZipFile
    above: str

    def find(self, place: str) -> str | None:
        """The text of a report, None where it is missing or over 1 MiB; raises ``RadscribeError`` if damaged."""
        try:
            member = self.archive.getinfo(f"{self.above}{place}.txt")
        except KeyError:
            return None
        if member.file_size > MAXIMUM_REPORT_BYTES:
            return None
        try:
            return decode(self.archive.read(member))
        except (OSError, BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            raise _damaged(self.path) from error


def open_reports(path: Path) -> Reports:
    """The reports in ``mimic-cxr-reports.zip``, or in a folder that holds ``files/`` or its content.

    Raises:
        RadscribeError: when the archive is damaged or holds no reports in the published layout.
    """
    if path.is_dir():
        return ReportFolder(path / "files" if (path / "files").is_dir() else path)
    try:
        archive = ZipFile(path)
        first = next((found for name in archive.namelist() if (found := REPORT_NAME.fullmatch(name))), None)
    except (OSError, BadZipFile, EOFError) as error:
        raise _damaged(path) from error
    if first is None:
        raise WrongUse(f"{path}: no report such as files/p10/p10000032/s50414267.txt is in it; give {ARCHIVE}")
    return ReportArchive(path, archive, first["above"])


def read_report_file(path: Path) -> str | None:
    """The text of a report file; None where it cannot be read or is too large to be a report."""
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_REPORT_BYTES + 1)
    except OSError:
        return None
    return decode(content) if len(content) <= MAXIMUM_REPORT_BYTES else None


def decode(content: bytes) -> str:
    """Decode UTF-8 with line feeds as the only line ends, as the published rules expect; invalid bytes are replaced."""
    return io.TextIOWrapper(io.BytesIO(content), "utf-8", "replace").read()


def _damaged(path: Path) -> RadscribeError:
    return RadscribeError(f"{path}: the archive of reports is damaged; fetch it again")
