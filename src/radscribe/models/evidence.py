"""The evidence that a model takes from films before it writes, and its explanation of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

import torch
from torch import Tensor

Kind = TypeVar("Kind", bound="FilmEvidence")


@dataclass(frozen=True)
class FilmEvidence:
    """All that reaches the decoder about B films, part by part, so that a control can exchange one part alone.

    Fields are tensors whose first axis is B, named tuples of such, or None for what a configuration lacks. ``PARTS``
    names the parts, each with its fields.
    """

    PARTS: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    patches: Tensor  # B x P x d_v
    seeds: Tensor | None = field(default=None, kw_only=True)  # B whole numbers: what the draws of a film begin from

    def __len__(self) -> int:
        return len(self.patches)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that this configuration has."""
        return tuple(part for part, names in self.PARTS.items() if getattr(self, names[0]) is not None)

    def with_part_of(self, part: str, other: Self) -> Self:
        """This evidence with one part of ``other``."""
        return replace(self, **{name: getattr(other, name) for name in self.PARTS[part]})

    def rows(self, indices: Tensor) -> Self:
        """The evidence of the films at ``indices``."""
        return _each(lambda values: values[0][indices], [self])

    @classmethod
    def joined(cls, pieces: Sequence[Self]) -> Self:
        """One evidence of all films."""
        return _each(torch.cat, pieces)


def seeds_of(films: Tensor) -> Tensor:
    """A whole number of each of B films (grey levels in [0, 1]) that is the same wherever it is computed: B."""
    levels = (films.flatten(1) * 255.0).round().long()
    return (levels * torch.arange(1, levels.shape[1] + 1, device=levels.device)).sum(1)


def _each(combine: Callable[[list[Tensor]], Tensor], pieces: Sequence[Kind]) -> Kind:
    """``combine`` of the same tensor of each part, for all tensors."""

    def of(values: list[Any]) -> Any:
        if isinstance(values[0], tuple):
            return type(values[0])(*(of(list(column)) for column in zip(*values, strict=True)))
        return None if values[0] is None else combine(values)

    columns = {entry.name: of([getattr(piece, entry.name) for piece in pieces]) for entry in fields(pieces[0])}
    return type(pieces[0])(**columns)


class Explanation(NamedTuple):
    """One report of L tokens: the probability of each (L), where it looked on the frontal film (L x P), and the memory
    slots it used (L x N_m, rows sum to one; None without a memory)."""

    probabilities: Tensor
    attention: Tensor
    slots: Tensor | None = None
