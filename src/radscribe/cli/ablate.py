"""``radscribe ablate``: the contribution of each part of a system, as a table."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import Data, Labelled, ProtocolName, Weights, dataset_files

RECIPES = Path("recipes/ablations")


def ablate(
    system: Annotated[str, typer.Argument(help="The system: its recipes are in recipes/ablations/SYSTEM.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the runs and for ablations.md, .csv and .png.")],
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds that each recipe is trained with.")] = 3,
    recipes: Annotated[Path | None, typer.Option(help="Another folder of recipes.")] = None,
    full: Annotated[str, typer.Option(help="The recipe that every other one is compared with.")] = "full",
    protocol: ProtocolName = "full",
    only: Annotated[
        list[str] | None,
        typer.Option(help="Run only this recipe (a file's name without .yaml); repeatable."),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of cached steps (default: OUT/cache).")] = None,
    weights: Weights = Path("weights"),
    labelled: Labelled = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Limit the training steps of every stage, to try an ablation.")
    ] = None,
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, mps or auto, for training.")] = "auto",
    device: Annotated[str, typer.Option(help="cpu, cuda or another torch device, for drafting.")] = "cpu",
) -> None:
    """Train and score every recipe of an ablation with several seeds, and test each against the full system.

    \b
    Finished runs are kept, and the same command continues an interrupted one. The same command in two terminals shares
    the work. A run whose recipe or data have changed is repeated.
    Exit code 1 means that a run failed: its line gives the reason, and the other runs are done.
    Examples:
      radscribe ablate revtaf --data work/phantoms --seeds 3 --out work/ablations
      radscribe ablate revtaf --data work/phantoms --out work/ablations --only full --max-steps 20
      radscribe ablate iu --recipes recipes/iu --full revtaf --data work/iu --labelled work/labelled --weights FOLDER \\
          --protocol r2gen-iu --out work/iu-systems
    """
    from radscribe.ablation.run import ablate as run
    from radscribe.ablation.run import read_rows
    from radscribe.core.compute import keep_freed_memory
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.training.train import Options

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it would report its precision in every run
    keep_freed_memory()
    folder = recipes or RECIPES / system
    rows = read_rows(folder, full)
    written = ("ablations.md", "ablations-more.md", "ablations.csv", "ablations-tests.csv", "ablations.png")
    files = [file for source in (data, *(labelled or ())) for file in dataset_files(source)]
    keep_inputs([out / name for name in written], [*folder.iterdir(), *files])
    options = Options(
        cache or out / "cache",
        max_steps=max_steps,
        accelerator=accelerator,
        weights=weights,
        labelled=tuple(map(PreparedDataset.open, labelled or ())),
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    outcome = run(rows, PreparedDataset.open(data), out, seeds, options, only or (), device, protocol)
    for name in outcome.elsewhere:
        typer.echo(f"{name}: another process is working on it", err=True)
    if outcome.table:
        typer.echo(outcome.table)
    if outcome.failed:
        typer.echo(f"failed: {len(outcome.failed)} ({'; '.join(outcome.failed)})", err=True)
        raise typer.Exit(1)
