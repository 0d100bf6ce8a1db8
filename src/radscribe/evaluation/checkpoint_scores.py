"""The figures of an evaluation that a checkpoint is accepted or refused by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radscribe.drafting.scores import CheckpointScores
from radscribe.evaluation.doubts import FORMS, KINDS
from radscribe.evaluation.gate import GateRow
from radscribe.evaluation.scorecard.card import SHUFFLED_IMAGES
from radscribe.metrics.areas import MEAN

PRESENT, ABSENT = KINDS


def scores_of(card: Mapping[str, Any], gate: Sequence[GateRow], companions: str) -> CheckpointScores:
    """The scores of a checkpoint from the content of its ``scorecard.json`` and the rows of its gate.

    ``companions`` is the hash of what was evaluated beside the weights. What the scorecard lacks is left out, as the
    probabilities of a checkpoint that is not calibrated.
    """
    signature = card["signature"]
    return CheckpointScores(
        fingerprint=signature["fingerprint"],
        companions=companions,
        split=signature["split"],
        dataset=signature["dataset"],
        protocol=signature["protocol"],
        labeler_version=signature["labeler_version"],
        studies=card["studies"],
        figures={**_of_reports(card), **_of_probabilities(card), **_of_gate(gate)},
    )


def _of_reports(card: Mapping[str, Any]) -> dict[str, Any]:
    own, shuffled = card["clinical"]["micro_13"]["f1"], card["controls"][SHUFFLED_IMAGES]
    of_shuffled = shuffled["clinical"]["micro_13"]["f1"]
    found = {
        "micro_f1": card["clinical"]["micro"]["f1"],
        "micro_f1_13": own,
        "micro_f1_13_shuffled": of_shuffled,
        "micro_f1_13_over_shuffled": {"value": own["value"] - of_shuffled["value"]},
        "micro_f1_drop_shuffled": shuffled["micro_f1_drop"]["difference"],
        "speaks_of_earlier_film": {"value": card["prior_references"]["hypotheses"]},
    }
    for group, of_group in card.get("normality", {}).items():
        found[f"{group}_called_normal"] = of_group["called_normal"]
    return found


def _of_probabilities(card: Mapping[str, Any]) -> dict[str, Any]:
    found = {f"area_of_{name.replace(' ', '_')}": area for name, area in card.get("areas", {}).items() if name != MEAN}
    if card.get("areas"):
        found["mean_area"] = card["areas"][MEAN]
    if doubts := card.get("doubts"):
        for name, kind in (("present", PRESENT), ("absent", ABSENT)):
            scores = doubts["scores"][kind]
            found[f"share_true_of_{name}"] = scores["share_true"]
            found[f"area_of_{name}"] = scores["area"]
            found[f"calibration_error_of_{name}"] = scores["calibration_error"]
        for name, form in zip(("as_written", "after_doubts", "of_sure_ones"), FORMS, strict=True):
            found[f"precision_{name}"] = doubts["findings"][form]["precision"]
    return {name: figure for name, figure in found.items() if figure is not None}


def _of_gate(rows: Sequence[GateRow]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        kind = row.kind.replace(" ", "_")
        found[f"gate_refused_{kind}"] = {"value": row.refused}
        found[f"gate_warned_{kind}"] = {"value": row.warned}
        if row.area is not None:
            found[f"gate_area_{kind}"] = {"value": row.area}
    return found
