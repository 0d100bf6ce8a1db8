"""Drafts, DICOM films and cases for the tests of this room."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, uid
from pydicom.dataset import FileMetaDataset

from radscribe.clinic.case import Case, case_of
from radscribe.clinic.source import read_source
from radscribe.core.records import Draft, DraftSentence, EvidenceMap, Finding, WithheldSentence
from radscribe.imaging.crop import FilmConfig, centre_crop
from radscribe.imaging.film import fit, read_film

CONFIG = FilmConfig(64, 48)
MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PATIENT, BORN, IDENTIFIER = "Müller-Sécret^Patient", "19470511", "ID-77123"
BOX = (0.25, 0.5, 0.5, 0.75)
MODEL = {"name": "tiny", "fingerprint": "0123456789abcdef" * 4}
ATTENTION = ((0.25, 0.25), (0.25, 0.25))
PEAK = EvidenceMap("activation", ((0.0, 0.1, 0.0), (1.0, 0.4, 0.0), (0.2, 0.0, 0.0)), BOX, 0.4)

EFFUSION = DraftSentence(
    "There is a possible left pleural effusion.",
    {"pleural effusion": "uncertain"},
    0.7,
    ATTENTION,
    None,
    evidence=PEAK,
    probabilities={"pleural effusion": 0.4567},
    hedged=True,
)
TUBE = DraftSentence(
    "A chest tube is seen.", {"support devices": "positive"}, 0.8, ATTENTION, None, unmapped="No place of it."
)
AIR = DraftSentence("No pneumothorax.", {"pneumothorax": "negative"}, 0.9, ATTENTION, None)
FINDINGS = (
    Finding("pleural effusion", "uncertain", 0.4567),
    Finding("support devices", "positive", 0.8),
    Finding("pneumothorax", "negative", 0.97),
    Finding("fracture", "not assessed", None),
    Finding("aorta", "blank", 0.9),
)
DRAFT = Draft(
    "film",
    " ".join(each.text for each in (EFFUSION, TUBE, AIR)),
    (EFFUSION, TUBE, AIR),
    FINDINGS,
    None,
    MODEL,
    warnings=("its WindowWidth cannot be read and is disregarded",),
    withheld=(WithheldSentence("The bones are < intact.", "The model cannot tell fractures."),),
)
MAPLESS = Draft("film", AIR.text, (AIR,), (Finding("pneumothorax", "negative", 0.97),), None, MODEL)
ABSTAINING = Draft("film", "", (), (), None, MODEL, abstain=True, reasons=("This is a lateral film.",))
DRAFTS = {"stating": DRAFT, "mapless": MAPLESS, "abstaining": ABSTAINING}


def film_dataset(rows: int = 60, columns: int = 40, **fields: Any) -> Dataset:
    """A chest film of noise in DICOM; fields given as None are left out."""
    levels = np.random.default_rng(1).integers(0, 4096, (rows, columns)).astype("<u2")
    values: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "SOPClassUID": uid.DigitalXRayImageStorageForPresentation,
        "SOPInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.1",
        "PatientName": PATIENT,
        "PatientID": IDENTIFIER,
        "PatientBirthDate": BORN,
        "PatientSex": "F",
        "StudyDate": "20250203",
        "StudyTime": "101112",
        "AccessionNumber": "A-5",
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PhotometricInterpretation": "MONOCHROME2",
        "SamplesPerPixel": 1,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "Rows": rows,
        "Columns": columns,
    }
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    for keyword, value in (values | fields).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2")
    dataset.add_new("PixelData", "OW", levels.tobytes())
    return dataset


def write_film(path: Path, **fields: Any) -> Path:
    film_dataset(**fields).save_as(path, enforce_file_format=True)
    return path


def case_in(folder: Path, draft: Draft = DRAFT, **fields: Any) -> Case:
    """The case of a draft of a film that is written into ``folder``."""
    return case_of_file(write_film(folder / "film.dcm", **fields), draft)


def case_of_file(path: Path, draft: Draft = DRAFT) -> Case:
    pixels = read_film(path).pixels
    view = centre_crop(fit(pixels, CONFIG.resize), CONFIG)
    return case_of(draft, path, pixels, view, CONFIG, MADE, read_source(path))


def run_checker(name: str, path: Path) -> str:
    """What ``name`` (dciodvfy or dsrdump) prints of a DICOM object; the test is skipped where it is not installed."""
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed (Debian: dicom3tools and dcmtk)")
    done = subprocess.run([program, str(path)], capture_output=True, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


def texts(content: Any) -> list[str]:
    """The values of all text items of a structured report, at any depth."""
    found = [str(content.TextValue)] if "TextValue" in content else []
    for item in content.get("ContentSequence", ()):
        found += texts(item)
    return found
