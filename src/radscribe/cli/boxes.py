"""``radscribe boxes``: the maps of a checkpoint beside radiologists' boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import Checkpoint, Device, checkpoint_files


def boxes(
    table: Annotated[
        Path, typer.Argument(help="CSV table: image, label, x, y, w, h (pixels of the film; one row a box).")
    ],
    images: Annotated[Path, typer.Option(help="Folder of the films that the table names.")],
    checkpoint: Checkpoint = None,
    out: Annotated[Path | None, typer.Option(help="JSON file of the figures.")] = None,
    device: Device = "cpu",
) -> None:
    """Count how often a model's map of a finding peaks in the box that a radiologist drew around it.

    \b
    Beside it: the map of another film, chance, and where the draft states the finding the map that it shows.
    Example:
      radscribe boxes readings/boxes.csv --images nih_cxr14_sample/images
    """
    from radscribe.core.files import write_json
    from radscribe.core.outputs import keep_inputs
    from radscribe.drafting.session import drafting
    from radscribe.evaluation.boxes import read_boxes, score_boxes

    findings, passed_over = read_boxes(table, images)
    keep_inputs([out], [table, *(finding.film for finding in findings), *checkpoint_files(checkpoint)])
    with drafting(checkpoint, device) as reporter:
        found = score_boxes(reporter, findings)
    if passed_over:
        typer.echo(f"radscribe: {passed_over} boxes passed over: their labels name none of the conditions", err=True)
    if out:
        write_json(out, found.to_dict())
    typer.echo(found.markdown(), nl=False)
