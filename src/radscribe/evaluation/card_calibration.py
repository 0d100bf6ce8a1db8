"""Put a calibration into a checkpoint's folder: the file that drafts read, its curves, and a part of the model card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radscribe.core.files import write_text
from radscribe.drafting.calibration import Calibration, save_calibration
from radscribe.evaluation.card_scores import CARD
from radscribe.evaluation.card_scores import HEADING as SCORES
from radscribe.evaluation.doubts import Doubts, draw_doubts
from radscribe.evaluation.scorecard.tables import table
from radscribe.evaluation.statements import DraftedSplit
from radscribe.labels.conditions import CONDITIONS

HEADING = "## What its drafts stand by"
CURVES = "calibration.png"


def save_calibrated(
    checkpoint: Path, calibration: Calibration, drafted: DraftedSplit, likely: NDArray[np.float64], found: Doubts
) -> str:
    """Write ``calibration.json`` and ``calibration.png`` into the folder ``checkpoint`` and, in place of an earlier
    one, a part of its model card, where it has one; returns the Markdown of that part.

    Raises ``RadscribeError`` where the disk refuses.
    """
    text = calibration_text(calibration, found)
    draw_doubts(drafted, likely, checkpoint / CURVES)
    save_calibration(calibration, checkpoint)
    path = checkpoint / CARD
    if path.is_file():
        card = path.read_text(encoding="utf-8")
        said, heading, scores = card.partition(f"\n{SCORES}")
        said = said.partition(f"\n{HEADING}")[0].rstrip()
        write_text(path, f"{said}\n\n{HEADING}\n\n{text}\n{heading}{scores}")
    return text


def calibration_text(calibration: Calibration, found: Doubts) -> str:
    """A calibration as Markdown, with what was ``found`` of statements whose patient it has not seen."""
    measured = calibration.measured
    areas = [
        (name, "-" if area is None else f"{area:.2f}", "no" if name in calibration.not_assessed else "yes")
        for name, area in ((name, measured["areas"][name]) for name in CONDITIONS)
    ]
    sizes = "are stated" if calibration.sizes else "are withheld: they are wrong more often than right"
    return "\n\n".join(
        [
            f"Fitted on the {measured['studies']} studies of the {measured['split']} split of dataset "
            f"{measured['dataset'][:16]}; the figures below are of statements on patients that the regression has not "
            f"seen. A finding with a probability under {calibration.withheld_below:.2f} is withheld, one under "
            f"{calibration.hedged_below:.2f} stated as possible. Sizes {sizes}. `{CURVES}` shows how often statements "
            "of each probability are true, and how many are wrong among the surest.",
            found.markdown(),
            table(("condition", "ROC area of its sign", "assessed"), areas),
        ]
    )
