"""Load an imported folder into a recipe's module, after comparing settings, names and shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from torch import Tensor, nn

from radscribe.core.config import to_mapping
from radscribe.core.errors import RadscribeError
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.encoders.image import ImageEncoder
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.weights.carry import COUNTER
from radscribe.weights.folder import ABOUT, Imported

# Part of a generator -> the field of its configuration.
PARTS = {
    "image_encoder": "image_encoder",
    "classification": "classification",
    "retrieval": "retrieval",
    "bank": "memory",
    "project": None,
    "decoder": "decoder",
}
WORDS = ("decoder.words.weight", "decoder.bias")
# Tensors that read the patches, whose width is the recipe's choice.
READS_PATCHES = re.compile(r"project\..*|decoder\.layers\.\d+\.cross_(attention|norm)\..*")
# Tensors that radscribe adds to the published parts; they keep their initial values.
OURS = re.compile(
    r"image_encoder\.projection\..*|decoder\.(rest|memory_tokens|relational\..*)"
    rf"|decoder\.layers\.\d+\.\w+_norm\.(scale|shift)\..*|.*\.{COUNTER}"
)


def start_image_encoder(imported: Imported, encoder: ImageEncoder) -> None:
    """Load the image encoder of an imported folder, or else its entity model's, into the blocks of ``encoder``.

    Raises ``RadscribeError`` naming the first setting or tensor that differs.
    """
    found, config = imported.part("image_encoder.blocks"), imported.config.get("image_encoder")
    if not found:
        found = imported.part("entity_model.image_encoder.blocks")
        config = imported.config.get("entity_model", {}).get("image_encoder")
    if not found or config is None:
        raise RadscribeError(
            f"{imported.folder}: an import of {imported.about['kind']} has no image encoder; name another"
        )
    _compare(imported, config, to_mapping(encoder.config), "image_encoder")
    own = encoder.blocks.state_dict()
    built = tuple(f"{number}." for number in range(len(encoder.blocks)))
    if f"{len(encoder.blocks) - 1}." not in {f"{name.partition('.')[0]}." for name in found}:
        raise RadscribeError(
            f"{imported.folder}: its ResNet ends with the third stage; use it for the entity model's image encoder only"
        )
    _fill(imported, encoder.blocks, {name: value for name, value in found.items() if name.startswith(built)}, own)


def imported_text_encoder(imported: Imported, config: TextEncoderConfig) -> TextEncoder:
    """The text encoder of an imported folder, with its vocabulary, built as ``config`` says.

    Raises ``RadscribeError`` where the folder has none, lacks the vocabulary, or differs in a setting.
    """
    found, sizes, tokenizer = (
        imported.part("text_encoder.bert"),
        imported.config.get("text_encoder"),
        imported.tokenizer(),
    )
    if not found or sizes is None:
        raise RadscribeError(
            f"{imported.folder}: an import of {imported.about['kind']} has no text encoder; name another"
        )
    if tokenizer is None:
        raise RadscribeError(f"{imported.folder}: it has no vocabulary; import it again with --vocabulary")
    _compare(imported, sizes, to_mapping(config), "text_encoder")
    encoder = TextEncoder(config, tokenizer)
    _fill(imported, encoder.bert, found, encoder.bert.state_dict())
    return encoder


def start_entity_model(imported: Imported, model: EntityModel) -> bool:
    """Load an imported entity model into ``model``; returns whether the vectors of descriptions and places came too.

    Raises ``RadscribeError`` naming the first setting or tensor that differs.
    """
    found, sizes = imported.part("entity_model"), imported.config.get("entity_model")
    if not found or sizes is None:
        raise RadscribeError(
            f"{imported.folder}: an import of {imported.about['kind']} has no entity model; name another"
        )
    _compare(imported, sizes, to_mapping(model.config), "entity_model")
    own, waiting = model.state_dict(), {"descriptions", "places"} - found.keys()
    _fill(imported, model, found, own, may_lack=waiting)
    return not waiting


def start_generator(
    imported: Imported, model: nn.Module, parts: Collection[str] | None, say: Callable[[str], None]
) -> None:
    """Load ``parts`` of a generator (where None, all that the folder holds) from an imported folder.

    What reads the patches keeps its initial values, which ``say`` reports, where the recipe's patches have another
    width; so do the words that the published vocabulary lacks. Raises ``RadscribeError`` for any other difference.
    """
    own = model.state_dict()
    chosen = [part for part in PARTS if (parts is None or part in parts) and hasattr(model, part)]
    found = {name: value for name, value in imported.tensors().items() if name.partition(".")[0] in chosen}
    if not found:
        wanted = " or ".join(parts or PARTS)
        raise RadscribeError(
            f"{imported.folder}: an import of {imported.about['kind']} has no {wanted} for this generator; name another"
        )
    config: Any = model.config
    for part in sorted({name.partition(".")[0] for name in found}):
        place = PARTS[part]
        if place is not None and place in imported.config:
            _compare(imported, imported.config[place], to_mapping(getattr(config, place)), f"model.{place}")
    for name in WORDS:
        if name in found and name in own:
            found[name] = _with_new_words(imported, found[name], own[name])
    other = [name for name in found if READS_PATCHES.fullmatch(name) and _shape(own.get(name)) != _shape(found[name])]
    if other:
        left = {name for name in found if READS_PATCHES.fullmatch(name)}
        found = {name: value for name, value in found.items() if name not in left}
        say(
            f"generator: {imported.folder}: its patches have another width; its projection and cross-attention "
            "start at random"
        )
    started = {name for name in own if name.partition(".")[0] in {key.partition(".")[0] for key in found}}
    may_lack = {name for name in started if OURS.fullmatch(name) or READS_PATCHES.fullmatch(name)}
    may_lack |= {name for name, _ in imported.about["started"]}
    _fill(imported, model, found, {name: own[name] for name in started}, may_lack)


def _with_new_words(imported: Imported, value: Tensor, own: Tensor) -> Tensor:
    """The published rows, and behind them the initial ones of the words that radscribe adds."""
    if not len(value) <= len(own) <= len(value) + 5:
        raise RadscribeError(
            f"{imported.folder}: its decoder knows {len(value)} words, the recipe's vocabulary has {len(own)}; import "
            "it again with --vocabulary, or take the text encoder from the same BERT"
        )
    joined = own.clone()
    joined[: len(value)] = value
    return joined


def _compare(imported: Imported, theirs: Mapping[str, Any], ours: Mapping[str, Any] | None, path: str) -> None:
    """Raises ``RadscribeError`` naming the first setting of the recipe that differs from the imported one."""
    for name, value in theirs.items():
        own = (ours or {}).get(name)
        if isinstance(value, Mapping):
            _compare(imported, value, own, f"{path}.{name}")
        elif own != value:
            # ``to_mapping`` leaves out some options at their default.
            shown = "another" if own is None else own
            raise RadscribeError(
                f"{imported.folder}: {path}.{name} is {value} there and {shown} in the recipe; write {name}: {value} "
                f"({ABOUT} lists all)"
            )


def _fill(
    imported: Imported,
    module: nn.Module,
    found: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    may_lack: Collection[str] = (),
) -> None:
    """Load ``found`` into ``module``, whose ``own`` entries must all be there but for ``may_lack``."""
    fix = f"fix the recipe ({ABOUT} has the sizes that fit)"
    for name in found:
        if name not in own:
            raise RadscribeError(f"{imported.folder}: its {name} has no place in the recipe's model; {fix}")
        if _shape(found[name]) != _shape(own[name]):
            raise RadscribeError(
                f"{imported.folder}: its {name} has shape {_shape(found[name])}, the recipe needs {_shape(own[name])}; "
                f"{fix}"
            )
    lacking = sorted(name for name in own if name not in found and name not in may_lack and not name.endswith(COUNTER))
    if lacking:
        raise RadscribeError(f"{imported.folder}: it lacks {lacking[0]}, which the recipe's model has; {fix}")
    module.load_state_dict({**module.state_dict(), **found})


def _shape(value: Tensor | None) -> tuple[int, ...] | None:
    return None if value is None else tuple(value.shape)
