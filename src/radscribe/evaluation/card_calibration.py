"""Put a calibration into a checkpoint's folder: the file that drafts read, its curves, and a part of the model card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from radscribe.core.errors import RadscribeError
from radscribe.core.files import write_text
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.calibration import Calibration, save_calibration
from radscribe.drafting.gate_files import GATE_FILES, save_gate
from radscribe.drafting.session import drafting
from radscribe.evaluation.calibrating import calibrate
from radscribe.evaluation.card_scores import CARD
from radscribe.evaluation.card_scores import HEADING as SCORES
from radscribe.evaluation.doubts import Doubts, doubts_of, draw_doubts
from radscribe.evaluation.gate import gate_table, gate_text
from radscribe.evaluation.scorecard.tables import table
from radscribe.labels.conditions import CONDITIONS
from radscribe.training.gate import fit_gate

HEADING = "## What its drafts stand by"
CURVES = "calibration.png"
# From fewer a gate refuses one good film in six.
FEWEST_FILMS = 300


def calibrate_checkpoint(
    checkpoint: Path,
    dataset: PreparedDataset,
    split: str = "validate",
    further: Sequence[PreparedDataset] = (),
    device: str = "cpu",
) -> str:
    """Fit on ``split`` what the drafts of a checkpoint folder stand by, and on the films of ``dataset`` and ``further``
    ones which films it reads; returns the Markdown that the model card says of it.

    Writes ``calibration.json``, ``calibration.png`` and the gate, and in place of an earlier one a part of the model
    card, where there is one. Raises ``RadscribeError`` for a split with too few patients, or where the disk refuses.
    """
    with drafting(checkpoint, device) as reporter:
        calibration, drafted, likely = calibrate(reporter, dataset, split)
        film = reporter.system.config.film
    text = calibration_text(calibration, doubts_of(calibration, drafted, likely))
    films = sum(len(source.split("train")) for source in (dataset, *further))
    if films >= FEWEST_FILMS:
        gate = fit_gate(dataset, film, further)
        text += f"\n\nFilms that it should not read, made of the {split} split's own:\n\n"
        text += gate_text(gate_table(gate, dataset, film, split))
        save_gate(gate, checkpoint)
    else:
        text += f"\n\nNo film is refused: {films} training films are too few to tell good ones from others."
        for name in GATE_FILES:
            (checkpoint / name).unlink(missing_ok=True)
    draw_doubts(drafted, likely, checkpoint / CURVES)
    save_calibration(calibration, checkpoint)
    path = checkpoint / CARD
    if path.is_file():
        said, heading, scores = path.read_text(encoding="utf-8").partition(f"\n{SCORES}")
        said = said.partition(f"\n{HEADING}")[0].rstrip()
        write_text(path, f"{said}\n\n{HEADING}\n\n{text}\n{heading}{scores}")
    return text


def calibrate_trained(
    checkpoint: Path, dataset: PreparedDataset, further: Sequence[PreparedDataset], say: Callable[[str], None]
) -> None:
    """As ``calibrate_checkpoint``, after a training; ``say`` is told that it begins, or why it was left out."""
    try:
        say("calibrating")
        calibrate_checkpoint(checkpoint, dataset, further=further)
    except RadscribeError as error:
        say(f"not calibrated: {error}")


def calibration_text(calibration: Calibration, found: Doubts) -> str:
    """A calibration as Markdown, with what was ``found`` of statements whose patient it has not seen."""
    measured = calibration.measured
    areas = [
        (name, "-" if area is None else f"{area:.2f}", "no" if name in calibration.not_assessed else "yes")
        for name, area in ((name, measured["areas"][name]) for name in CONDITIONS)
    ]
    sizes = (
        "are stated" if calibration.sizes else "are withheld: they are wrong more often than right, or too few to tell"
    )
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
