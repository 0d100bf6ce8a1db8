"""A miniature MIMIC-CXR-JPG in the published layout: films of phantoms, reports of our own in the published shapes."""

from __future__ import annotations

import gzip
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from PIL import Image

from radscribe.data.phantom import patients, render_study

CHEXPERT = (
    "Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,Lung Opacity,"
    "No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
)


@dataclass(frozen=True)
class MiniStudy:
    """``views``: the view position of each film as the metadata table writes it; ``labels``: CheXpert's 14 cells."""

    subject: str
    study: str
    split: str
    report: str | None
    views: tuple[str, ...] = ("PA",)
    labels: str | None = ",,,,,,,,1.0,,,,,"

    @property
    def place(self) -> str:
        return f"files/p{self.subject[:2]}/p{self.subject}/s{self.study}"

    def dicom_id(self, number: int) -> str:
        return f"{self.study}-{number:08x}-00000000-00000000-00000000"


def lines(text: str) -> str:
    """Text as the reports are laid out: every line begins with a space, FINAL REPORT stands in the middle."""
    body = textwrap.dedent(text).strip("\n").replace("FINAL REPORT", " " * 32 + "FINAL REPORT")
    return "".join(f" {line}\n" for line in body.split("\n"))


def phantom_films(count: int) -> list[bytes]:
    """``count`` different JPEG files of phantom patients."""
    films = []
    for plan in islice(patients(3 * count, seed=11), count):
        (_, pixels), *_ = render_study(plan, 0, lateral=False).films
        file = BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=95)
        films.append(file.getvalue())
    assert len(films) == count
    return films


def write_tables(root: Path, studies: Sequence[MiniStudy], version: str = "2.0.0", packed: bool = True) -> None:
    split, metadata = ["dicom_id,study_id,subject_id,split"], [METADATA]
    labels = [f"subject_id,study_id,{CHEXPERT}"]
    for study in studies:
        if study.labels is not None:
            labels.append(f"{study.subject},{study.study},{study.labels}")
        for number, view in enumerate(study.views):
            film = study.dicom_id(number)
            split.append(f"{film},{study.study},{study.subject},{study.split}")
            metadata.append(
                f"{film},{study.subject},{study.study},CHEST (PA AND LAT),{view},256,256,21800506,213014.53,,,Erect"
            )
    for name, table in (("split", split), ("metadata", metadata), ("chexpert", labels)):
        content = ("\n".join(table) + "\n").encode()
        path = root / f"mimic-cxr-{version}-{name}.csv{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)


def write_films(root: Path, films: Mapping[str, bytes]) -> None:
    for name, content in films.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def write_tree(root: Path, studies: Sequence[MiniStudy]) -> Path:
    """Films, tables and ``mimic-cxr-reports.zip`` of ``studies`` under ``root``."""
    names = [f"{study.place}/{study.dicom_id(number)}.jpg" for study in studies for number in range(len(study.views))]
    write_films(root, dict(zip(names, phantom_films(len(names)), strict=True)))
    write_tables(root, studies)
    with ZipFile(root / "mimic-cxr-reports.zip", "w", ZIP_DEFLATED) as archive:
        for study in studies:
            if study.report is not None:
                archive.writestr(f"{study.place}.txt", study.report)
    return root
