"""IU X-Ray (NLMCXR, OpenI) from the files that the National Library of Medicine and R2Gen give out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

import pyarrow as pa

from radscribe.data.archive import fit_archive
from radscribe.data.files import listing_hash, sha256_of
from radscribe.data.raw import FilmFile, FilmLoader, FilmRefused, RawFilm, RawStudy
from radscribe.data.source import Source
from radscribe.data.sources.iu_reports import IuReport, read_reports
from radscribe.data.sources.listing import image_files, read_rows
from radscribe.study import RadscribeError, WrongUse

ANNOTATION_SPLITS = {"train": "train", "val": "validate", "test": "test"}
# R2Gen's folders: CXR2384_IM-0942/0.png, numbered in the order of the views.
R2GEN_FOLDER = re.compile(r"(CXR\d+)(?:_.*)?")
EXTRA_FIELDS = {"report_id": pa.string()}


@dataclass(frozen=True)
class _Options:
    """What the user's optional files say; None where a file was not given."""

    splits: Mapping[str, str] | None
    views: Mapping[str, str] | None


def iu_xray_source(
    reports_archive: Path,
    images: Path,
    annotation: Path | None = None,
    projections: Path | None = None,
    size: int = 256,
) -> Source:
    """The studies of IU X-Ray; every report is a patient of its own.

    ``images`` is a folder (searched at any depth; names of the NLM, of Kaggle's copy, or R2Gen's folders) or an
    NLMCXR_png.tgz or NLMCXR_dcm.tgz, whose films are fitted as they stream past. R2Gen's
    ``annotation`` gives the split (else the hash of the report id), ``projections`` the views; without it all views
    are "unknown" and the first image of a study is the one that a one-view model reads. The films' own DICOM
    headers are not believed: they call many lateral films PA.

    Raises:
        RadscribeError: one line, for a file that is missing, damaged or of another kind.
    """
    reports = read_reports(reports_archive)
    options = _Options(
        _annotation_splits(annotation) if annotation else None, _projected_views(projections) if projections else None
    )
    given = [path for path in (reports_archive, annotation, projections) if path is not None]

    def studies(scratch: Path) -> list[RawStudy]:
        loaders = _folder_films(images) if images.is_dir() else _archive_films(images, scratch, reports, size)
        return [_study(report, loaders, options) for report in reports]

    return Source(
        name="iu-xray",
        studies=studies,
        inputs={**{path.name: sha256_of(path) for path in given}, images.resolve().name: _images_hash(images)},
        extra_fields=EXTRA_FIELDS,
    )


def _images_hash(images: Path) -> str:
    """Which images were given: the listing of a folder; an archive, too large to hash, by its name and size."""
    if images.is_dir():
        return listing_hash(image_files(images), images)
    return listing_hash([images] if images.is_file() else [], images.parent)


def film_key(name: str) -> str:
    """The key of an image by its path: "CXR25_IM-1024-2001" for the NLM's and Kaggle's names, else folder/number."""
    path = Path(name)
    stem = re.sub(r"(\.(png|jpe?g|dcm|dicom))+$", "", path.name, flags=re.IGNORECASE)
    folder = R2GEN_FOLDER.fullmatch(path.parent.name)
    if stem.isdigit() and folder:
        return f"{folder[1]}/{int(stem)}"
    return f"CXR{stem}" if stem[:1].isdigit() else stem


def _annotation_splits(path: Path) -> dict[str, str]:
    """Report id -> split, from R2Gen's annotation.json."""
    try:
        lists = json.loads(path.read_text("utf-8"))
        return {
            str(entry["id"]).partition("_")[0]: split
            for name, split in ANNOTATION_SPLITS.items()
            for entry in lists[name]
        }
    except OSError as error:
        raise WrongUse(f"{path}: it cannot be opened: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise WrongUse(
            f"{path}: it is no annotation of R2Gen (lists train, val and test of studies with id)"
        ) from error


def _projected_views(path: Path) -> dict[str, str]:
    """Film key -> view, from indiana_projections.csv."""
    rows = read_rows(path, ("filename", "projection"))
    return {film_key(row["filename"]): row["projection"].lower() for row in rows}


def _folder_films(folder: Path) -> dict[str, FilmLoader]:
    loaders: dict[str, FilmLoader] = {}
    for path in image_files(folder):
        loaders.setdefault(film_key(str(path)), FilmFile(path, path.relative_to(folder).as_posix()))
    return loaders


def _archive_films(archive: Path, cache: Path, reports: Sequence[IuReport], size: int) -> dict[str, FilmLoader]:
    if not archive.is_file():
        raise RadscribeError(f"{archive}: there is no such folder or archive; give the images of the collection")
    wanted = {image for report in reports if report.findings or report.impression for image in report.images}
    members = fit_archive(archive, cache, film_key, wanted, size)
    return {
        key: FilmFile(member.path, key) if member.path else FilmRefused(key, member.reason)
        for key, member in members.items()
    }


def _study(report: IuReport, loaders: Mapping[str, FilmLoader], options: _Options) -> RawStudy:
    keys = [key for key in map(film_key, report.images) if key in loaders]
    if not keys:  # R2Gen's folders hold 0.png, 1.png ... instead of the names in the report
        keys = list(takewhile(loaders.__contains__, (f"{report.report_id}/{number}" for number in count())))
    refused = None
    if options.splits is not None and report.report_id not in options.splits:
        refused = "it is not in the annotation file"
    elif not keys:
        refused = "no image file found"
    views = options.views or {}
    return RawStudy(
        study_id=report.report_id,
        patient_id=report.report_id,
        split=options.splits.get(report.report_id) if options.splits is not None else None,
        films=tuple(RawFilm(loaders[key], key, views.get(key, "unknown")) for key in keys),
        findings=report.findings,
        impression=report.impression,
        indication=report.indication,
        extra={"report_id": report.report_id},
        refused=refused,
    )
