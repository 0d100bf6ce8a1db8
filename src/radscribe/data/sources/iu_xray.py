"""Reads IU X-Ray (NLMCXR, OpenI) from the files that the National Library of Medicine, Kaggle or R2Gen publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

import pyarrow as pa

from radscribe.core.errors import RadscribeError
from radscribe.core.files import listing_hash, sha256_of
from radscribe.core.report_text import one_line
from radscribe.data.archive import fit_archive
from radscribe.data.raw import FilmFile, FilmLoader, FilmRefused, RawFilm, RawStudy, Unsquashed
from radscribe.data.source import Source
from radscribe.data.sources.iu_copies import (
    annotation_splits,
    film_key,
    kaggle_reports,
    native_shapes,
    projected_views,
    r2gen_reports,
)
from radscribe.data.sources.iu_reports import IuReport, read_reports
from radscribe.data.sources.listing import image_files

EXTRA_FIELDS = {"report_id": pa.string()}


@dataclass(frozen=True)
class _Options:
    """The content of the optional files; None where a file was not given."""

    splits: Mapping[str, str] | None  # report id -> split
    views: Mapping[str, str] | None  # film key -> view
    shapes: Mapping[str, tuple[int, int]] | None = None  # film key -> rows and columns


def iu_xray_source(
    reports_archive: Path,
    images: Path,
    annotation: Path | None = None,
    projections: Path | None = None,
    size: int = 256,
    shapes: Path | None = None,
) -> Source:
    """The studies of IU X-Ray; every report is its own patient.

    Args:
        reports_archive: NLMCXR_reports.tgz.
        images: a folder (searched at any depth; names of the NLM or Kaggle, or R2Gen's folders), or NLMCXR_png.tgz or
            NLMCXR_dcm.tgz, whose films are fitted as the archive is read.
        annotation: R2Gen's annotation.json, which gives the split (default: by hash of the report id).
        projections: Kaggle's indiana_projections.csv, which gives the views. By default all are "unknown", and a
            one-view model reads the first image of a study; the DICOM headers are not used, as they call many lateral
            films PA.
        size: side of the films fitted from an archive, in pixels.
        shapes: a table with the rows and columns of each film (image, rows, columns), where the films of a folder were
            scaled to squares: it undoes that.

    Raises:
        RadscribeError: for a file that is missing, damaged or of another kind.
    """
    reports = read_reports(reports_archive)
    options = _Options(
        annotation_splits(annotation) if annotation else None,
        projected_views(projections) if projections else None,
        native_shapes(shapes) if shapes else None,
    )
    return _source(reports, images, options, (reports_archive, annotation, projections, shapes), size)


def kaggle_source(folder: Path, annotation: Path | None = None) -> Source:
    """The studies of IU X-Ray in Kaggle's copy: ``folder`` holds indiana_reports.csv, indiana_projections.csv, images.

    The projections give the views, R2Gen's ``annotation`` the split (default: by hash of the report id).

    Raises:
        RadscribeError: for a file that is missing, damaged or of another kind.
    """
    reports, projections = folder / "indiana_reports.csv", folder / "indiana_projections.csv"
    options = _Options(annotation_splits(annotation) if annotation else None, projected_views(projections))
    return _source(kaggle_reports(reports, projections), folder, options, (reports, projections, annotation))


def r2gen_source(folder: Path) -> Source:
    """The studies of IU X-Ray as R2Gen publishes them: ``folder`` holds annotation.json (findings, split) and images.

    Raises:
        RadscribeError: for a file that is missing, damaged or of another kind.
    """
    annotation = folder / "annotation.json"
    options = _Options(annotation_splits(annotation), None)
    return _source(r2gen_reports(annotation), folder, options, (annotation,))


def _source(
    reports: Sequence[IuReport], images: Path, options: _Options, tables: Sequence[Path | None], size: int = 256
) -> Source:
    given = [path for path in tables if path is not None]

    def studies(scratch: Path) -> list[RawStudy]:
        loaders = _folder_films(images) if images.is_dir() else _archive_films(images, scratch, reports, size)
        return [_study(report, loaders, options) for report in reports]

    return Source(
        name="iu-xray",
        studies=studies,
        inputs={**{path.name: sha256_of(path) for path in given}, images.resolve().name: _images_hash(images)},
        extra_fields=EXTRA_FIELDS,
        texts=lambda section: _texts_of_no_study(reports, options, section),
    )


def _texts_of_no_study(reports: Sequence[IuReport], options: _Options, section: str) -> list[str]:
    """Texts of the reports that the annotation leaves out, but none that stands in its validation or test split too.

    Without an annotation every report belongs to a study, or has no film.
    """
    if options.splits is None:
        return []
    texts = {report.report_id: report.section(section) for report in reports}
    scored = {one_line(texts.get(name, "").lower()) for name, split in options.splits.items() if split != "train"}
    left = (text for name, text in texts.items() if text and name not in options.splits)
    return [text for text in left if one_line(text.lower()) not in scored]


def _images_hash(images: Path) -> str:
    """Hash of the listing of a folder of images, or of an archive's name and size: its content is too large to hash."""
    if images.is_dir():
        return listing_hash(image_files(images), images)
    return listing_hash([images] if images.is_file() else [], images.parent)


def _folder_films(folder: Path) -> dict[str, FilmLoader]:
    loaders: dict[str, FilmLoader] = {}
    for path in image_files(folder):
        loaders.setdefault(film_key(str(path)), FilmFile(path, path.relative_to(folder).as_posix()))
    return loaders


def _archive_films(archive: Path, cache: Path, reports: Sequence[IuReport], size: int) -> dict[str, FilmLoader]:
    if not archive.is_file():
        raise RadscribeError(f"{archive}: no such folder or archive; give the images of the collection")
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
        films=tuple(RawFilm(_film(loaders[key], key, options), key, views.get(key, "unknown")) for key in keys),
        findings=report.findings,
        impression=report.impression,
        indication=report.indication,
        extra={"report_id": report.report_id},
        refused=refused,
    )


def _film(load: FilmLoader, key: str, options: _Options) -> FilmLoader:
    shape = (options.shapes or {}).get(key)
    return Unsquashed(load, *shape) if shape else load
