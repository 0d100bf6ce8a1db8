"""The reports of MIMIC-CXR: where they lie, and what of each is findings and what impression."""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile, ZipFile

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.data.sources.mimic_listed import LISTED_SECTIONS, LISTED_SPANS
from radscribe.data.sources.report_sections import cut_sections

MAXIMUM_REPORT_BYTES = 2**20
ARCHIVE = "mimic-cxr-reports.zip"
# files/p10/p10000032/s50414267.txt, the study's folder of films plus ".txt"
REPORT_NAME = re.compile(r"(?P<above>.*?)p\d\d/p\d{8}/s\d{8}\.txt")


@dataclass(frozen=True)
class MimicReport:
    """``rule`` tells how the text was found: "heading", "last_paragraph", "comparison" or "listed"."""

    findings: str
    impression: str
    indication: str
    rule: str


def read_mimic_report(study_id: str, report: str) -> MimicReport:
    """Findings and impression of a report by the rules of MIT-LCP/mimic-cxr (``txt/create_section_files.py``).

    The last section of a name counts. A report with neither is its last paragraph, else what stands under
    COMPARISON; studies on the published lists are what the lists say. Such text has no heading of its own and is
    taken as findings. Wet reads and addenda are sections like others, and are not taken.
    """
    if study_id in LISTED_SPANS:
        start, end = LISTED_SPANS[study_id]
        return MimicReport(_one_line(report[start:end]), "", "", "listed")
    sections = {section.name: _one_line(section.text) for section in cut_sections(report)}
    if study_id in LISTED_SECTIONS:
        return MimicReport(sections.get(LISTED_SECTIONS[study_id], ""), "", "", "listed")
    indication = sections.get("indication") or sections.get("history", "")
    findings, impression = (sections.get(name, "") for name in ("findings", "impression"))
    rule = "heading"
    if not findings and not impression:
        rule = next((name for name in ("last_paragraph", "comparison") if name in sections), rule)
        findings = sections.get(rule, "")
    return MimicReport(findings, impression, indication, rule)


def _one_line(text: str) -> str:
    return " ".join(text.split())


class Reports(Protocol):
    """Gives a report by the place of its study ("p10/p10000032/s50414267"): its text, the file it is in, or None."""

    def find(self, place: str) -> str | Path | None: ...


@dataclass(frozen=True)
class ReportFolder:
    """Reports in files of their own below ``folder``, which are opened where the study is read."""

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
        """Raises ``RadscribeError`` where the archive is damaged."""
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
        RadscribeError: one line, when the archive is damaged or no reports are where they should be.
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
    """The text of a report in a file of its own; None where there is none, or one too large to be a report."""
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_REPORT_BYTES + 1)
    except OSError:
        return None
    return decode(content) if len(content) <= MAXIMUM_REPORT_BYTES else None


def decode(content: bytes) -> str:
    """Text with line feeds alone, as the published rules read it; what is not UTF-8 is replaced."""
    return io.TextIOWrapper(io.BytesIO(content), "utf-8", "replace").read()


def _damaged(path: Path) -> RadscribeError:
    return RadscribeError(f"{path}: the archive of reports is damaged; fetch it again")
