"""``radscribe maps``: the kinds of map that a sentence can show, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import Checkpoint, Data, Device, checkpoint_files, dataset_files


def maps(
    data: Data,
    checkpoint: Checkpoint = None,
    split: Annotated[str, typer.Option(help="validate, test or train.")] = "validate",
    limit: Annotated[int | None, typer.Option(min=1, help="Films to draft, drawn evenly (default: all).")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file of the figures.")] = None,
    device: Device = "cpu",
) -> None:
    """Compare the kinds of map that drafted findings can show: class activation, counterfactual windows, attention.

    \b
    Do they peak where the lesion is (phantoms), and does the probability follow them when the film is deleted from
    their highest cells on, or inserted? Beside it what each costs, and a random map.
    Example:
      radscribe maps --data work/phantoms --checkpoint work/revtaf-mini --limit 100
    """
    from radscribe.core.files import write_json
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.session import drafting
    from radscribe.evaluation.maps import score_maps

    keep_inputs([out], [*dataset_files(data), *checkpoint_files(checkpoint)])
    with drafting(checkpoint, device) as reporter:
        found = score_maps(reporter, PreparedDataset.open(data), split, limit)
    if out:
        write_json(out, found.to_dict())
    typer.echo(found.markdown(), nl=False)
