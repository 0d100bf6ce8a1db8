"""An imported folder into the module that a recipe builds: sizes are compared first, then every name and shape."""

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

# Parts of a generator -> where its configuration says how they are built.
PARTS = {
    "image_encoder": "image_encoder",
    "classification": "classification",
    "retrieval": "retrieval",
    "bank": "memory",
    "project": None,
    "decoder": "decoder",
}
WORDS = ("decoder.words.weight", "decoder.bias")
# What reads the patches, whose width is the recipe's own choice.
READS_PATCHES = re.compile(r"project\..*|decoder\.layers\.\d+\.cross_(attention|norm)\..*")
# What radscribe adds to the published parts, which starts as it does without them.
OURS = re.compile(
    r"image_encoder\.projection\..*|decoder\.(rest|memory_tokens|relational\..*)"
    rf"|decoder\.layers\.\d+\.\w+_norm\.(scale|shift)\..*|.*\.{COUNTER}"
)


def start_image_encoder(imported: Imported, encoder: ImageEncoder) -> None:
    """Fills the blocks of ``encoder`` from the image encoder, or else the entity model's, of an imported folder.

    Raises ``RadscribeError`` naming the first setting or tensor that differs.
    """
    found, config = imported.part("image_encoder.blocks"), imported.config.get("image_encoder")
    if not found:
        found = imported.part("entity_model.image_encoder.blocks")
        config = imported.config.get("entity_model", {}).get("image_encoder")
    if not found or config is None:
        raise RadscribeError(f"{imported.folder}: an import of {imported.about['kind']} has no image encoder")
    _compare(imported, config, to_mapping(encoder.config), "image_encoder")
    own = encoder.blocks.state_dict()
    built = tuple(f"{number}." for number in range(len(encoder.blocks)))
    if f"{len(encoder.blocks) - 1}." not in {f"{name.partition('.')[0]}." for name in found}:
        raise RadscribeError(
            f"{imported.folder}: its ResNet ends with the third stage; it serves the entity model's image encoder alone"
        )
    _fill(imported, encoder.blocks, {name: value for name, value in found.items() if name.startswith(built)}, own)


def imported_text_encoder(imported: Imported, config: TextEncoderConfig) -> TextEncoder:
    """The text encoder of an imported folder, with its vocabulary, built as ``config`` says."""
    found, sizes, tokenizer = (
        imported.part("text_encoder.bert"),
        imported.config.get("text_encoder"),
        imported.tokenizer(),
    )
    if not found or sizes is None:
        raise RadscribeError(f"{imported.folder}: an import of {imported.about['kind']} has no text encoder")
    if tokenizer is None:
        raise RadscribeError(f"{imported.folder}: it has no vocabulary; import it again with --vocabulary")
    _compare(imported, sizes, to_mapping(config), "text_encoder")
    encoder = TextEncoder(config, tokenizer)
    _fill(imported, encoder.bert, found, encoder.bert.state_dict())
    return encoder


def start_entity_model(imported: Imported, model: EntityModel) -> bool:
    """Fills ``model``; whether the folder holds the vectors of descriptions and places too."""
    found, sizes = imported.part("entity_model"), imported.config.get("entity_model")
    if not found or sizes is None:
        raise RadscribeError(f"{imported.folder}: an import of {imported.about['kind']} has no entity model")
    _compare(imported, sizes, to_mapping(model.config), "entity_model")
    own, waiting = model.state_dict(), {"descriptions", "places"} - found.keys()
    _fill(imported, model, found, own, may_lack=waiting)
    return not waiting


def start_generator(
    imported: Imported, model: nn.Module, parts: Collection[str] | None, say: Callable[[str], None]
) -> None:
    """Starts the ``parts`` of a generator (all that the folder holds where None) from an imported folder.

    What reads the patches is left at its own start, said so, where the recipe's are of another width; so are the words
    that the published vocabulary lacks. Raises ``RadscribeError`` for anything else that differs.
    """
    own = model.state_dict()
    chosen = [part for part in PARTS if (parts is None or part in parts) and hasattr(model, part)]
    found = {name: value for name, value in imported.tensors().items() if name.partition(".")[0] in chosen}
    if not found:
        wanted = " or ".join(parts or PARTS)
        raise RadscribeError(
            f"{imported.folder}: an import of {imported.about['kind']} has no {wanted} for this recipe's generator"
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
            f"generator: {imported.folder}: it reads patches of another width; its projection and cross-attention "
            "start at random"
        )
    started = {name for name in own if name.partition(".")[0] in {key.partition(".")[0] for key in found}}
    may_lack = {name for name in started if OURS.fullmatch(name) or READS_PATCHES.fullmatch(name)}
    may_lack |= {name for name, _ in imported.about["started"]}
    _fill(imported, model, found, {name: own[name] for name in started}, may_lack)


def _with_new_words(imported: Imported, value: Tensor, own: Tensor) -> Tensor:
    """The published rows, and behind them those of the words that radscribe adds, as they start."""
    if not len(value) <= len(own) <= len(value) + 5:
        raise RadscribeError(
            f"{imported.folder}: its decoder knows {len(value)} words, the recipe's vocabulary has {len(own)}; import "
            "it again with --vocabulary, or take the text encoder from the same BERT"
        )
    joined = own.clone()
    joined[: len(value)] = value
    return joined


def _compare(imported: Imported, theirs: Mapping[str, Any], ours: Mapping[str, Any] | None, path: str) -> None:
    """Raises ``RadscribeError`` naming the first setting of the recipe that is not the imported one."""
    for name, value in theirs.items():
        own = (ours or {}).get(name)
        if isinstance(value, Mapping):
            _compare(imported, value, own, f"{path}.{name}")
        elif own != value:
            # An option that has its default is not told in a mapping.
            told = "another" if own is None else own
            raise RadscribeError(
                f"{imported.folder}: {path}.{name} is {value} there and {told} in the recipe; write {name}: {value} "
                f"({ABOUT} has all)"
            )


def _fill(
    imported: Imported,
    module: nn.Module,
    found: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    may_lack: Collection[str] = (),
) -> None:
    """Loads ``found`` over ``own`` entries of ``module``."""
    mend = f"mend the recipe ({ABOUT} has the sizes that fit)"
    for name in found:
        if name not in own:
            raise RadscribeError(f"{imported.folder}: its {name} has no place in the recipe's model; {mend}")
        if _shape(found[name]) != _shape(own[name]):
            raise RadscribeError(
                f"{imported.folder}: its {name} has shape {_shape(found[name])}, the recipe wants {_shape(own[name])}; "
                f"{mend}"
            )
    lacking = sorted(name for name in own if name not in found and name not in may_lack and not name.endswith(COUNTER))
    if lacking:
        raise RadscribeError(f"{imported.folder}: it lacks {lacking[0]}, which the recipe's model has; {mend}")
    module.load_state_dict({**module.state_dict(), **found})


def _shape(value: Tensor | None) -> tuple[int, ...] | None:
    return None if value is None else tuple(value.shape)
