"""How likely a model's statements are true, and which of them its drafts stand by: fitted once, on validation films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from radscribe.core.config import RecipeError, from_mapping, to_mapping
from radscribe.core.files import read_json, write_json
from radscribe.drafting.index_files import CheckpointError
from radscribe.labels.conditions import BLANK, CONDITIONS, NEGATIVE, NO_FINDING, POSITIVE, UNCERTAIN

CALIBRATION = "calibration.json"
FORMAT = "radscribe-calibration/1"
# Probabilities nearer to 0 and 1 than this are no surer.
NEAREST = 1e-3
# What a statement's probability is told by.
SIGNS = ("probability", "share of draws")


@dataclass(frozen=True)
class PresenceFit:
    """A logistic regression: how likely a film shows a condition, by its signs and by what its report states."""

    bias: float
    signs: tuple[float, ...]  # a weight for each of ``SIGNS``
    stated: tuple[float, float]  # what is added where the report states it present (or possible), or absent
    conditions: tuple[float, ...]  # 18: what is added for each condition

    def __post_init__(self) -> None:
        if len(self.signs) != len(SIGNS) or len(self.conditions) != len(CONDITIONS):
            raise ValueError(f"{len(SIGNS)} weights of signs and {len(CONDITIONS)} of conditions are needed")

    def probabilities(self, states: NDArray[np.integer], signs: NDArray[np.float64]) -> NDArray[np.float64]:
        """For every condition of N films (``states`` N x 18, ``signs`` N x 18 x 2): N x 18."""
        told = signs @ np.array(self.signs) + np.array(self.conditions)
        return np.asarray(expit(self.bias + told + stated_signs(states) @ np.array(self.stated)))


def stated_signs(states: NDArray[np.integer]) -> NDArray[np.float64]:
    """Whether each condition is stated present (or possible), and whether absent: ``... -> ... x 2``, 0 or 1."""
    present = np.isin(states, (POSITIVE, UNCERTAIN))
    return np.stack([present, states == NEGATIVE], -1).astype(np.float64)


@dataclass(frozen=True)
class Calibration:
    """What the validation films have shown of a model: how likely its statements are, and what it cannot tell."""

    fingerprint: str  # of the model
    presence: PresenceFit
    # Conditions that the model does not tell apart on the validation films, or that too few of these show.
    not_assessed: tuple[str, ...] = ()
    withheld_below: float = 0.0  # a finding less likely than this is not stated
    hedged_below: float = 0.5  # one less likely than this is stated as possible
    sizes: bool = False  # whether sizes in drafts are right more often than not
    measured: dict[str, Any] = field(default_factory=dict)  # what was seen, for people

    def __post_init__(self) -> None:
        unknown = set(self.not_assessed) - set(CONDITIONS)
        if unknown:
            raise ValueError(f"not_assessed: no such condition: {min(unknown)}")
        if not 0 <= self.withheld_below <= 1 or not 0 <= self.hedged_below <= 1:
            raise ValueError("withheld_below and hedged_below must lie between 0 and 1")

    def probabilities(self, states: NDArray[np.integer], signs: NDArray[np.float64]) -> NDArray[np.float64]:
        """How likely the statements that N films' reports make are true: N x 18, NaN where nothing is stated.

        ``states`` (N x 18) are what is stated, ``signs`` (N x 18 x 2) as ``signs_of`` gives them.
        """
        present = self.presence.probabilities(states, signs)
        found = np.where(states == NEGATIVE, 1 - present, present)
        found[states == BLANK] = np.nan
        found[..., NO_FINDING] = np.nan
        return found


def signs_of(
    probabilities: NDArray[np.floating] | None, shares: NDArray[np.floating] | None, films: int
) -> NDArray[np.float64]:
    """The signs by which statements on N ``films`` are judged, as logits: N x 18 x 2.

    ``probabilities`` (N x 18) are the model's own of each condition, ``shares`` (N x 18) those of its draws that state
    it; where it has none, zeros.
    """
    empty = np.zeros((films, len(CONDITIONS)))
    return np.stack([empty if values is None else _logits(values) for values in (probabilities, shares)], -1)


def _logits(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    inside = np.clip(np.asarray(probabilities, dtype=np.float64), NEAREST, 1 - NEAREST)
    return np.asarray(np.log(inside / (1 - inside)))


def assessed(calibration: Calibration, conditions: Sequence[str]) -> list[str]:
    """Those of ``conditions`` that the model can tell."""
    return [name for name in conditions if name not in calibration.not_assessed]


def save_calibration(calibration: Calibration, folder: Path) -> None:
    """Write ``calibration.json`` into a checkpoint's folder; raises ``RadscribeError`` where the disk refuses."""
    write_json(folder / CALIBRATION, {"format": FORMAT, **to_mapping(calibration)})


def load_calibration(folder: Path, fingerprint: str) -> Calibration | None:
    """The calibration in a checkpoint's folder, None where there is none.

    Raises ``CheckpointError`` for one that cannot be read, or that was fitted for weights of another ``fingerprint``.
    """
    path = folder / CALIBRATION
    if not path.exists():
        return None
    content = read_json(path)
    if content.pop("format", None) != FORMAT:
        raise CheckpointError(f"{path}: not of this version; calibrate again with `radscribe calibrate`")
    try:
        calibration = from_mapping(Calibration, content, CALIBRATION)
    except RecipeError as error:
        raise CheckpointError(f"{path}: {error}; calibrate again with `radscribe calibrate`") from None
    if calibration.fingerprint != fingerprint:
        raise CheckpointError(f"{path}: fitted for another model; calibrate again with `radscribe calibrate`")
    return calibration
