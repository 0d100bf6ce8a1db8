"""``radscribe rexrank``: the studies of a ReXrank file, drafted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import Checkpoint, Device, checkpoint_files, exit_if_refused


def rexrank(
    studies: Annotated[Path, typer.Argument(help="ReXrank's input file, JSON.")],
    out: Annotated[Path, typer.Argument(help="The same file with a model_prediction for each study.")],
    images: Annotated[Path, typer.Option(help="Folder that the image paths in the file start from.")],
    checkpoint: Checkpoint = None,
    device: Device = "cpu",
) -> None:
    """Draft a report for each study of a ReXrank file, from its key image; those with a draft in OUT stay as they are.

    \b
    Exit code 1 means that an image was refused: its study gets an empty report, which the next run tries again,
    and the other studies are drafted.
    Example:
      radscribe rexrank ReXRank_IUXray_test.json predictions.json --images iu_xray/images
    """
    from radscribe.core.outputs import keep_inputs
    from radscribe.drafting.rexrank import draft_studies, key_images, read_studies
    from radscribe.drafting.session import drafting

    asked = read_studies(studies)
    keep_inputs([out], [studies, *key_images(asked, images), *checkpoint_files(checkpoint)])
    with drafting(checkpoint, device) as reporter:
        refused = draft_studies(reporter, asked, images, out)
    exit_if_refused(refused)
