"""Import MedKLIP (Wu et al., ICCV 2023, arXiv 2301.02228) into the entity model.

Its checkpoint lacks the vectors of the 75 descriptions (the book) and the 51 places: the published code computes them
with ClinicalBERT from ``observation explanation.json``, both of which the user gives. A file that does hold them
(``disease_book``, ``ana_book``) is read too.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from radscribe.core.config import from_mapping
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.files import read_given_json
from radscribe.labels.entities import ENTITIES, PLACES
from radscribe.models.encoders.entity import EntityModel, EntityModelConfig
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.weights.carry import Link, Plan, Source, shapes_of
from radscribe.weights.folder import open_import
from radscribe.weights.resnet import NO_COUNTER, resnet_config, resnet_links, sequential_name, structure

HEADS = 4  # H of its configuration, which no tensor shows
BOOK_TOKENS = 128  # length at which its pre-training cuts a description
MISSPELT = {"eumonia": "pneumonia"}  # in the published book
# MedKLIP's own wording, underscores of the places included: it was trained against these vectors.
PLACE = "It is located at {}"
PAIRS = {
    "project_patches.0": "res_l1",
    "project_patches.2": "res_l2",
    "project_queries": "disease_embedding_layer",
    "presence_head": "classifier",
    "position_head": "cl_fc",
}


def plan(source: Source) -> Plan:
    """Import the entity model, with vectors of descriptions and places from the file or from ``source.extras``."""

    def published(name: str) -> str:
        return f"res_features.{sequential_name(name)}"

    width, _ = source.matrix("res_l2.weight")
    text_width = source.matrix("disease_embedding_layer.weight")[1]
    if width % HEADS:
        raise source.refusal(f"its width {width} is not divisible by {HEADS} heads")
    config = EntityModelConfig(
        width=width,
        layers=source.count(r"decoder\.layers\.(\d+)\.linear1\.weight"),
        heads=HEADS,
        feed_forward=source.matrix("decoder.layers.0.linear1.weight")[0],
        patch_hidden=source.matrix("res_l1.weight")[0],
        image_encoder=resnet_config(source, published),
    )
    shapes = shapes_of("entity_model", lambda: EntityModel(config, text_width))
    links, _ = resnet_links(config.image_encoder, "entity_model.image_encoder", published, "middle")
    for ours, theirs in PAIRS.items():
        links += [Link(f"entity_model.{ours}.{leaf}", (f"{theirs}.{leaf}",)) for leaf in ("weight", "bias")]
    links += [Link(name, (name.removeprefix("entity_model."),)) for name in shapes if ".decoder." in name]
    links += [
        Link(f"entity_model.{ours}", (theirs,), optional=True)
        for ours, theirs in (("descriptions", "disease_book"), ("places", "ana_book"))
    ]
    made: dict[str, tuple[Tensor, str]] = {}
    if source.extras.book and source.extras.text_encoder and "disease_book" not in source.tensors:
        made = _book(source.extras.book, source.extras.text_encoder, text_width)
    waiting = "filled when training begins, by the recipe's text encoder from radscribe's own sentences"
    if (source.extras.book is None) != (source.extras.text_encoder is None):
        raise WrongUse("--book and --text-encoder go together: give both or neither")
    return Plan(
        links,
        shapes,
        {"entity_model": _structure(config)},
        started=NO_COUNTER | {r"entity_model\.(descriptions|places)": waiting},
        made=made,
        notes=()
        if made or "disease_book" in source.tensors
        else (
            "MedKLIP was trained with the descriptions of its own book, which the checkpoint lacks: give "
            "'observation explanation.json' with --book and an imported ClinicalBERT with --text-encoder",
        ),
    )


def _structure(config: EntityModelConfig) -> dict[str, Any]:
    names = ("width", "layers", "heads", "feed_forward", "patch_positions", "patch_hidden")
    return {name: getattr(config, name) for name in names} | {"image_encoder": structure(config.image_encoder)}


def _book(book: Path, text_encoder: Path, text_width: int) -> dict[str, tuple[Tensor, str]]:
    """The vectors of the book's 75 sentences and of the 51 places, as the published code makes them."""
    descriptions, imported = read_book(book), open_import(text_encoder)
    tokenizer = imported.tokenizer()
    if tokenizer is None or "text_encoder" not in imported.config:
        raise RadscribeError(
            f"{text_encoder}: not an imported text encoder; make one with `radscribe import clinicalbert`"
        )
    config = from_mapping(TextEncoderConfig, imported.config["text_encoder"], "text_encoder")
    if config.width != text_width:
        raise RadscribeError(
            f"{text_encoder}: its vectors have width {config.width}, MedKLIP's {text_width}; name its ClinicalBERT"
        )
    encoder = TextEncoder(replace(config, max_tokens=BOOK_TOKENS), tokenizer)
    encoder.bert.load_state_dict(imported.part("text_encoder.bert"))
    places = [PLACE.format(place) for place in PLACES]
    origin = f"{book.name} and MedKLIP's places, read by {text_encoder.name}"
    return {
        "entity_model.descriptions": (encoder.encode(descriptions), origin),
        "entity_model.places": (encoder.encode(places), origin),
    }


def read_book(path: Path) -> list[str]:
    """The description of each of the 75 entities, in their order, from MedKLIP's JSON object (entity -> sentence).

    Raises ``RadscribeError`` where the file is missing or damaged, or lacks an entity.
    """
    content = read_given_json(path, "give MedKLIP's 'observation explanation.json'", RadscribeError)
    named = {MISSPELT.get(name, name): text for name, text in content.items()}
    lacking = [name for name in ENTITIES if not isinstance(named.get(name), str)]
    if lacking:
        raise RadscribeError(
            f"{path}: it lacks a description of '{lacking[0]}'; give MedKLIP's 'observation explanation.json'"
        )
    return [named[name] for name in ENTITIES]
