"""What a scorecard says beside its figures: reports not read, templates, and intervals that are not to be trusted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from radscribe.core.report_text import one_line
from radscribe.labels.rules import was_read
from radscribe.metrics.clinical import Outcomes
from radscribe.metrics.protocols import Protocol, runs_on

# Below this number of positive references of a condition, the 95 % interval of macro-F1 held the true value in 17 to
# 88 % of simulated studies, and the paired bootstrap rejected equal systems in up to 13 %.
RARE = 10
# A text that makes up this share of the hypotheses, but not of the references, is a template.
TEMPLATE_SHARE = 0.9
# Ids in which a patient stands before the study: MIMIC-CXR, CheXpert, BIDS and the like, then NIH ChestX-ray14.
_NAMED_PATIENT = re.compile(r"(?<![a-z0-9])(?:p|pt|pat|patient|sub|subj|subject)[-_ ]?\d+(?=[^a-z0-9])", re.IGNORECASE)
_NUMBERED_PATIENT = re.compile(r"\d{8}(?=_\d{3}\b)")
_BEFORE_LAST_PART = re.compile(r"(.*[^/_|:])[/_|:]+[^/_|:]+")
# Fewer groups than this share of the studies are folders, sites or splits, not patients.
LEAST_SHARE_OF_PATIENTS = 0.1


def not_read(reports: Sequence[str], states: NDArray[np.integer] | None = None) -> int:
    """In how many of ``reports`` there is text, of which the rules understood nothing.

    ``states`` (``N`` x conditions) are those that the rules read, all blank where nothing was understood: with them,
    only such reports are looked at again.
    """
    suspects = reports if states is None else [reports[row] for row in np.flatnonzero(~states.any(axis=1)).tolist()]
    return sum(count for text, count in Counter(suspects).items() if text.strip() and not was_read(text))


def flags_of(hypotheses: Sequence[str], references: Sequence[str], unread: Mapping[str, int]) -> tuple[str, ...]:
    """Flags of reports (``N`` of each side) that no figure can be trusted with: empty, not read, all the same."""
    said, true = (Counter(one_line(text.lower()) for text in side) for side in (hypotheses, references))
    studies = len(hypotheses)
    flags = [f"{said['']} of {studies} hypotheses are empty"] if said[""] else []
    if any(unread.values()):
        sides = " and ".join(f"{count} of {studies} {side}" for side, count in unread.items() if count)
        flags.append(f"{sides} were not read: nothing in them was understood, so they count as stating nothing")
    commonest, count = said.most_common(1)[0]
    if commonest and studies > 1 and max(true.values()) < count >= TEMPLATE_SHARE * studies:
        flags.append(f"{count} of {studies} hypotheses are one text: a template, whatever the film shows")
    return tuple(flags)


def warnings_of(
    study_ids: Sequence[str],
    patients: Sequence[str] | None,
    outcomes: Outcomes,
    protocol: Protocol,
    texts: Mapping[str, Sequence[str]],
) -> tuple[str, ...]:
    """Why intervals or language figures are not to be trusted, one line each.

    ``outcomes`` are ``N x 14 x 3``; ``texts`` are the reports of both sides (``N`` each) by the name of the side.
    """
    warnings = []
    shared = 0 if patients else patients_with_several(study_ids)
    if shared:
        warnings.append(
            f"by the study ids, several studies are of one patient (patients with several: {shared}), but intervals "
            "draw single studies and are too narrow; give --patients"
        )
    positives = outcomes[:, :, [0, 2]].sum(axis=(0, 2))
    rare = int((positives < RARE).sum())
    if rare:
        warnings.append(
            f"{rare} of {len(positives)} conditions have fewer than {RARE} positive references: the interval of "
            "macro-F1 is not to be trusted; radscribe compare tests it by randomization"
        )
    if protocol.takes_clauses_for_words:
        counts = {side: sum(map(runs_on, reports)) for side, reports in texts.items()}
        if any(counts.values()):
            sides = " and ".join(f"{count} {side}" for side, count in counts.items() if count)
            warnings.append(
                f"{sides} are written without spaces between words: protocol {protocol.name} takes a whole clause for "
                "one word, so language figures say nothing; use --protocol full"
            )
    return tuple(warnings)


def patients_with_several(study_ids: Sequence[str]) -> int:
    """How many patients have two studies or more, as far as the ids name patients; 0 where they do not."""
    named = [_NAMED_PATIENT.findall(study_id) for study_id in study_ids]
    if not any(named):
        named = [_NUMBERED_PATIENT.findall(study_id) for study_id in study_ids]
    if any(named):
        groups = Counter(found[-1].lower() for found in named if found)
    else:
        before = (_BEFORE_LAST_PART.fullmatch(study_id) for study_id in study_ids)
        groups = Counter(match[1] for match in before if match and re.search(r"\d", match[1]))
        if len(groups) < LEAST_SHARE_OF_PATIENTS * len(study_ids) or len(groups) < 2:
            return 0
    return sum(count > 1 for count in groups.values())
