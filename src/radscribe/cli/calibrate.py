"""``radscribe calibrate``: how likely a checkpoint's statements are true, and what its drafts should not say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import Data, Device, dataset_files


def calibrate(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint folder, made by `radscribe train`.")],
    data: Data,
    split: Annotated[
        str, typer.Option(help="Split to fit on, whose reports are the truth: never the test's.")
    ] = "validate",
    device: Device = "cpu",
) -> None:
    """Fit on validation studies how likely a checkpoint's statements are true, and store that beside its weights.

    \b
    Drafts of a calibrated checkpoint have a probability for each statement, state doubtful findings as possible,
    withhold unlikely ones and what the model cannot know, and call what it does not recognise "not assessed".
    Example:
      radscribe calibrate work/revtaf-mini --data work/phantoms
    """
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.calibration import CALIBRATION
    from radscribe.drafting.session import drafting
    from radscribe.evaluation.calibrating import calibrate as fit
    from radscribe.evaluation.card_calibration import CURVES, save_calibrated
    from radscribe.evaluation.doubts import doubts_of

    keep_inputs([checkpoint / CALIBRATION, checkpoint / CURVES], dataset_files(data))
    dataset = PreparedDataset.open(data)
    with drafting(checkpoint, device) as reporter:
        calibration, drafted, likely = fit(reporter, dataset, split)
    found = doubts_of(calibration, drafted, likely)
    typer.echo(save_calibrated(checkpoint, calibration, drafted, likely, found))
