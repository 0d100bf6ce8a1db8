"""The engine of every import: which published tensor becomes which of ours, strict about names and shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from radscribe.core.errors import RadscribeError
from radscribe.core.tensors import read_published_tensors

# What data-parallel training puts before every name.
PARALLEL = "module."
# Files of before PyTorch 0.4.1 lack this counter, which nothing reads.
COUNTER = "num_batches_tracked"


class ImportRefusedError(RadscribeError):
    """A published file that is not what its kind says, told by the tensor that does not fit."""


class JoinError(ValueError):
    """Several tensors that cannot make one; says what is wrong with them."""


@dataclass(frozen=True)
class Extras:
    """What some files need beside them: words (a BERT folder or file), MedKLIP's book, a text encoder to read it."""

    vocabulary: Path | None = None
    book: Path | None = None
    text_encoder: Path | None = None


@dataclass(frozen=True)
class Source:
    """A published file: its tensors by name, without what data-parallel training puts before them; ``mend`` says what
    to give in its place."""

    path: Path
    tensors: Mapping[str, Tensor]
    written: Mapping[str, str]
    extras: Extras
    mend: str

    def names(self, *names: str) -> str:
        """Names as the file has them, or would have them, joined."""
        before = PARALLEL if any(name.startswith(PARALLEL) for name in self.written.values()) else ""
        return " + ".join(self.written.get(name, before + name) for name in names)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor that the sizes of everything else come from; refused where it is not there."""
        if name not in self.tensors:
            raise self.refusal(f"it lacks {self.names(name)}")
        if not self.tensors[name].numel():
            raise self.refusal(f"its {self.names(name)} is empty")
        return tuple(self.tensors[name].shape)

    def matrix(self, name: str) -> tuple[int, int]:
        """As ``shape``, of a matrix."""
        shape = self.shape(name)
        if len(shape) != 2:
            raise self.refusal(f"its {self.names(name)} has shape {shape}, not two dimensions")
        return shape[0], shape[1]

    def length(self, name: str) -> int:
        """The first of ``shape``."""
        shape = self.shape(name)
        if not shape:
            raise self.refusal(f"its {self.names(name)} is a single number")
        return shape[0]

    def count(self, pattern: str) -> int:
        """How many numbered modules ``pattern`` finds; refused where there is none, or one is missing in between."""
        found = {int(match[1]) for name in self.tensors if (match := re.fullmatch(pattern, name))}
        missing = min(set(range(len(found) + 1)) - found)
        if not found or missing < max(found):
            example = pattern.replace(r"(\d+)", str(missing)).replace("\\", "")
            raise self.refusal(f"it lacks {self.names(example)}")
        return len(found)

    def refusal(self, problem: str) -> ImportRefusedError:
        return ImportRefusedError(f"{self.path}: {problem}; {self.mend}")


def read_source(path: Path, wrappers: Sequence[str], extras: Extras, mend: str) -> Source:
    """The tensors of a published file. Raises ``RadscribeError`` where it is absent, damaged or holds code."""
    found = read_published_tensors(path, wrappers, mend)
    written: dict[str, str] = {}
    for name in found:
        short = name.removeprefix(PARALLEL)
        written[name if short in written else short] = name
    return Source(path, {short: found[name] for short, name in written.items()}, written, extras, mend)


def _same(value: Tensor) -> Tensor:
    return value


@dataclass(frozen=True)
class Link:
    """``target`` is what ``join`` makes of the published ``sources``; where ``optional`` some versions lack them."""

    target: str
    sources: tuple[str, ...]
    join: Callable[..., Tensor] = _same
    optional: bool = False


@dataclass(frozen=True)
class Plan:
    """What becomes of a file. ``shapes`` are those of all that its parts have in radscribe; patterns (``left_out`` over
    published names, ``started`` over ours) go with the reason; ``made`` is filled without the file, with its reason."""

    links: Sequence[Link]
    shapes: Mapping[str, tuple[int, ...]]
    config: Mapping[str, Any]
    left_out: Mapping[str, str] = field(default_factory=dict)
    started: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, tuple[Tensor, str]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    tokenizer: Tokenizer | None = None


@dataclass(frozen=True)
class Carried:
    """The tensors under our names, and the record of where each came from and what was not taken."""

    tensors: dict[str, Tensor]
    mapped: list[tuple[str, str, list[int]]]
    left_out: list[tuple[str, str]]
    started: list[tuple[str, str]]
    made: list[tuple[str, str]]


def carry(source: Source, plan: Plan) -> Carried:
    """Fills ``plan`` from ``source``.

    Raises ``ImportRefusedError`` naming the first tensor that is missing, has no place here, is not finite, or has
    another shape (told with both).
    """
    tensors = source.tensors
    linked = {name for link in plan.links for name in link.sources}
    needed = [name for link in plan.links if not link.optional for name in link.sources]
    _refuse(source, "it lacks", [name for name in needed if name not in tensors])
    reasons = {name: _reason(name, plan.left_out) for name in tensors if name not in linked}
    _refuse(source, "radscribe has no place for its", [name for name, reason in reasons.items() if reason is None])
    read = linked & tensors.keys()
    whole = [name for name in read if not (tensors[name].is_floating_point() or name.endswith(COUNTER))]
    _refuse(source, "whole numbers are no weights: its", whole)
    damaged = [name for name in read if not bool(tensors[name].isfinite().all())]
    _refuse(source, "not every number is finite in its", damaged)
    result = {name: value for name, (value, _) in plan.made.items()}
    mapped = []
    for link in plan.links:
        if all(name in tensors for name in link.sources):
            value = _joined(source, link, plan.shapes[link.target])
            result[link.target] = value
            mapped.append((source.names(*link.sources), link.target, list(value.shape)))
    started = [(name, _reason(name, plan.started)) for name in plan.shapes if name not in result]
    forgotten = [name for name, reason in started if reason is None]
    assert not forgotten, f"the plan of this kind says nothing of {forgotten[0]}"
    return Carried(
        result,
        mapped,
        [(source.names(name), reason) for name, reason in reasons.items() if reason is not None],
        [(name, reason) for name, reason in started if reason is not None],
        [(name, reason) for name, (_, reason) in plan.made.items()],
    )


def _joined(source: Source, link: Link, wanted: tuple[int, ...]) -> Tensor:
    values = [source.tensors[name] for name in link.sources]
    try:
        joined = link.join(*(value.float() if value.is_floating_point() else value for value in values))
    except JoinError as error:
        raise source.refusal(f"its {source.names(*link.sources)} {error}") from None
    except (RuntimeError, IndexError, TypeError, ValueError):  # shapes that cannot even be joined
        joined = None
    if joined is None or tuple(joined.shape) != wanted:
        found = " + ".join(str(tuple(value.shape)) for value in values)
        names = source.names(*link.sources)
        raise source.refusal(f"its {names} has shape {found}, where {link.target} wants {wanted}")
    return joined.contiguous()


def _refuse(source: Source, problem: str, names: Iterable[str]) -> None:
    found = sorted(names)
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise source.refusal(f"{problem} {source.names(found[0])}{more}")


def _reason(name: str, patterns: Mapping[str, str]) -> str | None:
    return next((reason for pattern, reason in patterns.items() if re.fullmatch(pattern, name)), None)


def shapes_of(part: str, build: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a module's tensors, ``part`` before each name; no memory is taken for them."""
    with torch.device("meta"):
        return {f"{part}.{name}": tuple(value.shape) for name, value in build().state_dict().items()}
