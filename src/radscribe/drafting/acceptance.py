"""What a checkpoint must show before it may take the place of another: limits on its scores."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from radscribe.core.config import from_mapping, read_yaml
from radscribe.core.errors import WrongUse
from radscribe.drafting.scores import CheckpointScores


@dataclass(frozen=True)
class Limit:
    """A limit on one figure; raises ``ValueError`` unless it has exactly one side."""

    figure: str
    at_least: float | None = None
    at_most: float | None = None
    # What is held to it: the figure itself, or an end of its interval.
    of: Literal["value", "low", "high"] = "value"

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.figure}: give at_least or at_most")

    def miss(self, scores: CheckpointScores) -> str | None:
        """What is wrong with the figure, None where it keeps the limit."""
        measured = scores.figures.get(self.figure, {}).get(self.of)
        name = self.figure if self.of == "value" else f"{self.figure} ({self.of} end)"
        if measured is None:
            return f"{name} was not measured"
        if self.at_least is not None and measured < self.at_least:
            return f"{name} is {measured:.3f}, below {self.at_least:g}"
        if self.at_most is not None and measured > self.at_most:
            return f"{name} is {measured:.3f}, above {self.at_most:g}"
        return None


@dataclass(frozen=True)
class Acceptance:
    """All limits; raises ``ValueError`` where there are none."""

    split: str  # of the dataset that the scores must come from
    least_studies: int  # that they must rest on
    limits: tuple[Limit, ...]

    def __post_init__(self) -> None:
        if not self.limits:
            raise ValueError("limits: give at least one")

    def misses(self, scores: CheckpointScores | None, fingerprint: str, companions: str) -> list[str]:
        """Why the checkpoint with this fingerprint and these ``companions`` is not accepted; empty where it is."""
        if scores is None:
            return ["it has no scores.json, which `radscribe evaluate --card` writes"]
        if scores.fingerprint != fingerprint:
            return ["its scores are those of another model"]
        if scores.companions != companions:
            return ["calibration, gate or index were changed since it was scored"]
        found = [] if scores.split == self.split else [f"it was scored on the split {scores.split}, not {self.split}"]
        if scores.studies < self.least_studies:
            found.append(f"it was scored on {scores.studies} studies, not {self.least_studies} or more")
        return found + [miss for limit in self.limits if (miss := limit.miss(scores))]


def read_acceptance(path: Path | None = None) -> Acceptance:
    """The limits in a YAML file, by default those that come with the package.

    Raises ``WrongUse`` for a missing file and ``RecipeError`` for one that is not made of limits.
    """
    path = path or Path(str(files("radscribe"))) / "pretrained" / "acceptance.yaml"
    if not path.is_file():
        raise WrongUse(f"{path}: no such file of limits; copy src/radscribe/pretrained/acceptance.yaml and change it")
    return from_mapping(Acceptance, read_yaml(path), path.name)
