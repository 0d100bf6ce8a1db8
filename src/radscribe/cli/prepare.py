"""``radscribe prepare``: raw data as a prepared dataset."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import dataset_files
from radscribe.core.errors import WrongUse
from radscribe.core.outputs import keep_inputs
from radscribe.core.records import SPLITS
from radscribe.data.prepare import prepare
from radscribe.data.source import Source

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Turn raw data into a prepared dataset: a folder with films, reports, labels and a leak report.",
)


class Section(StrEnum):
    """The part of a report that is labelled and learned."""

    FINDINGS = "findings"
    IMPRESSION = "impression"
    BOTH = "both"


class Duplicate(StrEnum):
    """Duplicates across splits that can be dropped."""

    NEAR_IDENTICAL_IMAGES = "near-identical-images"
    IDENTICAL_REPORTS = "identical-reports"


Out = Annotated[Path, typer.Option(help="Folder of the prepared dataset; an interrupted one is resumed.")]
Size = Annotated[int, typer.Option(min=32, max=2048, help="Side of the stored films, in pixels.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes that read films (default: one per core).")]
SectionOption = Annotated[Section, typer.Option(help="The part of the report that a study must have.")]
Drop = Annotated[
    list[Duplicate] | None,
    typer.Option(
        help="Drop studies with such duplicates in another split: first from training, then from validation, never "
        "from test; repeatable. Identical images are always dropped."
    ),
]
Reports = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="NLMCXR_reports.tgz.")]


@app.command("mimic-cxr")
def mimic_cxr(
    root: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder of MIMIC-CXR-JPG: files/ and its tables.")
    ],
    out: Out,
    reports: Annotated[
        Path | None, typer.Option(exists=True, help="mimic-cxr-reports.zip or its folder (default: found under ROOT).")
    ] = None,
    section: SectionOption = Section.FINDINGS,
    named_only: Annotated[
        bool, typer.Option("--named-only", help="Keep only reports whose text is under its own heading.")
    ] = False,
    size: Size = 256,
    drop: Drop = None,
    workers: Workers = None,
) -> None:
    """Prepare MIMIC-CXR, films in JPEG or DICOM, with the published split.

    \b
    Example:
      radscribe prepare mimic-cxr --root mimic-cxr-jpg --reports mimic-cxr-reports.zip --out data/mimic
    """
    from radscribe.data.sources.mimic_cxr import mimic_cxr_source

    _keep(out, root, reports)
    _run(mimic_cxr_source(root, reports, named_only), out, size, section, workers, drop)


@app.command("iu-xray")
def iu_xray(
    out: Out,
    reports: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="NLMCXR_reports.tgz, with its films in --images.")
    ] = None,
    images: Annotated[Path | None, typer.Option(exists=True, help="Folder, NLMCXR_png.tgz or NLMCXR_dcm.tgz.")] = None,
    kaggle: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Kaggle's copy: a folder with indiana_reports.csv, indiana_projections.csv and images.",
        ),
    ] = None,
    r2gen: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="R2Gen's copy: a folder with annotation.json and images."),
    ] = None,
    annotation: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="R2Gen's annotation.json, for its split.")
    ] = None,
    projections: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="indiana_projections.csv, for the views.")
    ] = None,
    shapes: Annotated[
        Path | None,
        typer.Option(
            "--views",
            exists=True,
            dir_okay=False,
            help="dicom_views.csv, or another table of image, rows and columns, for squashed --images.",
        ),
    ] = None,
    section: SectionOption = Section.FINDINGS,
    size: Size = 256,
    workers: Workers = None,
    drop: Drop = None,
) -> None:
    """Prepare IU X-Ray (OpenI); every report counts as a patient.

    \b
    From the archives of the National Library of Medicine, from Kaggle's copy or from R2Gen's.
    Examples:
      radscribe prepare iu-xray --reports NLMCXR_reports.tgz --images NLMCXR_png.tgz --out data/iu
      radscribe prepare iu-xray --kaggle chest-xrays-indiana-university --out data/iu
      radscribe prepare iu-xray --r2gen iu_xray --out data/iu
    """
    from radscribe.data.sources.iu_xray import iu_xray_source, kaggle_source, r2gen_source

    _keep(out, reports, images, kaggle, r2gen, annotation, projections, shapes)
    archives = reports is not None or images is not None
    if archives + (kaggle is not None) + (r2gen is not None) != 1:
        raise WrongUse("prepare iu-xray: it needs one source; give --reports with --images, or --kaggle, or --r2gen")
    if kaggle is not None and projections is None and shapes is None:
        source = kaggle_source(kaggle, annotation)
    elif r2gen is not None and projections is None and annotation is None and shapes is None:
        source = r2gen_source(r2gen)
    elif reports is not None and images is not None:
        source = iu_xray_source(reports, images, annotation, projections, size, shapes)
    else:
        raise WrongUse(
            "prepare iu-xray: these options do not go together; give --reports with --images, --kaggle with at most "
            "--annotation, or --r2gen alone"
        )
    _run(source, out, size, section, workers, drop)


@app.command("dicom")
def dicom(
    images: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="Folder of DICOM files with name.txt or report.txt."),
    ],
    out: Out,
    salt: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File with the secret for hashing ids (default: a new one)."),
    ] = None,
    section: SectionOption = Section.FINDINGS,
    size: Size = 256,
    drop: Drop = None,
    workers: Workers = None,
) -> None:
    """Prepare DICOM files with their reports beside them; the ids of studies and patients are hashed.

    \b
    The secret for hashing is kept in OUT/salt: whoever has it can identify the patient of each study. Protect it.
    Example:
      radscribe prepare dicom --images export --out data/ours
    """
    from radscribe.data.sources.dicom_folder import dicom_source, find_salt

    _keep(out, images)
    _run(dicom_source(images, find_salt(out, salt)), out, size, section, workers, drop)


@app.command("table")
def table(
    table: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="CSV table, UTF-8.")],
    images: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder that the image paths start from.")],
    out: Out,
    size: Size = 256,
    workers: Workers = None,
    drop: Drop = None,
) -> None:
    """Prepare your own films and reports: columns image, report, patient_id; optional study_id, split, view.

    \b
    Example:
      radscribe prepare table --table studies.csv --images films --out data/ours
    """
    from radscribe.data.sources.table import table_source

    _keep(out, table, images)
    _run(table_source(table, images), out, size, Section.FINDINGS, workers, drop)


@app.command("annotation")
def annotation(
    annotation: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="annotation.json of R2Gen, PromptMRG or related models.")
    ],
    images: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder that the image paths in it start from.")
    ],
    out: Out,
    size: Size = 256,
    workers: Workers = None,
    drop: Drop = None,
) -> None:
    """Prepare the studies of an annotation in R2Gen's format: its splits, reports, images and labels (14 or 18).

    \b
    Example:
      radscribe prepare annotation --annotation annotation.json --images images --out data/iu
    """
    from radscribe.data.sources.annotations import annotation_source

    _keep(out, annotation, images)
    _run(annotation_source(annotation, images), out, size, Section.FINDINGS, workers, drop)


@app.command("phantom")
def phantom(
    out: Out,
    studies: Annotated[int, typer.Option(min=1, help="Number of studies.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed: each gives other patients.")] = 0,
    lateral_share: Annotated[float, typer.Option(min=0, max=1, help="Share of studies with a lateral film.")] = 0.25,
    sites: Annotated[int, typer.Option(min=1, max=2, help="Number of sites, each with its own house style.")] = 1,
    site: Annotated[int | None, typer.Option(min=0, help="Word all reports in the style of this site.")] = None,
    size: Size = 256,
    workers: Workers = None,
    drop: Drop = None,
) -> None:
    """Prepare phantoms: synthetic chest radiographs with reports, true labels and lesion masks.

    \b
    Examples:
      radscribe prepare phantom --studies 2000 --seed 1 --out data/phantoms
      radscribe prepare phantom --studies 2000 --sites 2 --site 1 --out data/second-style
    """
    from radscribe.data.sources.phantom import phantom_source

    _run(phantom_source(studies, seed, lateral_share, sites, site), out, size, Section.FINDINGS, workers, drop)


@app.command("unpaired")
def unpaired(
    images: Annotated[
        list[Path],
        typer.Option(
            exists=True, help="labels.csv (image, labels, patient_id), or folders named by label; repeatable."
        ),
    ],
    reports: Reports,
    out: Out,
    section: SectionOption = Section.FINDINGS,
    seed: Annotated[int, typer.Option(min=0, help="Random seed: each gives other pairs.")] = 0,
    size: Size = 256,
    workers: Workers = None,
    drop: Drop = None,
) -> None:
    """Prepare labelled films without reports, each weakly paired with a real report of the same findings.

    \b
    Example:
      radscribe prepare unpaired --images nih/labels.csv --images kermany_pneumonia \\
        --reports NLMCXR_reports.tgz --out data/weak
    """
    from radscribe.data.sources.unpaired import unpaired_source

    _keep(out, *images, reports)
    _run(unpaired_source(images, reports, section.value, seed), out, size, section, workers, drop)


@app.command("labelled")
def labelled(
    images: Annotated[
        list[Path],
        typer.Option(
            exists=True, help="labels.csv (image, labels, patient_id), or folders named by label; repeatable."
        ),
    ],
    out: Out,
    size: Size = 256,
    workers: Workers = None,
) -> None:
    """Prepare labelled films without reports, for `radscribe train --labelled`: what films show, without words.

    \b
    Example:
      radscribe prepare labelled --images nih/labels.csv --images kermany_pneumonia --out data/labelled
    """
    from radscribe.data.sources.labelled import labelled_source

    _keep(out, *images)
    _run(labelled_source(images), out, size, "none", workers)


def _keep(out: Path, *inputs: Path | None) -> None:
    """Refuse an ``out`` that would replace an input, before tables are read and folders listed."""
    keep_inputs([out, *dataset_files(out)], inputs)


def _run(
    source: Source, out: Path, size: int, section: str, workers: int | None, drop: Sequence[Duplicate] | None = None
) -> None:
    duplicates = [duplicate.value for duplicate in drop or ()]
    manifest = prepare(source, out, size=size, section=section, workers=workers, drop=duplicates)
    for split in SPLITS:
        counts = manifest["counts"][split]
        typer.echo(
            f"{split:9}{counts['studies']:8,} studies{counts['patients']:8,} patients{counts['images']:8,} images"
        )
    if manifest["weakly_paired"]:
        pairing = manifest["pairing"]
        typer.echo(f"{manifest['notice']} ({pairing['exact']:,} exactly, {pairing['nearest']:,} nearest)")
    if texts := manifest.get("texts"):
        typer.echo(f"{texts:,} further reports without a study here, for the text encoder alone")
    for rule, count in manifest["dropped"].items():
        if count:
            typer.echo(f"{count:,} studies dropped for {rule.replace('_', ' ')} in a split that takes precedence")
    if manifest["rejected"]:
        typer.echo(f"{manifest['rejected']:,} set aside; reasons in {out / 'rejected.csv'}")
    if manifest.get("passed_over"):
        typer.echo(f"{manifest['passed_over']:,} file(s) passed over: neither DICOM nor text")
    typer.echo(f"prepared dataset in {out}")
