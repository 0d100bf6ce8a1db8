"""Convert frozen dataclasses to plain mappings (YAML, JSON) and back; an unknown key or wrong type is an error."""

from __future__ import annotations

import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml

from radscribe.core.errors import RadscribeError

Config = TypeVar("Config")

# ``field(default=..., metadata=LATER)``: an option that is newer than the first cached recipes.
LATER = {"later": True}


def one_of(kinds: Callable[[], Iterable[Any]]) -> dict[str, Callable[[], Iterable[Any]]]:
    """Metadata of a field that holds one of the dataclasses ``kinds()``, distinguished by their ``method``."""
    return {"kinds": kinds}


class RecipeError(RadscribeError):
    """A recipe that cannot be read; the message has the key, its value and the allowed values."""


def from_mapping(kind: type[Config], mapping: Mapping[str, Any], path: str = "") -> Config:
    """Builds the dataclass ``kind`` from ``mapping``, nested dataclasses included.

    Raises ``RecipeError`` for an unknown key, a missing key or a value of the wrong type; what a dataclass refuses in
    its own ``__post_init__`` (``ValueError``) is reported with the path of the key.
    """
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for name, field in fields.items():
        if "kinds" in field.metadata:
            hints[name] = functools.reduce(operator.or_, field.metadata["kinds"]())
    unknown = sorted(set(mapping) - set(fields))
    if unknown:
        raise RecipeError(f"{path or 'recipe'}: unknown key '{unknown[0]}'; it may be one of {', '.join(fields)}")
    values = {
        name: _value(hints[name], mapping[name], f"{path}.{name}".lstrip(".")) for name in fields if name in mapping
    }
    try:
        return kind(**values)
    except TypeError as error:
        raise RecipeError(f"{path or 'recipe'}: {error}".replace("__init__() ", "")) from None
    except ValueError as error:
        raise RecipeError(f"{path or 'recipe'}: {error}") from None


def _value(hint: Any, value: Any, path: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise RecipeError(f"{path}: expected a mapping, found {value!r}")
        return from_mapping(hint, value, path)  # type: ignore[arg-type]
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _value(_meant([kind for kind in arguments if kind is not type(None)], value, path), value, path)
    if origin is typing.Literal:
        if value not in arguments:
            raise RecipeError(f"{path}: {value!r} is not one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise RecipeError(f"{path}: expected a list, found {value!r}")
        return tuple(_value(arguments[0], item, f"{path}[{position}]") for position, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise RecipeError(f"{path}: expected a mapping, found {value!r}")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # PyYAML reads "5e-5" (no dot) as text; a number was meant.
    if hint is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise RecipeError(f"{path}: expected a number, found {value!r}") from None
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise RecipeError(f"{path}: expected {hint.__name__}, found {value!r}")
    return value


def _meant(kinds: list[Any], value: Any, path: str) -> Any:
    """Of several dataclasses the one with the mapping's ``method``, the first where the mapping has none.

    Of other kinds the literals that contain the value; else the first kind.
    """
    if len(kinds) == 1 or not isinstance(value, Mapping):
        return next(
            (kind for kind in kinds if get_origin(kind) is typing.Literal and value in get_args(kind)), kinds[0]
        )
    by_method = {kind.method: kind for kind in kinds}
    method = value.get("method", kinds[0].method)
    if method not in by_method:
        raise RecipeError(f"{path}.method: {method!r} is not one of {', '.join(map(repr, by_method))}")
    return by_method[method]


def to_mapping(config: Any) -> dict[str, Any]:
    """The plain mapping of a dataclass, tuples as lists, ready for JSON or YAML.

    An option marked ``LATER`` is left out while it has its default, so that results from before it are found again.
    """

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return {
                field.name: plain(getattr(value, field.name))
                for field in dataclasses.fields(value)
                if not (field.metadata.get("later") and getattr(value, field.name) == field.default)
            }
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    mapping: dict[str, Any] = plain(config)
    return mapping


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, merged over that of the file in its key ``base`` (relative to its own folder).

    Mappings are merged key by key; anything else replaces the value of the base. Raises ``RecipeError`` for a missing
    file, text that is not a YAML mapping, and bases that form a circle.
    """
    return _with_base(path, ())


def _with_base(path: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
    own = _own_mapping(path)
    if "base" not in own:
        return own
    base = own.pop("base")
    if not isinstance(base, str):
        raise RecipeError(f"{path}: base: expected the path of a recipe, found {base!r}")
    below, chain = path.parent / base, (*chain, path)
    if any(below.resolve() == each.resolve() for each in chain):
        raise RecipeError(f"{path}: its base {base} is based on this recipe; remove one of the two bases")
    if not below.is_file():
        raise RecipeError(f"{path}: its base {base} is not a file; give a path relative to {path.parent}")
    return merged(_with_base(below, chain), own)


def merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """``own`` merged over ``base``: mappings key by key, all else replaced. Neither is changed."""
    result = dict(base)
    for key, value in own.items():
        below = base.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def _own_mapping(path: Path) -> dict[str, Any]:
    try:
        mapping = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe; choose one of the source's in recipes/") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not readable as YAML ({str(error).splitlines()[0]}); correct it") from None
    if not isinstance(mapping, dict):
        raise RecipeError(f"{path}: expected a mapping at the top; write keys and values")
    return mapping
