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
