"""The side of the chest that a sentence names, and the side on which its map peaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radscribe.core.errors import WrongUse
from radscribe.core.records import DraftSentence

Side = Literal["left", "right", "midline"]

# Half the width of the midline as a share of the map's width: the middle column of a 7 x 7 map.
MIDLINE_HALF_WIDTH = 0.5 / 7
# Named by the side where it enters, and may run anywhere.
DEVICES = "support devices"


def peak_side(values: ArrayLike) -> Side:
    """The patient's side on which a map (``H x W``) peaks: the patient's right is the image's left.

    Equal peaks count at their mean column, so a flat map is "midline" and not the side that is read first. Raises
    ``WrongUse`` for a map that is not a finite, non-empty array of two axes.
    """
    weights = finite_map(values)
    columns = np.nonzero(weights == weights.max())[1]
    offset = (columns.mean() + 0.5) / weights.shape[1] - 0.5
    if abs(offset) <= MIDLINE_HALF_WIDTH:
        return "midline"
    return "right" if offset < 0 else "left"


def finite_map(values: ArrayLike) -> NDArray[np.float64]:
    """``values`` as a map; raises ``WrongUse`` as ``peak_side`` does."""
    weights = np.asarray(values, dtype=np.float64)
    if weights.ndim != 2 or weights.size == 0 or not np.isfinite(weights).all():
        raise WrongUse(f"map of shape {weights.shape}: not usable; give a finite, non-empty height x width array")
    return weights


def named_side(text: str) -> str | None:
    """The side that a sentence names, None where it names none or both."""
    words = set(text.lower().replace(".", " ").replace(",", " ").replace("-", " ").split())
    named = [side for side in ("left", "right") if side in words]
    return named[0] if len(named) == 1 and "bilateral" not in words else None


def side_warnings(sentences: Sequence[DraftSentence]) -> tuple[str, ...]:
    """A warning for each sentence that names one side of a finding while its map peaks on the other.

    On phantoms six of seven such sentences name the wrong side (docs/results/trust.md). Attention shows no place, and
    devices have none.
    """
    found = []
    for sentence in sentences:
        named, evidence = named_side(sentence.text), sentence.evidence
        if named is None or evidence is None or evidence.kind == "attention" or DEVICES in sentence.conditions:
            continue
        if peak_side(evidence.values) not in (named, "midline"):
            other = "right" if named == "left" else "left"
            found.append(f"“{sentence.text}” names the {named} side, and its map peaks on the patient's {other}.")
    return tuple(found)
