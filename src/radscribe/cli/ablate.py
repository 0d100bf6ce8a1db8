"""``radscribe ablate``: a table of what each part of a system does."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

RECIPES = Path("recipes/ablations")


def ablate(
    system: Annotated[str, typer.Argument(help="The system, whose recipes lie in recipes/ablations/SYSTEM.")],
    data: Annotated[Path, typer.Option(help="Prepared dataset, a folder made by `radscribe prepare`.")],
    out: Annotated[Path, typer.Option(help="Folder for the runs, and for ablations.md, .csv and .png.")],
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds each recipe is trained with.")] = 3,
    recipes: Annotated[Path | None, typer.Option(help="Another folder of recipes; it must hold a full.yaml.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Run this recipe (a file's name without .yaml) only; may be repeated.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of cached steps (default: OUT/cache).")] = None,
    weights: Annotated[Path, typer.Option(help="Folder of the weights files that recipes name.")] = Path("weights"),
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Bound every stage's training steps, to try an ablation.")
    ] = None,
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, mps or auto, for training.")] = "auto",
    device: Annotated[str, typer.Option(help="cpu, cuda or another torch device, for drafting.")] = "cpu",
) -> None:
    """Train and score every recipe of an ablation with several seeds, and test each against the full system.

    \b
    What is finished is kept, and an interrupted run continues: give the same command again. The same command in two
    terminals shares the work. A run whose recipe or data have changed is run again.
    Exit code 1 tells that a run failed; its line says why, and the others are done.
    Example:
      radscribe ablate revtaf --data work/phantoms --seeds 3 --out work/ablations
    """
    from radscribe.ablation.run import ablate as run
    from radscribe.ablation.run import read_rows
    from radscribe.core.compute import keep_freed_memory
    from radscribe.data.dataset import PreparedDataset
    from radscribe.training.train import Options

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it would tell its precision in every run
    keep_freed_memory()
    rows = read_rows(recipes or RECIPES / system)
    options = Options(
        cache or out / "cache",
        max_steps=max_steps,
        accelerator=accelerator,
        weights=weights,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    outcome = run(rows, PreparedDataset.open(data), out, seeds, options, only or (), device)
    for name in outcome.elsewhere:
        typer.echo(f"{name}: in the hands of another process", err=True)
    if outcome.table:
        typer.echo(outcome.table)
    if outcome.failed:
        typer.echo(f"failed: {len(outcome.failed)} ({'; '.join(outcome.failed)})", err=True)
        raise typer.Exit(1)
