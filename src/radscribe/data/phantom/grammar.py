"""Writes the report of a phantom from its findings: the phrases, their order, and the states they add up to.

What is on the film is always stated. What is absent is stated by rule for the main conditions (heart, mediastinum,
lungs, pleura) and by chance only for the bones, so that the report can be predicted from the film.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from radscribe.data.phantom.cohort import SIDED_DEVICES, Finding
from radscribe.data.phantom.wording import (
    CHANGES,
    DEVICE_PHRASES,
    DEVICE_WORDS,
    GENERAL_SIZES,
    HEDGED_PHRASES,
    IMPRESSION,
    NEW_DEVICE_PHRASES,
    NORMAL_IMPRESSIONS,
    NORMAL_PHRASES,
    OTHER_ABNORMAL,
    POSITIVE_PHRASES,
    RESOLVED,
    SIZES,
    Phrase,
)
from radscribe.labels.conditions import (
    BLANK,
    CHEXBERT_CONDITIONS,
    CONDITIONS,
    NEGATIVE,
    NO_FINDING,
    POSITIVE,
    SUPPORT_DEVICES,
    UNCERTAIN,
)

Wording = TypeVar("Wording", Phrase, str)

FEWEST_SENTENCES, MOST_SENTENCES = 4, 8
ADVERBS = {"mild": "mildly", "moderate": "moderately", "severe": "severely"}
PLACES = {"upper": "upper lung", "mid": "mid lung", "lower": "lower lung"}
# Conditions whose change since the prior visit is reported; the others have no size to compare.
COMPARED = ("edema", "atelectasis", "pneumothorax", "pleural effusion")
LUNG_CONDITIONS = ("lung opacity", "pneumonia", "consolidation", "edema", "atelectasis", "lung lesion")


@dataclass(frozen=True)
class PhantomReport:
    """A written report and the 18 states its findings section states."""

    findings: str
    impression: str
    labels: tuple[int, ...]


class Writer:
    """Draws wordings: of all phrases, or of those in the house style of ``site``, every ``sites``-th of each list.

    With several sites ``random`` draws what is said alone: each of them would say the same of a film.
    """

    def __init__(self, random: np.random.Generator, site: int = 0, sites: int = 1) -> None:
        self.random, self.site, self.sites = random, site, sites
        self.wordings = random.spawn(1)[0] if sites > 1 else random

    def choose(self, wordings: Sequence[Wording]) -> Wording:
        """One of the ``wordings``; of a list that is too short for all sites, any."""
        own = wordings[self.site :: self.sites] if len(wordings) >= self.sites else wordings
        return own[int(self.wordings.integers(len(own)))]


@dataclass(frozen=True)
class _Sentence:
    text: str
    states: dict[str, int]
    dispensable: bool = False
    other_abnormal: bool = False  # no "no finding", though none of the first 13 conditions


def write_report(
    findings: Sequence[Finding],
    prior: Sequence[Finding] | None,
    random: np.random.Generator,
    site: int = 0,
    sites: int = 1,
) -> PhantomReport:
    """The report of one visit in the house style of one of the ``sites``; ``prior`` holds the findings of the visit
    before, if there was one."""
    writer = Writer(random, site, sites)
    held = {finding.condition: finding for finding in findings}
    before = {finding.condition: finding for finding in prior or ()}
    said: list[_Sentence] = []
    if "support devices" in held:
        said.append(_devices(held["support devices"], "support devices" in before, writer))
    for section in (_lungs, _heart, _pleura, _bones):
        said += section(held, prior is not None, before, writer)
    if len(said) < FEWEST_SENTENCES:
        said.append(_normal("bones", writer))
    for dispensable in [sentence for sentence in said if sentence.dispensable][::-1]:
        if len(said) > MOST_SENTENCES:
            said.remove(dispensable)
    return PhantomReport(" ".join(sentence.text for sentence in said), _impression(held, writer), _labels(said))


def _labels(said: Sequence[_Sentence]) -> tuple[int, ...]:
    """The strongest state stated for each condition: positive over uncertain over negative."""
    rank = (BLANK, NEGATIVE, UNCERTAIN, POSITIVE)
    labels = [BLANK] * len(CONDITIONS)
    for sentence in said:
        for condition, state in sentence.states.items():
            index = CONDITIONS.index(condition)
            labels[index] = max(labels[index], state, key=rank.index)
    abnormal = any(
        labels[index] in (POSITIVE, UNCERTAIN)
        for index in range(len(CHEXBERT_CONDITIONS))
        if index not in (NO_FINDING, SUPPORT_DEVICES)
    )
    other = any(sentence.other_abnormal for sentence in said)
    labels[NO_FINDING] = BLANK if abnormal or other else POSITIVE
    return tuple(labels)


def _normal(name: str, writer: Writer, dispensable: bool = True) -> _Sentence:
    phrase = writer.choose(NORMAL_PHRASES[name])
    return _Sentence(phrase.text, phrase.states, dispensable)


def _words(finding: Finding) -> dict[str, str]:
    """What fills a template's braces for this finding."""
    size = SIZES.get(finding.condition, GENERAL_SIZES)[finding.severity - 1]
    both = finding.side == "bilateral"
    return {
        "size": size,
        "size_capital": size.capitalize(),
        "size_adverb": ADVERBS.get(size, size),
        "side_word": finding.side,
        "side_capital": finding.side.capitalize(),
        "place": f"{PLACES[finding.zone]}s" if both else f"{finding.side} {PLACES[finding.zone]}",
        "base": "lung bases" if both else f"{finding.side} lung base",
    }


def _entry(finding: Finding) -> str:
    """The key of a finding's phrases; effusions of both sides take the plural."""
    if finding.condition == "pleural effusion" and finding.side == "bilateral":
        return "bilateral pleural effusion"
    return finding.kind if finding.condition == "lung volume abnormal" else finding.condition


def _statement(finding: Finding, follow_up: bool, before: dict[str, Finding], writer: Writer) -> _Sentence:
    if finding.hedged:
        phrase = writer.choose(HEDGED_PHRASES[_entry(finding)])
        return _Sentence(phrase.text.format(**_words(finding)), phrase.states)
    phrase = writer.choose(POSITIVE_PHRASES[_entry(finding)])
    text = phrase.text.format(**_words(finding))
    if follow_up and finding.condition in COMPARED and writer.random.random() < 0.8:
        text = text.removesuffix(".") + _change(finding, before.get(finding.condition), writer)
    return _Sentence(text, phrase.states, other_abnormal=_entry(finding) in OTHER_ABNORMAL)


def _change(finding: Finding, earlier: Finding | None, writer: Writer) -> str:
    if earlier is None:
        name = "new"
    elif finding.severity == earlier.severity:
        name = "same"
    else:
        name = "worse" if finding.severity > earlier.severity else "better"
    return writer.choose(CHANGES[name])


def _resolved(
    held: dict[str, Finding], before: dict[str, Finding], conditions: Sequence[str], writer: Writer
) -> list[_Sentence]:
    sentences = []
    for condition in conditions:
        if condition in before and condition not in held and condition in RESOLVED:
            phrase = writer.choose(RESOLVED[condition])
            sentences.append(_Sentence(phrase.text.format(**_words(before[condition])), phrase.states))
    return sentences


def _devices(finding: Finding, known: bool, writer: Writer) -> _Sentence:
    names = []
    for kind in finding.kind.split(", "):
        words = DEVICE_WORDS[kind]
        side = finding.side if kind in SIDED_DEVICES else ""
        names.append(writer.choose(words).format(side=side))
    kinds = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    phrase = writer.choose(DEVICE_PHRASES if known else NEW_DEVICE_PHRASES)
    plural = len(names) > 1 or "wires" in kinds
    text = phrase.text.format(kinds_capital=kinds[0].upper() + kinds[1:], verb="are" if plural else "is")
    return _Sentence(text, phrase.states)


def _lungs(held: dict[str, Finding], follow_up: bool, before: dict[str, Finding], writer: Writer) -> list[_Sentence]:
    said = [_statement(held[name], follow_up, before, writer) for name in LUNG_CONDITIONS if name in held]
    if "lung volume abnormal" in held:
        said.insert(0, _statement(held["lung volume abnormal"], follow_up, before, writer))
    said += _resolved(held, before, LUNG_CONDITIONS, writer)
    present = [name for name in LUNG_CONDITIONS if name in held]
    if not present:
        said.append(_normal("clear lungs", writer, dispensable=False))
    elif present == ["lung lesion"]:
        said.append(_normal("otherwise clear lungs", writer))
    if "consolidation" not in held and "pneumonia" not in held:
        said.append(_normal("no consolidation", writer))
    if "edema" not in held and "cardiomegaly" in held:
        said.append(_normal("no edema", writer))
    return said


def _heart(held: dict[str, Finding], follow_up: bool, before: dict[str, Finding], writer: Writer) -> list[_Sentence]:
    said = []
    heart, mediastinum = "cardiomegaly" in held, "enlarged cardiomediastinum" in held
    if not heart and not mediastinum:
        if writer.random.random() < 0.5:
            said.append(_normal("heart and mediastinum", writer, dispensable=False))
        else:
            said += [_normal("heart", writer, dispensable=False), _normal("mediastinum", writer)]
    else:
        for name, normal in (("cardiomegaly", "heart"), ("enlarged cardiomediastinum", "mediastinum")):
            if name in held:
                said.append(_statement(held[name], follow_up, before, writer))
            else:
                said.append(_normal(normal, writer))
    if "aorta" in held:
        said.append(_statement(held["aorta"], follow_up, before, writer))
    return said


def _pleura(held: dict[str, Finding], follow_up: bool, before: dict[str, Finding], writer: Writer) -> list[_Sentence]:
    said = _resolved(held, before, ("pleural effusion", "pneumothorax"), writer)
    names = ("pleural effusion", "pneumothorax", "pleural other", "hemidiaphragm")
    said += [_statement(held[name], follow_up, before, writer) for name in names if name in held]
    effusion, pneumothorax = "pleural effusion" in held, "pneumothorax" in held
    if not effusion and not pneumothorax:
        said.append(_normal("no effusion or pneumothorax", writer, dispensable=False))
    elif not effusion:
        said.append(_normal("no effusion", writer))
    elif not pneumothorax:
        said.append(_normal("no pneumothorax", writer))
    return said


def _bones(held: dict[str, Finding], follow_up: bool, before: dict[str, Finding], writer: Writer) -> list[_Sentence]:
    said = [_statement(held[name], follow_up, before, writer) for name in ("fracture", "bone/spine") if name in held]
    if not said:
        draw = writer.random.random()
        if draw < 0.7:
            said.append(_normal("bones", writer))
        elif draw < 0.85:
            said.append(_normal("no fracture", writer))
    return said


def _impression(held: dict[str, Finding], writer: Writer) -> str:
    stated = [name for name in IMPRESSION if name in held]
    if not stated:
        return writer.choose(NORMAL_IMPRESSIONS)
    lines = []
    for name in stated:
        text = IMPRESSION[name].format(**_words(held[name]))
        lines.append(f"Possible {text[0].lower()}{text[1:]}" if held[name].hedged else text)
    return " ".join(lines)
