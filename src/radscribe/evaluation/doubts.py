"""How far a calibrated model's statements can be trusted on a split: figures for tables, and two curves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray

from radscribe.core.files import replaced, saving
from radscribe.drafting.calibration import Calibration
from radscribe.evaluation.scorecard.tables import table
from radscribe.evaluation.statements import DraftedSplit
from radscribe.labels.conditions import BLANK, CONDITIONS, NEGATIVE, POSITIVE, UNCERTAIN
from radscribe.metrics.clinical import THIRTEEN
from radscribe.metrics.significance import Figure, Resampling, interval, ratio
from radscribe.metrics.statement_scores import BINS, StatementScores, bin_of, risk_by_coverage, score_statements

KINDS = {"present or possible": True, "absent": False}
FORMS = ("as written", "with doubts, possible ones too", "with doubts, sure ones alone")


@dataclass(frozen=True)
class Doubts:
    """What the statements of N studies' reports are worth before and after the model's doubts."""

    scores: Mapping[str, StatementScores]  # by what is stated of a condition
    # Of statements that one of the 13 conditions is there: how many, the share that is true, and micro-F1.
    findings: Mapping[str, tuple[int, Figure, Figure]]
    withheld: Mapping[str, int]  # sentences, by why they are left out
    sentences: int
    hedged: int
    without_any: int  # drafts of which no sentence is left

    def markdown(self) -> str:
        """The figures as Markdown tables."""
        rows = [
            (f"a condition is {name}", score.number, score.share_true, score.area, score.calibration_error)
            for name, score in self.scores.items()
        ]
        heads = ("statement", "number", "true", "ROC area of its probability", "calibration error")
        found = [(name, number, precision, f1) for name, (number, precision, f1) in self.findings.items()]
        why = "; ".join(f"{reason} {count}" for reason, count in self.withheld.items()) or "none"
        return "\n\n".join(
            [
                table(heads, rows),
                table(("findings among the 13 conditions", "number", "precision", "micro-F1"), found),
                f"Of {self.sentences} sentences {self.hedged} are stated as possible and {sum(self.withheld.values())} "
                f"withheld ({why}); {self.without_any} drafts have none left.",
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """The same for ``scorecard.json``."""
        content = asdict(self)
        content["scores"] = {name: _plain(score._asdict()) for name, score in self.scores.items()}
        content["findings"] = {
            name: {"number": number, "precision": asdict(precision), "micro_f1": asdict(f1)}
            for name, (number, precision, f1) in self.findings.items()
        }
        return content


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: asdict(value) if isinstance(value, Figure) else value for name, value in values.items()}


def doubts_of(calibration: Calibration, drafted: DraftedSplit, likely: NDArray[np.float64] | None = None) -> Doubts:
    """The figures of a drafted split; ``likely`` (N x 18) are other probabilities than the calibration's own."""
    if likely is None:
        likely = calibration.probabilities(drafted.states, drafted.signs)
    resampling = Resampling(drafted.patients)
    judged = drafted.judged(calibration)
    after = np.full(drafted.states.shape, BLANK)
    withheld: dict[str, int] = {}
    for row, sentences in enumerate(judged):
        for sentence in sentences:
            if sentence.withheld:
                reason = re.split(r" \(|:|\.$", sentence.withheld)[0]  # without its figures and names
                withheld[reason] = withheld.get(reason, 0) + 1
                continue
            for name, state in sentence.conditions.items():
                column = CONDITIONS.index(name)
                after[row, column] = state if after[row, column] in (BLANK, NEGATIVE) else after[row, column]
    stated = {
        FORMS[0]: np.isin(drafted.states, (POSITIVE, UNCERTAIN)),
        FORMS[1]: np.isin(after, (POSITIVE, UNCERTAIN)),
        FORMS[2]: after == POSITIVE,
    }
    kept = [sentence for sentences in judged for sentence in sentences if not sentence.withheld]
    return Doubts(
        scores={
            name: score_statements(drafted.statements(likely, present), len(judged), resampling)
            for name, present in KINDS.items()
        },
        findings={name: _findings(chosen, drafted.shown, resampling) for name, chosen in stated.items()},
        withheld=dict(sorted(withheld.items(), key=lambda item: -item[1])),
        sentences=sum(map(len, judged)),
        hedged=sum(sentence.hedged for sentence in kept),
        without_any=sum(all(sentence.withheld for sentence in sentences) for sentences in judged),
    )


def _findings(
    stated: NDArray[np.bool_], shown: NDArray[np.bool_], resampling: Resampling
) -> tuple[int, Figure, Figure]:
    stated, shown = stated[:, THIRTEEN], shown[:, THIRTEEN]
    hits, told, there = (values.sum(1) for values in (stated & shown, stated, shown))
    sums = resampling.sums(np.stack([hits, told, there], 1))
    precision, f1 = ratio(sums[:, 0], sums[:, 1]), ratio(2 * sums[:, 0], sums[:, 1] + sums[:, 2])
    return int(told.sum()), interval(precision), interval(f1)


def draw_doubts(drafted: DraftedSplit, likely: NDArray[np.float64], path: Path) -> None:
    """Write a PNG: how often statements of each probability are true, and how many are wrong among the surest.

    Raises ``RadscribeError`` where the disk refuses.
    """
    picture = Picture(figsize=(10, 4.4), layout="constrained")
    diagram, curve = picture.subplots(1, 2)
    diagram.plot((0, 1), (0, 1), color="grey", linewidth=0.8, linestyle="--")
    for name, present in KINDS.items():
        statements = drafted.statements(likely, present)
        if not len(statements.true):
            continue
        bins = bin_of(statements.probabilities)
        filled = np.flatnonzero(np.bincount(bins, minlength=BINS))
        promised, true = (
            [values[bins == number].mean() for number in filled]
            for values in (statements.probabilities, statements.true)
        )
        diagram.plot(promised, true, marker="o", label=f"{name} ({len(bins)})")
        curve.plot(*risk_by_coverage(statements), label=name)
    diagram.set(xlabel="probability", ylabel="share that is true", title="Statements", xlim=(0, 1), ylim=(0, 1))
    curve.set(xlabel="share of statements made, the surest first", ylabel="share that is wrong", ylim=(0, None))
    for panel in (diagram, curve):
        panel.grid(alpha=0.3)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize=8)
    with saving(path), replaced(path) as file:
        picture.savefig(file, format="png", dpi=90)
