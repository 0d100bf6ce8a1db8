"""Reads a folder of DICOM files with reports beside them; nothing that identifies a patient enters the dataset."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.files import PARTIAL, listing_hash
from radscribe.core.progress import progress
from radscribe.core.report_text import tidy_lines
from radscribe.core.text_files import decoded
from radscribe.data.raw import FilmFile, RawFilm, RawStudy
from radscribe.data.source import Source
from radscribe.data.sources.report_sections import PLAIN_SECTIONS, cut_sections
from radscribe.imaging.film_files import DICOM_SUFFIXES, find_films
from radscribe.imaging.identity import Identity, read_identity
from radscribe.imaging.refusal import RefusedFilm

TEXT_SUFFIXES = (".txt", ".TXT")
STUDY_REPORTS = ("report.txt", "REPORT.TXT")
SALT = "salt"
SHORTEST_SALT = 16


@dataclass(eq=False)
class _Study:
    """The files of one study as they are found."""

    patients: set[str] = field(default_factory=set)
    films: list[RawFilm] = field(default_factory=list)
    reports: dict[Path, str | None] = field(default_factory=dict)
    identities: dict[Identity, None] = field(default_factory=dict)  # of its files, without repetition


def find_salt(out: Path, given: Path | None) -> bytes:
    """The secret key of the hashes: from the file ``given``, else from the dataset ``out``, finished or not, else new.

    Raises:
        WrongUse: when the file cannot be read or is too short.
    """
    kept = (path for path in (out / PARTIAL / SALT, out / SALT) if path.is_file())
    path = given or next(kept, None)
    if path is None:
        return secrets.token_hex(32).encode()
    try:
        salt = path.read_bytes().strip()
    except OSError as error:
        raise WrongUse(f"{path}: cannot be opened: {error.strerror}") from error
    if len(salt) < SHORTEST_SALT:
        raise WrongUse(f"{path}: a salt has at least {SHORTEST_SALT} bytes; omit --salt to have one made")
    return salt


def dicom_source(images: Path, salt: bytes) -> Source:
    """The studies of the DICOM files under ``images``, by StudyInstanceUID; patients by PatientID.

    DICOM files are those named .dcm or .dicom, and all others that are DICOM by their content; linked folders are
    followed. The report of ``name.dcm`` or ``name`` is ``name.txt`` beside it, else the nearest ``report.txt`` in its
    folder or one above. Ids are hashes keyed with ``salt``; a film is named by its position in the sorted list of files
    ("file-000001"), as file names may identify a patient. A study whose report identifies its patient is rejected. The
    manifest's ``passed_over`` counts the files that are neither DICOM nor text.

    Raises:
        WrongUse: for a folder that is missing or holds no DICOM file.
        RadscribeError: for a folder that cannot be read.
    """
    if not images.is_dir():
        raise WrongUse(f"{images}: no such folder")
    try:
        files, others = find_films(images, DICOM_SUFFIXES, dicom_only=True)
        files.sort(key=lambda path: path.relative_to(images).as_posix())
        texts = [path for path in others if path.suffix in TEXT_SUFFIXES]
        listing = listing_hash([*files, *texts], images)
    except OSError as error:  # names below the folder may identify a patient
        raise RadscribeError(f"{images}: a file or folder inside cannot be read: {error.strerror}") from None
    if not files:
        looked_for = ", ".join(DICOM_SUFFIXES)
        raise WrongUse(f"{images}: it holds no image file (looked for {looked_for}), nor one that is DICOM by content")
    return Source(
        name="dicom",
        studies=lambda scratch: _studies(images, files, salt),
        settings={"salt": sha256(salt).hexdigest()},
        inputs={"images": sha256(salt + listing.encode()).hexdigest()},
        notes={"passed_over": len(others) - len(texts)},
        secrets={SALT: salt + b"\n"},
    )


def _studies(images: Path, files: list[Path], salt: bytes) -> list[RawStudy]:
    refused: list[RawStudy] = []
    studies: dict[str, _Study] = {}
    for number, path in enumerate(progress(files, "reading headers", "file"), start=1):
        name = f"file-{number:06d}"
        try:
            identity = read_identity(path, name, salt)
        except RefusedFilm as refusal:
            refused.append(RawStudy(name, name, (), refused=refusal.reason))
            continue
        study = studies.setdefault(identity.study_id, _Study())
        study.patients.add(identity.patient_id)
        study.films.append(RawFilm(FilmFile(path, name), name))
        study.identities[identity] = None
        _add_report(study, _report_of(path, images))
    uses = Counter(path for study in studies.values() for path in study.reports)
    shared = {path for path, count in uses.items() if count > 1}
    return [*refused, *(_raw_study(study_id, study, shared) for study_id, study in studies.items())]


def _report_of(path: Path, images: Path) -> Path | None:
    above = [folder for folder in path.parents if folder == images or images in folder.parents]
    # "1.2.840.1" ends in a number, not in a suffix.
    beside = [
        place for suffix in TEXT_SUFFIXES for place in (path.with_name(path.name + suffix), path.with_suffix(suffix))
    ]
    candidates = (*beside, *(folder / name for folder in above for name in STUDY_REPORTS))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _add_report(study: _Study, path: Path | None) -> None:
    if path is None or path in study.reports:
        return
    try:
        text: str | None = "\n".join(decoded(path.read_bytes()).splitlines())
    except (OSError, ValueError):
        text = None
    # UTF-16 without its mark may pass for UTF-8, with a NUL behind each letter that hides a name.
    study.reports[path] = None if text is None or "\0" in text else text


def _is_in_doubt(study: _Study) -> bool:
    """Whether a name of the patient could stand in a report of the study without being found."""
    texts = {text for text in study.reports.values() if text}
    return any(identity.is_in_doubt(text) for identity in study.identities for text in texts)


def _is_patient_named(study: _Study) -> bool:
    """Whether a report of the study names its patient as any of its files does."""
    texts = {text for text in study.reports.values() if text}
    return any(identity.is_named_in(text) for identity in study.identities for text in texts)


def _raw_study(study_id: str, study: _Study, shared: set[Path]) -> RawStudy:
    texts = list(dict.fromkeys(study.reports.values()))
    report = cut_report(texts[0] or "") if texts else {}
    reasons = {
        "its files carry different PatientIDs": len(study.patients) > 1,
        "no report file found": not texts,
        "its report cannot be opened or is not UTF-8 text": None in texts,
        "its files have different reports": len(texts) > 1,
        "its report.txt lies above other studies, too; give each study a folder": bool(shared & study.reports.keys()),
        "its report holds the name, birth date or an identifier of its patient; take it out first": _is_patient_named(
            study
        ),
        "its report cannot be searched for its patient's name, which the header has unreadable or in another script": (
            _is_in_doubt(study)
        ),
    }
    return RawStudy(
        study_id=study_id,
        patient_id=min(study.patients),
        films=tuple(study.films),
        findings=report.get("findings", ""),
        impression=report.get("impression", ""),
        indication=report.get("indication", ""),
        refused=next((reason for reason, holds in reasons.items() if holds), None),
    )


def cut_report(text: str) -> dict[str, str]:
    """Section -> text of a free-form report, with its lines; headings are known names, in any case, at a line's start.

    A report with neither findings nor an impression becomes findings as a whole.
    """
    lines = []
    for line in text.splitlines():
        heading, colon, rest = line.partition(":")
        known = bool(colon) and heading.strip().lower() in PLAIN_SECTIONS
        lines.append(f" {heading.strip().upper()}: {rest.strip()}" if known else f" {line.strip()}")
    sections = cut_sections("\n" + "\n".join(lines), PLAIN_SECTIONS)
    found = {section.name: tidy_lines(section.text) for section in sections}
    if "findings" not in found and "impression" not in found:
        return {"findings": tidy_lines(text)}
    return {"indication": found.get("history", ""), **found}
