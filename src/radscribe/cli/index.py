"""``radscribe index``: inspect and rebuild the reference database of a checkpoint, and attach texts to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import checkpoint_files, dataset_files
from radscribe.core.errors import WrongUse

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Inspect or rebuild the reference database of a checkpoint, or attach texts to it.",
)

Checkpoint = Annotated[Path | None, typer.Option(help="Checkpoint folder (default: the packaged one).")]


@app.command()
def inspect(checkpoint: Checkpoint = None) -> None:
    """Show what the reference database contains.

    \b
    Example:
      radscribe index inspect --checkpoint work/revtaf-mini
    """
    from radscribe.drafting.index_files import load_index
    from radscribe.drafting.reporter import packaged_checkpoint

    folder = checkpoint or packaged_checkpoint()
    database, fingerprint = load_index(folder / "index")
    attached = "attached" if database.sentences is not None else "not attached (radscribe index attach)"
    typer.echo(f"model       {fingerprint[:16]}")
    typer.echo(f"studies     {len(database):,} of {len(set(database.patients.tolist())):,} patients")
    typer.echo(
        f"reports     {len(database.sentences_of_report):,} distinct, {len(database.sentence_vectors):,} sentences"
    )
    typer.echo(f"ball        {database.ball.shape[-1] if database.ball.numel() else 0} dimensions")
    typer.echo(f"texts       {attached}")


@app.command()
def attach(
    reports: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="NLMCXR_reports.tgz, for a model trained on its reports."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="The prepared dataset that the model was trained on."),
    ] = None,
    checkpoint: Checkpoint = None,
) -> None:
    """Attach the texts of the reference reports, once; drafts then show them, and their own words do not change.

    \b
    Examples:
      radscribe index attach --reports NLMCXR_reports.tgz
      radscribe index attach --checkpoint work/revtaf-mini --data work/phantoms
    """
    from radscribe.core.files import read_json
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.data.sources.iu_reports import read_reports
    from radscribe.drafting.index_files import INDEX_FILES, load_index, save_index
    from radscribe.drafting.reporter import packaged_checkpoint

    if (reports is None) == (data is None):
        raise WrongUse("index attach: the texts need one source; give either --reports or --data")
    folder = checkpoint or packaged_checkpoint()
    keep_inputs([folder / "index" / name for name in INDEX_FILES], [reports, *dataset_files(data)])
    section = read_json(folder / "config.json")["system"]["section"]
    database, fingerprint = load_index(folder / "index")
    if reports is not None:
        texts = {report.report_id: report.section(section) for report in read_reports(reports)}
    else:
        assert data is not None
        dataset = PreparedDataset.open(data)
        ids = dataset.column("report_id") if "report_id" in dataset.table.column_names else {}
        texts = {ids.get(study.study_id, study.study_id): study.report(section) for study in dataset.studies}
    database = database.with_reports(texts)
    save_index(folder / "index", database, fingerprint, texts=True)
    typer.echo(f"attached {len(database.sentences_of_report):,} reports to {folder}")


@app.command()
def build(
    data: Annotated[Path, typer.Option(help="Prepared dataset whose training split becomes the database.")],
    out: Annotated[Path, typer.Option(help="Checkpoint folder to write: the same weights with the new database.")],
    checkpoint: Checkpoint = None,
    texts: Annotated[bool, typer.Option("--texts", help="Store the texts of the reports too.")] = False,
) -> None:
    """Rebuild the reference database, from other training studies or for a model whose index is outdated.

    \b
    Example:
      radscribe index build --checkpoint work/revtaf-mini --data work/more-phantoms --out work/revtaf-mini-2
    """
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.checkpoint import checkpoint_names
    from radscribe.drafting.reporter import packaged_checkpoint
    from radscribe.training.rebuild_index import rebuild_index

    written = [out / name for name in checkpoint_names()]
    keep_inputs(written, [*checkpoint_files(checkpoint or packaged_checkpoint()), *dataset_files(data)])
    count = rebuild_index(checkpoint or packaged_checkpoint(), PreparedDataset.open(data), out, texts)
    typer.echo(f"indexed {count:,} studies in {out}")
