"""Put the scores of a checkpoint into its model card."""

from __future__ import annotations

from pathlib import Path

from radscribe.core.errors import WrongUse
from radscribe.core.files import write_text
from radscribe.evaluation.evaluate import Evaluation

CARD = "MODEL_CARD.md"
HEADING = "## Scores"


def write_scores(checkpoint: Path, found: Evaluation, table: str) -> None:
    """Write the Markdown ``table`` of an evaluation behind what the checkpoint's model card says, in place of the
    scores that an earlier one left there.

    Raises ``WrongUse`` for a folder without a model card, and ``RadscribeError`` where the disk refuses.
    """
    path = checkpoint / CARD
    if not path.is_file():
        raise WrongUse(f"--card: no {CARD} in {checkpoint}; name a checkpoint folder that `radscribe train` has made")
    signature = found.scorecard.signature
    said = path.read_text(encoding="utf-8").partition(f"\n{HEADING}")[0].rstrip()
    where = f"Split {signature['split']} of dataset {str(signature['dataset'])[:16]}, protocol {signature['protocol']}."
    write_text(path, f"{said}\n\n{HEADING}\n\n{where} {table}")
