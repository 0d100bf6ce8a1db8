"""``radscribe calibrate``: how likely a checkpoint's statements are true, and what its drafts should not say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import Data, Device, Labelled, dataset_files


def calibrate(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint folder, made by `radscribe train`.")],
    data: Data,
    labelled: Labelled = None,
    split: Annotated[
        str, typer.Option(help="Split to fit on, whose reports are the truth: never the test's.")
    ] = "validate",
    device: Device = "cpu",
) -> None:
    """Fit on validation studies how likely a checkpoint's statements are true, and store that beside its weights.

    \b
    On the films it learns, too, which ones the model can read: of a lateral, turned or inverted film, or of a picture
    that is no chest film, the draft abstains. `radscribe train` calibrates what it has trained.
    Drafts of a calibrated checkpoint have a probability for each statement, state doubtful findings as possible,
    withhold unlikely ones and what the model cannot know, and call what it does not recognise "not assessed".
    Example:
      radscribe calibrate work/revtaf-mini --data work/phantoms
    """
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.checkpoint import FITTED
    from radscribe.evaluation.card_calibration import calibrate_checkpoint

    sources = [data, *(labelled or ())]
    keep_inputs([checkpoint / name for name in FITTED], [file for source in sources for file in dataset_files(source)])
    further = [PreparedDataset.open(source) for source in labelled or ()]
    typer.echo(calibrate_checkpoint(checkpoint, PreparedDataset.open(data), split, further, device))
