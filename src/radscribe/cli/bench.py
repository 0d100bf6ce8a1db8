"""``radscribe bench``: speed beside what a user would take instead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure speed beside what one would take instead.")


@app.callback()
def _root() -> None:
    """Measure speed beside what one would take instead."""


@app.command()
def metrics(
    reports: Annotated[Path, typer.Option(help="NLMCXR_reports.tgz: the texts that are scored.")],
    out: Annotated[Path, typer.Option(help="Folder for speed.json.")] = Path("bench"),
    pairs: Annotated[int, typer.Option(min=2, help="Pairs of reports.")] = 3858,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of ours, of which the median counts.")] = 5,
) -> None:
    """Language figures against pycocoevalcap and its Java, with agreement; and the rule labeler.

    \b
    Example:
      radscribe bench metrics --reports NLMCXR_reports.tgz
    """
    from radscribe.bench.metrics import measure
    from radscribe.bench.rows import machine, markdown, save

    rows, memory = measure(reports, pairs, repeats)
    save(rows, out / "speed.json")
    typer.echo(f"{markdown(rows)}\n\nPeak memory of ours: {memory:.2f} GB. {machine()}.")


@app.command()
def prepare(
    images: Annotated[
        Path | None, typer.Option(help="Folder of JPEG films; default: phantoms at a detector's size.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for speed-prepare.json.")] = Path("bench"),
    films: Annotated[int, typer.Option(min=1, help="At most so many films.")] = 24,
    size: Annotated[int, typer.Option(min=16, help="Side of the stored films in pixels.")] = 256,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds, of which the median counts.")] = 5,
) -> None:
    """Films a second and core from JPEG to what a dataset stores, against Pillow decoding each one whole.

    \b
    Examples:
      radscribe bench prepare
      radscribe bench prepare --images mimic-cxr-jpg/files/p10/p10000032
    """
    from radscribe.bench.prepare import detector_films, jpeg_files, measure
    from radscribe.bench.rows import machine, markdown, save

    row = measure(jpeg_files(images, films) if images else detector_films(films), size, repeats)
    save([row], out / "speed-prepare.json")
    assert row.peer_s is not None
    typer.echo(f"{markdown([row])}\n\nFilms a second: {1 / row.ours_s:.0f}, Pillow {1 / row.peer_s:.0f}. {machine()}.")
