"""Reads MIMIC-CXR from the files that PhysioNet publishes: MIMIC-CXR-JPG, or MIMIC-CXR in DICOM, with its reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import pyarrow as pa

from radscribe.core.errors import WrongUse
from radscribe.core.files import sha256_of
from radscribe.data.raw import FilmFile, FilmRefused, RawFilm, RawStudy
from radscribe.data.source import Source
from radscribe.data.sources.listing import view_of
from radscribe.data.sources.mimic_reports import ARCHIVE, Reports, open_reports, read_mimic_report, read_report_file
from radscribe.data.sources.mimic_tables import study_table, table_path

SUFFIXES = (".jpg", ".dcm")


@dataclass(frozen=True, slots=True)
class MimicTask:
    """One study by its ids; its files are looked for only when it is resolved."""

    root: Path
    subject_id: str
    study_id: str
    split: str
    films: tuple[tuple[str, str | None], ...]  # DICOM id and view position
    report: str | Path | None  # its text or its file
    chexpert: tuple[int, ...] | None  # 14 states
    named_only: bool  # whether to reject a report without a heading of findings or impression

    def resolve(self) -> RawStudy:
        """The study with its report split into sections and its films, missing ones as refused."""
        text = read_report_file(self.report) if isinstance(self.report, Path) else self.report
        report = read_mimic_report(self.study_id, text or "")
        refused = None
        if text is None:
            refused = "no report file of at most 1 MiB found"
        elif self.named_only and report.rule != "heading":
            refused = "its text stands under no heading of findings or impression"
        extra: dict[str, Any] = {"section_rule": report.rule}
        return RawStudy(
            study_id=self.study_id,
            patient_id=self.subject_id,
            split=self.split,
            films=tuple(self._film(dicom_id, position) for dicom_id, position in self.films),
            findings=report.findings,
            impression=report.impression,
            indication=report.indication,
            extra=extra if self.chexpert is None else {**extra, "chexpert": list(self.chexpert)},
            refused=refused,
        )

    def _film(self, dicom_id: str, position: str | None) -> RawFilm:
        name = f"files/{_place(self.subject_id, self.study_id)}/{dicom_id}"
        found = next((name + suffix for suffix in SUFFIXES if (self.root / (name + suffix)).is_file()), None)
        load = FilmFile(self.root / found, found) if found else FilmRefused(name, "no image file found")
        # Without a position, the header of a DICOM file may still give the view.
        return RawFilm(load, found or name, (view_of(position) or "unknown") if position else None)


@dataclass(frozen=True, eq=False)
class MimicStudies(Sequence[MimicTask]):
    """The tasks of all studies, made from the table and the reports only on access, as there are many."""

    root: Path
    table: pa.Table
    reports: Reports
    named_only: bool

    def __len__(self) -> int:
        return len(self.table)

    @overload
    def __getitem__(self, position: int) -> MimicTask: ...
    @overload
    def __getitem__(self, position: slice) -> list[MimicTask]: ...
    def __getitem__(self, position: int | slice) -> MimicTask | list[MimicTask]:
        chosen = range(len(self))[position]
        rows = self.table.take(pa.array([chosen] if isinstance(chosen, int) else chosen, pa.int64())).to_pylist()
        tasks = [self._task(row) for row in rows]
        return tasks[0] if isinstance(chosen, int) else tasks

    def _task(self, row: dict[str, Any]) -> MimicTask:
        subject_id, study_id = row["subject_id"], row["study_id"]
        return MimicTask(
            root=self.root,
            subject_id=subject_id,
            study_id=study_id,
            split=row["split"],
            films=tuple(zip(row["dicom_id"], row["ViewPosition"], strict=True)),
            report=self.reports.find(_place(subject_id, study_id)),
            chexpert=tuple(row["chexpert"]) if row.get("chexpert") else None,
            named_only=self.named_only,
        )


def mimic_cxr_source(root: Path, reports: Path | None = None, named_only: bool = False) -> Source:
    """The studies of MIMIC-CXR with the published split, and CheXpert's labels in the column ``chexpert``.

    The column ``section_rule`` records how the text of a report was found (``MimicReport.rule``).

    Args:
        root: the folder of ``files/`` and of the tables of MIMIC-CXR-JPG (``mimic-cxr-2.0.0-split.csv.gz``,
            ``-metadata``, ``-chexpert``; 2.1.0 and plain CSV too); films in DICOM need only the first of these.
        reports: ``mimic-cxr-reports.zip`` or a folder of its content (default: looked for under ``root``).
        named_only: reject reports whose text is not under a heading of findings or impression.

    Raises:
        RadscribeError: for tables, films or reports that are missing, damaged or of another release.
    """
    split, metadata, chexpert = (table_path(root, name) for name in ("split", "metadata", "chexpert"))
    if split is None:
        raise WrongUse(f"{root}: mimic-cxr-2.0.0-split.csv.gz is not in it; copy it there from MIMIC-CXR-JPG")
    # Stops at the first film: listing all of them would take hours.
    film = next((path for path in root.glob("files/p*/p*/s*/*") if path.suffix in SUFFIXES), None)
    if film is None:
        raise WrongUse(
            f"{root}: no film such as files/p10/p10000032/s50414267/ID.jpg is in it; give the folder above files"
        )
    if film.suffix == ".jpg" and metadata is None:
        raise WrongUse(f"{root}: mimic-cxr-2.0.0-metadata.csv.gz is not in it, and only it gives the views; add it")
    texts = reports or _reports_under(root, film)
    table = study_table(split, metadata, chexpert)
    source_of_text = open_reports(texts)
    given = [path for path in (split, metadata, chexpert, texts) if path is not None and path.is_file()]
    return Source(
        name="mimic-cxr",
        studies=lambda scratch: MimicStudies(root, table, source_of_text, named_only),
        settings={"reports": texts.name, "named_only": named_only},
        inputs={path.name: sha256_of(path) for path in given},
        extra_fields={
            "section_rule": pa.string(),
            **({"chexpert": pa.list_(pa.int8())} if chexpert is not None else {}),
        },
    )


def _reports_under(root: Path, film: Path) -> Path:
    candidates = [root / ARCHIVE, root / ARCHIVE.removesuffix(".zip")]
    if film.parent.with_suffix(".txt").is_file():  # as in MIMIC-CXR in DICOM, beside the folders of films
        candidates.append(root / "files")
    found = next((path for path in candidates if path.exists()), None)
    if found is None:
        raise WrongUse(f"{root}: {ARCHIVE} is not in it; give it with --reports (it comes with MIMIC-CXR)")
    return found


def _place(subject_id: str, study_id: str) -> str:
    """The folder of a study below ``files``, as published: "p10/p10000032/s50414267"."""
    return f"p{subject_id[:2]}/p{subject_id}/s{study_id}"
