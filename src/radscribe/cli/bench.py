"""``radscribe bench``: speed beside the tools that a user would otherwise take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from radscribe.bench.rows import SpeedRow

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Measure speed beside the tools that one would otherwise take."
)


@app.command()
def metrics(
    reports: Annotated[Path, typer.Option(help="NLMCXR_reports.tgz, whose texts are scored.")],
    out: Annotated[Path, typer.Option(help="Folder for speed.json.")] = Path("bench"),
    pairs: Annotated[int, typer.Option(min=2, help="Number of pairs of reports.")] = 3858,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of our side, of which the median counts.")] = 5,
) -> None:
    """Measure our language figures beside pycocoevalcap and its Java, with their agreement, and the rule labeler.

    \b
    Example:
      radscribe bench metrics --reports NLMCXR_reports.tgz
    """
    from radscribe.bench.metrics import measure
    from radscribe.core.outputs import keep_inputs

    keep_inputs([out / "speed.json"], [reports])
    rows, memory = measure(reports, pairs, repeats)
    _report(rows, out / "speed.json", f"Peak memory of ours: {memory:.2f} GB")


@app.command()
def prepare(
    images: Annotated[
        Path | None, typer.Option(help="Folder of JPEG films (default: synthetic films at a detector's size).")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for speed-prepare.json.")] = Path("bench"),
    films: Annotated[int, typer.Option(min=1, help="Largest number of films.")] = 24,
    size: Annotated[int, typer.Option(min=16, help="Side of the stored films in pixels.")] = 256,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds, of which the median counts.")] = 5,
) -> None:
    """Measure films per second and core from JPEG to a dataset's squares, beside Pillow decoding each film in full.

    \b
    Examples:
      radscribe bench prepare
      radscribe bench prepare --images mimic-cxr-jpg/files/p10/p10000032
    """
    from radscribe.bench.prepare import detector_films, jpeg_files, measure
    from radscribe.core.outputs import keep_inputs

    keep_inputs([out / "speed-prepare.json"], images.rglob("*.jp*g") if images else ())
    row = measure(jpeg_files(images, films) if images else detector_films(films), size, repeats)
    assert row.peer_s is not None
    _report([row], out / "speed-prepare.json", f"Films a second: {1 / row.ours_s:.0f}, Pillow {1 / row.peer_s:.0f}")


def _report(rows: Sequence[SpeedRow], path: Path, summary: str) -> None:
    from radscribe.bench.rows import machine, markdown, save

    save(rows, path)
    typer.echo(f"{markdown(rows)}\n\n{summary}. {machine()}.")
