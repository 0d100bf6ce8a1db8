"""What a draft finds of each condition, by the model's states, by what it states, or by both where it is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from radscribe.core.records import NOT_ASSESSED, DraftSentence, Finding, WithheldSentence
from radscribe.drafting.calibration import Calibration
from radscribe.drafting.doubt import judge
from radscribe.labels.conditions import BLANK, CONDITIONS, NEGATIVE, NO_FINDING, STATES
from radscribe.labels.rules import label_report


def doubted(
    sentences: Sequence[DraftSentence], calibration: Calibration, signs: NDArray[np.float64]
) -> tuple[list[DraftSentence], list[WithheldSentence]]:
    """The sentences of a draft that a calibrated model stands by, with their probabilities, and those it withholds."""
    kept, withheld = [], []
    judged = judge(calibration, [sentence.text for sentence in sentences], signs)
    for sentence, verdict in zip(sentences, judged, strict=True):
        if verdict.withheld is not None:
            withheld.append(WithheldSentence(sentence.text, verdict.withheld))
            continue
        kept.append(
            replace(
                sentence,
                text=verdict.text,
                conditions={name: STATES[state] for name, state in verdict.conditions.items()},
                probabilities={name: round(value, 4) for name, value in verdict.probabilities.items()},
                hedged=verdict.hedged,
            )
        )
    return kept, withheld


def findings_believed(
    calibration: Calibration, sentences: Sequence[DraftSentence], signs: NDArray[np.float64]
) -> tuple[Finding, ...]:
    """The 18 conditions as a calibrated draft has them: what its sentences state, and how likely that is true.

    Of one that they do not speak of, how likely it is absent; "no finding" holds where it is likely, too.
    """
    states = np.array(label_report(" ".join(sentence.text for sentence in sentences)))
    for sentence in sentences:  # a hedge is not always read as one
        for name, state in sentence.conditions.items():
            states[CONDITIONS.index(name)] = STATES.index(state)
    present = calibration.presence.probabilities(states[None], signs[None])[0]
    if present[NO_FINDING] < calibration.hedged_below:
        states[NO_FINDING] = BLANK  # no sentence says it: the rules read it where none states a finding but devices
    found = []
    for name, state, likely in zip(CONDITIONS, states.tolist(), present.tolist(), strict=True):
        if name in calibration.not_assessed:
            found.append(Finding(name, NOT_ASSESSED, None))
        else:
            told = 1 - likely if state in (BLANK, NEGATIVE) else likely
            found.append(Finding(name, STATES[state], round(told, 4)))
    return tuple(found)


def unsaid_warnings(findings: Sequence[Finding]) -> tuple[str, ...]:
    """A warning for each condition that is more likely there than not while the draft does not say so.

    ``findings`` are a calibrated draft's, with the probability that each is as the draft has it.
    """
    return tuple(
        f"The model holds {found.condition} likely ({1 - found.probability:.0%}), and the report does not state it."
        for found in findings
        if found.probability is not None
        and found.probability < 0.5
        and found.state in (STATES[BLANK], STATES[NEGATIVE])
        and found.condition != CONDITIONS[NO_FINDING]
    )


def findings_of(probabilities: Tensor) -> tuple[Finding, ...]:
    """The 18 conditions with their likeliest state and its probability, from those of all states (18 x 4)."""
    chosen = probabilities.argmax(-1).tolist()
    return tuple(
        Finding(name, STATES[state], round(float(probabilities[row, state]), 4))
        for row, (name, state) in enumerate(zip(CONDITIONS, chosen, strict=True))
    )


def findings_stated(sentences: Sequence[DraftSentence]) -> tuple[Finding, ...]:
    """The conditions that a draft states, for a system that predicts no states.

    The probability is the confidence of the surest sentence that states the condition so.
    """
    stated = label_report(" ".join(sentence.text for sentence in sentences))
    found = []
    for name, state in zip(CONDITIONS, stated, strict=True):
        if state != BLANK:
            sure = [each.confidence for each in sentences if each.conditions.get(name) == STATES[state]]
            found.append(Finding(name, STATES[state], round(max(sure or [each.confidence for each in sentences]), 4)))
    return tuple(found)
