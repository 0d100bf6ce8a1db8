"""``radscribe train``: a recipe and a prepared dataset become a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import Data, Labelled, Weights, dataset_files


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe, a YAML file.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Checkpoint folder to write.")],
    cache: Annotated[Path | None, typer.Option(help="Folder of cached steps (default: cache/ beside OUT).")] = None,
    weights: Weights = Path("weights"),
    labelled: Labelled = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run where it stopped.")] = False,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Limit the training steps of every stage, to try a recipe.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Random seed in place of the recipe's.")] = None,
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, mps or auto.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Number of devices.")] = 1,
    calibrate: Annotated[
        bool, typer.Option(help="Fit on the validation split which statements and films drafts stand by.")
    ] = True,
) -> None:
    """Train a recipe on a prepared dataset; each finished step is cached by its content.

    \b
    Examples:
      radscribe train recipes/revtaf-mini.yaml --data work/phantoms --out work/revtaf-mini
      radscribe train recipes/revtaf-mini.yaml --data work/phantoms --out work/revtaf-mini --resume
      radscribe train recipes/revtaf-iu-small.yaml --data work/iu --labelled work/labelled --out work/revtaf-iu-small
    """
    from radscribe.core.compute import keep_freed_memory
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.checkpoint import checkpoint_names
    from radscribe.evaluation.card_calibration import calibrate_trained
    from radscribe.training.recipe import imported_files, read_recipe
    from radscribe.training.train import Options
    from radscribe.training.train import train as run

    keep_freed_memory()
    plan = read_recipe(recipe)
    plan = plan if seed is None else replace(plan, seed=seed)
    written = [out / name for name in checkpoint_names()]
    sources = [data, *(labelled or ())]
    files = [file for source in sources for file in dataset_files(source)]
    keep_inputs(written, [recipe, *files, *imported_files(plan, weights)])
    films = tuple(map(PreparedDataset.open, labelled or ()))
    options = Options(cache or out.parent / "cache", resume, max_steps, accelerator, devices, weights, labelled=films)
    dataset = PreparedDataset.open(data)
    checkpoint = run(plan, dataset, out, options)
    if calibrate:
        calibrate_trained(checkpoint, dataset, films, options.say)
