"""Convert published tensors to ours by a plan, strict about names and shapes; every import runs through it."""

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

# Prefix that data-parallel training gives every name.
PARALLEL = "module."
# Files from before PyTorch 0.4.1 lack this counter, which nothing reads.
COUNTER = "num_batches_tracked"


class ImportRefusedError(RadscribeError):
    """A published file is not of its kind; the message names the tensor that does not fit."""


class JoinError(ValueError):
    """Several tensors cannot become one; the message is what follows their names."""


@dataclass(frozen=True)
class Extras:
    """What some imports need beside the weights."""

    vocabulary: Path | None = None  # a BERT folder, tokenizer.json or vocab.txt
    book: Path | None = None  # MedKLIP's descriptions of its entities
    text_encoder: Path | None = None  # the imported folder of the BERT that encodes the book


@dataclass(frozen=True)
class Source:
    """The content of a published file."""

    path: Path
    tensors: Mapping[str, Tensor]  # by name, without data-parallel training's prefix
    written: Mapping[str, str]  # that name -> the file's own
    extras: Extras
    fix: str  # the end of every refusal: what to give instead

    def names(self, *names: str) -> str:
        """``names`` as the file has them, or would have them, joined by " + "."""
        before = PARALLEL if any(name.startswith(PARALLEL) for name in self.written.values()) else ""
        return " + ".join(self.written.get(name, before + name) for name in names)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor. Raises ``ImportRefusedError`` where it is missing or empty."""
        if name not in self.tensors:
            raise self.refusal(f"it lacks {self.names(name)}")
        if not self.tensors[name].numel():
            raise self.refusal(f"its {self.names(name)} is empty")
        return tuple(self.tensors[name].shape)

    def matrix(self, name: str) -> tuple[int, int]:
        """As ``shape``; raises also where the tensor is not a matrix."""
        shape = self.shape(name)
        if len(shape) != 2:
            raise self.refusal(f"its {self.names(name)} has shape {shape}, not two dimensions")
        return shape[0], shape[1]

    def length(self, name: str) -> int:
        """The first of ``shape``; raises also where the tensor is a single number."""
        shape = self.shape(name)
        if not shape:
            raise self.refusal(f"its {self.names(name)} is a single number")
        return shape[0]

    def count(self, pattern: str) -> int:
        """How many numbered modules match ``pattern``. Raises ``ImportRefusedError`` where there is none, or a gap."""
        found = {int(match[1]) for name in self.tensors if (match := re.fullmatch(pattern, name))}
        missing = min(set(range(len(found) + 1)) - found)
        if not found or missing < max(found):
            example = pattern.replace(r"(\d+)", str(missing)).replace("\\", "")
            raise self.refusal(f"it lacks {self.names(example)}")
        return len(found)

    def refusal(self, problem: str) -> ImportRefusedError:
        """The error that names the file, ``problem`` and the fix."""
        return ImportRefusedError(f"{self.path}: {problem}; {self.fix}")


def read_source(path: Path, wrappers: Sequence[str], extras: Extras, fix: str) -> Source:
    """Read a published file, plain or under one of ``wrappers``.

    Raises ``RadscribeError``, which ends in ``fix``, where it is missing, damaged or holds code.
    """
    found = read_published_tensors(path, wrappers, fix)
    written: dict[str, str] = {}
    for name in found:
        short = name.removeprefix(PARALLEL)
        written[name if short in written else short] = name
    return Source(path, {short: found[name] for short, name in written.items()}, written, extras, fix)


def _same(value: Tensor) -> Tensor:
    return value


@dataclass(frozen=True)
class Link:
    """One of our tensors and the published ones that it is made from."""

    target: str
    sources: tuple[str, ...]
    join: Callable[..., Tensor] = _same  # the sources' values -> the target's; raises ``JoinError``
    optional: bool = False  # some versions of the file lack the sources


@dataclass(frozen=True)
class Plan:
    """What an import takes from a file, leaves out and fills without it."""

    links: Sequence[Link]
    shapes: Mapping[str, tuple[int, ...]]  # of every tensor that the imported parts have in radscribe
    config: Mapping[str, Any]  # by part, the settings that a recipe must share
    left_out: Mapping[str, str] = field(default_factory=dict)  # pattern of published names -> reason
    started: Mapping[str, str] = field(default_factory=dict)  # pattern of our names that the file lacks -> reason
    made: Mapping[str, tuple[Tensor, str]] = field(default_factory=dict)  # filled without the file, with the reason
    notes: Sequence[str] = ()  # lines for the user
    tokenizer: Tokenizer | None = None


@dataclass(frozen=True)
class Carried:
    """Imported tensors under our names, and the record of where each came from and what was not taken."""

    tensors: dict[str, Tensor]
    mapped: list[tuple[str, str, list[int]]]  # published names, our name, shape
    left_out: list[tuple[str, str]]  # published name, reason
    started: list[tuple[str, str]]  # our name, reason
    made: list[tuple[str, str]]  # our name, reason


def carry(source: Source, plan: Plan) -> Carried:
    """Fill ``plan`` from ``source``.

    Raises ``ImportRefusedError`` naming the first tensor that is missing, has no place here, is not finite, or has
    another shape (with both shapes).
    """
    tensors = source.tensors
    linked = {name for link in plan.links for name in link.sources}
    needed = [name for link in plan.links if not link.optional for name in link.sources]
    _refuse(source, "it lacks", [name for name in needed if name not in tensors])
    reasons = {name: _reason(name, plan.left_out) for name in tensors if name not in linked}
    _refuse(source, "radscribe has no place for its", [name for name, reason in reasons.items() if reason is None])
    read = linked & tensors.keys()
    whole = [name for name in read if not (tensors[name].is_floating_point() or name.endswith(COUNTER))]
    _refuse(source, "integers are not weights: its", whole)
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
    assert not forgotten, f"the plan of this kind lacks {forgotten[0]}"
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
    except (RuntimeError, IndexError, TypeError, ValueError):  # of tensors that cannot be joined at all
        joined = None
    if joined is None or tuple(joined.shape) != wanted:
        found = " + ".join(str(tuple(value.shape)) for value in values)
        names = source.names(*link.sources)
        raise source.refusal(f"its {names} has shape {found}, but {link.target} needs {wanted}")
    return joined.contiguous()


def _refuse(source: Source, problem: str, names: Iterable[str]) -> None:
    found = sorted(names)
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise source.refusal(f"{problem} {source.names(found[0])}{more}")


def _reason(name: str, patterns: Mapping[str, str]) -> str | None:
    return next((reason for pattern, reason in patterns.items() if re.fullmatch(pattern, name)), None)


def shapes_of(part: str, build: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]]:
    """Shapes of a module's tensors by name, with ``part`` before each name; no memory is allocated for them."""
    with torch.device("meta"):
        return {f"{part}.{name}": tuple(value.shape) for name, value in build().state_dict().items()}
