"""Which sentences of a report a calibrated model stands by: as they are, as possible, reworded, or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from radscribe.drafting.calibration import Calibration, assessed
from radscribe.labels.conditions import BLANK, CONDITIONS, NEGATIVE, NO_FINDING, UNCERTAIN
from radscribe.labels.rules import label_sentence
from radscribe.metrics.sanity import mentions_prior

SIZE = re.compile(r"\b(\d+(?:\.\d+)?)\s*-?(cm|mm|centimet\w+|millimet\w+)\b", re.IGNORECASE)
# What stands for a word that was taken out of the training reports to protect a patient.
REMOVED_WORD = re.compile(r"\bx{3,}\b", re.IGNORECASE)

_THERE_IS = re.compile(r"(?:there|this|it) (?:is|are|was|were) ", re.IGNORECASE)
# How conditions are denied whose names are no words for that.
_DENIED = {
    "enlarged cardiomediastinum": "enlarged mediastinum",
    "pleural other": "pleural thickening",
    "aorta": "aortic abnormality",
    "bone/spine": "bone abnormality",
    "hemidiaphragm": "elevated diaphragm",
    "lung volume abnormal": "abnormal lung volume",
}


@dataclass(frozen=True)
class JudgedSentence:
    """A sentence of a report as the draft has it."""

    text: str
    conditions: Mapping[str, int]  # what it states of each condition, as ``STATES`` are numbered
    probabilities: Mapping[str, float]  # how likely each of these statements is true
    hedged: bool = False
    withheld: str | None = None  # why the draft leaves it out

    @property
    def present(self) -> list[str]:
        """The conditions that it holds present or possible."""
        return [name for name, state in self.conditions.items() if state != NEGATIVE]


def judge(calibration: Calibration, sentences: Sequence[str], signs: NDArray[np.float64]) -> list[JudgedSentence]:
    """Each of a report's ``sentences`` as the draft has it, from the ``signs`` (18 x 2) of its film.

    Of two that contradict each other the less likely one is withheld.
    """
    judged = [_judged(calibration, text, signs) for text in sentences]
    for pair in combinations(range(len(judged)), 2):
        first, second = (judged[place] for place in pair)
        if not first.withheld and not second.withheld and (name := _contradicted(first, second)):
            weaker = pair[first.probabilities[name] >= second.probabilities[name]]
            judged[weaker] = replace(judged[weaker], withheld="It contradicts another sentence.")
    return judged


def _judged(calibration: Calibration, text: str, signs: NDArray[np.float64]) -> JudgedSentence:
    states = np.array(label_sentence(text))
    states[NO_FINDING] = BLANK
    stated = {name: int(state) for name, state in zip(CONDITIONS, states, strict=True) if state != BLANK}
    likely = calibration.probabilities(states[None], signs[None])[0]
    known = assessed(calibration, list(stated))
    sentence = JudgedSentence(text, stated, {name: float(likely[CONDITIONS.index(name)]) for name in known})
    if reason := _unknowable(calibration, text, sentence, known):
        return replace(sentence, withheld=reason)
    if len(known) < len(stated) and not sentence.present:  # of several that it denies, those that the model can tell
        denied = dict.fromkeys(known, NEGATIVE)
        sentence = replace(sentence, text=f"No {_listed(known)}.", conditions=denied)
    least = min((sentence.probabilities[name] for name in sentence.present), default=1.0)
    if least < calibration.withheld_below:
        return replace(sentence, withheld=f"Its finding is unlikely ({least:.2f}).")
    denied_least = min((sentence.probabilities[name] for name in known if name not in sentence.present), default=1.0)
    if denied_least < calibration.hedged_below:
        return replace(sentence, withheld=f"What it denies is likely ({1 - denied_least:.2f}).")
    if least < calibration.hedged_below:
        return _hedged(sentence)
    return sentence


def unknowable(text: str, sizes: bool = False) -> str | None:
    """Why no model of one film can know what a sentence says, ``sizes`` where it may tell them; None where it can."""
    if mentions_prior(text):
        return "It speaks of an earlier film, and none is given."
    if REMOVED_WORD.search(text):
        return "A word of it was taken out of the reports that the model learned from."
    if SIZE.search(text) and not sizes:
        return "It gives a size, which the model cannot measure."
    return None


def _unknowable(calibration: Calibration, text: str, sentence: JudgedSentence, known: Sequence[str]) -> str | None:
    """Why a sentence says what no model of this calibration can know; None where it may know it."""
    if reason := unknowable(text, calibration.sizes):
        return reason
    if not sentence.conditions and len(text.split()) == 1:
        return "It says nothing by itself."
    unknown = [name for name in sentence.conditions if name not in known]
    told = [name for name in unknown if name in sentence.present]
    if told or (unknown and not known):
        return f"Not assessed: {', '.join(told or unknown)}."
    return None


def _hedged(sentence: JudgedSentence) -> JudgedSentence:
    """The sentence with what it holds present as possible; as it is where its words say so already."""
    if all(sentence.conditions[name] == UNCERTAIN for name in sentence.present):
        return replace(sentence, hedged=True)
    doubted = {name: UNCERTAIN if name in sentence.present else state for name, state in sentence.conditions.items()}
    return replace(sentence, text=_as_possible(sentence.text), conditions=doubted, hedged=True)


def _as_possible(text: str) -> str:
    if opening := _THERE_IS.match(text):
        return f"{opening[0]}possibly {text[opening.end() :]}"
    return f"Possibly {text if text[:2].isupper() else text[:1].lower() + text[1:]}"


def _contradicted(first: JudgedSentence, second: JudgedSentence) -> str | None:
    """A condition that one of two sentences denies and the other does not."""
    return next(
        (
            name
            for name in first.probabilities
            if name in second.probabilities and (name in first.present) != (name in second.present)
        ),
        None,
    )


def _listed(names: Sequence[str]) -> str:
    words = [_DENIED.get(name, name) for name in names]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
