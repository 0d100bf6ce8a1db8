"""Writes every document of a draft into a folder of its study."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radscribe.clinic.case import Case, case_of
from radscribe.clinic.fhir import fhir_bundle
from radscribe.clinic.findings_report import findings_report
from radscribe.clinic.narrative import narrative
from radscribe.clinic.overlay import overlay_object
from radscribe.clinic.pdf import pdf_object, report_pdf
from radscribe.clinic.source import SourceFilm, read_source
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.files import replaced_together
from radscribe.core.records import Draft
from radscribe.imaging.crop import FilmConfig
from radscribe.imaging.film import Film
from radscribe.imaging.refusal import RefusedFilm

PLAIN = ("report.pdf", "fhir.json")
OBJECTS = ("report.sr.dcm", "findings.sr.dcm", "report.pdf.dcm", "overlay.sc.dcm")
ONLY_PLAIN = f"only {' and '.join(PLAIN)} are written"


@dataclass(frozen=True)
class StandardsFolder:
    """Where the documents of drafts go: ``folder``/<study id>/."""

    folder: Path
    # How the model cuts films.
    film: FilmConfig
    # When the documents are made, with the time's zone.
    made: datetime

    def outputs(self, study_id: str) -> list[Path]:
        """Every file that ``write`` may replace; raises ``WrongUse`` for an id that is no name of a folder."""
        if Path(study_id).name != study_id:
            raise WrongUse(f"study id {study_id!r}: it is no name of a folder; name the study otherwise")
        return [self.folder / study_id / name for name in (*PLAIN, *OBJECTS)]

    def write(self, draft: Draft, paths: Sequence[Path], films: Sequence[Film], view: NDArray[np.uint8]) -> str:
        """Write the documents of a draft, all of them or none.

        Args:
            draft: the draft.
            paths: the files of its films, the frontal first.
            films: the films of these files.
            view: what the model saw of the first film (crop x crop, uint8).

        Returns:
            what was not written and why, in one line; "" where all was.

        Raises:
            RefusedFilm: a document cannot be made.
            RadscribeError: a file cannot be saved.
        """
        source, note = _source(paths[0])
        others = [found for path in paths[1:] if (found := _source(path)[0])]
        case = case_of(draft, paths[0], films[0].pixels, view, self.film, self.made, source, tuple(others))
        outputs = self.outputs(draft.study_id)
        with replaced_together(outputs[0].parent) as staging:
            try:
                write_documents(case, staging)
            except (RadscribeError, OSError):
                raise
            except Exception as error:  # "from None": the libraries' errors quote values of the film's header
                raise RefusedFilm(str(paths[0]), f"its reports cannot be made ({type(error).__name__})") from None
            for path in outputs:  # what an earlier film of this name left
                if not (staging / path.name).exists():
                    path.unlink(missing_ok=True)
        return note


def write_documents(case: Case, folder: Path) -> None:
    """Write the PDF and the FHIR Bundle of a case and, for a DICOM film, the four DICOM objects."""
    pdf = report_pdf(case)
    (folder / "report.pdf").write_bytes(pdf)
    (folder / "fhir.json").write_text(json.dumps(fhir_bundle(case), indent=1, ensure_ascii=False) + "\n", "utf-8")
    if case.source:
        objects = (narrative(case), findings_report(case), pdf_object(case, pdf), overlay_object(case))
        for name, instance in zip(OBJECTS, objects, strict=True):
            instance.save_as(folder / name)


def _source(path: Path) -> tuple[SourceFilm | None, str]:
    """The header of a film and, where it has none that reports can use, what follows from that."""
    try:
        source = read_source(path)
    except RefusedFilm as refusal:
        return None, f"{refusal.reason}; {ONLY_PLAIN}"
    return source, "" if source else f"it has no DICOM header; {ONLY_PLAIN}"
