"""Reads the reports of the Indiana University collection (OpenI), as the National Library of Medicine has them."""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from radscribe.core.errors import RadscribeError

MAXIMUM_REPORT_BYTES = 2**20


@dataclass(frozen=True)
class IuReport:
    """One report; a section is "" where it is absent."""

    report_id: str  # such as "CXR25"
    findings: str
    impression: str
    indication: str
    comparison: str
    images: tuple[str, ...]  # names, in the order listed
    mesh: tuple[str, ...] = ()  # manual MeSH tags such as "Opacity/lung/base/left"

    def section(self, name: str) -> str:
        """The text of "findings", "impression" or "both" (findings first)."""
        if name == "both":
            return " ".join(part for part in (self.findings, self.impression) if part)
        return {"findings": self.findings, "impression": self.impression}[name]


def read_reports(archive: Path) -> list[IuReport]:
    """All reports of ``NLMCXR_reports.tgz``, in the order of their numbers.

    Raises:
        RadscribeError: when the file is damaged or not such an archive.
    """
    try:
        with tarfile.open(archive, "r:*") as files:
            reports = [
                _parse(file.read())
                for member in files
                if member.isfile() and member.name.endswith(".xml") and member.size <= MAXIMUM_REPORT_BYTES
                if (file := files.extractfile(member)) is not None
            ]
    except (OSError, EOFError, tarfile.TarError, zlib.error, ElementTree.ParseError, KeyError) as error:
        raise RadscribeError(f"{archive}: cannot be read as NLMCXR_reports.tgz ({error}); fetch it again") from error
    if not reports:
        raise RadscribeError(f"{archive}: it holds no report; give the NLMCXR_reports.tgz of the collection")
    return sorted(reports, key=lambda report: (len(report.report_id), report.report_id))


def _parse(xml: bytes) -> IuReport:
    root = ElementTree.fromstring(xml)
    sections: dict[str, str] = {}
    for element in root.iter("AbstractText"):
        label = element.get("Label", "").upper()
        text = " ".join("".join(element.itertext()).split())
        sections[label] = " ".join(part for part in (sections.get(label, ""), text) if part)
    identifier = root.find("uId")
    if identifier is None:
        raise KeyError("a report has no uId")
    return IuReport(
        report_id=identifier.attrib["id"],
        findings=sections.get("FINDINGS", ""),
        impression=sections.get("IMPRESSION", ""),
        indication=sections.get("INDICATION", ""),
        comparison=sections.get("COMPARISON", ""),
        images=tuple(element.attrib["id"] for element in root.iter("parentImage")),
        mesh=tuple(element.text.strip() for element in root.iter("major") if element.text),
    )
