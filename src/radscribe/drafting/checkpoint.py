"""Saves a trained system to a folder and loads it back: safetensors and JSON, strict, never pickle."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from radscribe.core.config import RecipeError, from_mapping, to_mapping
from radscribe.core.errors import RadscribeError
from radscribe.core.files import read_json, replaced_together, write_json
from radscribe.core.tensors import fingerprint_of, read_tensors, write_tensors
from radscribe.core.version import __version__
from radscribe.drafting.calibration import CALIBRATION
from radscribe.drafting.gate_files import GATE_FILES
from radscribe.drafting.index_files import INDEX_FILES, CheckpointError, load_index, save_index
from radscribe.drafting.system import System, SystemConfig, build_system
from radscribe.labels.conditions import CONDITIONS, STATES
from radscribe.models.decoding.phrases import Phrases
from radscribe.models.decoding.tokenizer import ReportTokenizer, read_tokenizer
from radscribe.models.knowledge.index import StaleIndexError
from radscribe.models.systems import SYSTEMS

FORMAT = "radscribe-checkpoint/1"
PHRASES = "phrases.safetensors"
SCORES = "scores.json"
RECORDS = ("training.jsonl", "curves.png", "MODEL_CARD.md")
# What was fitted to the weights or measured with them: of no use to others.
FITTED = (CALIBRATION, "calibration.png", *GATE_FILES, SCORES)


def save_checkpoint(folder: Path, system: System, about: dict[str, Any], half: bool, texts: bool) -> str:
    """Writes ``system`` to ``folder`` and returns its fingerprint.

    ``about`` (recipe, dataset, what was measured) goes into ``config.json``; ``half`` stores weights in half
    precision; ``texts`` stores the reports of the reference database too. Raises ``RadscribeError`` where a file cannot
    be written; what stood there before is then still whole.
    """
    tensors = dict(system.state_dict())
    if half:
        tensors = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    model = to_mapping(system.config)
    fingerprint = fingerprint_of(tensors, model)
    tokenizers = {
        "tokenizer.json": system.model.tokenizer.backend.to_str(pretty=False),
        "text_tokenizer.json": system.text_encoder.tokenizer.to_str(pretty=False),
    }
    if tokenizers["tokenizer.json"] == tokenizers["text_tokenizer.json"]:
        del tokenizers["text_tokenizer.json"]
    knowledge = dict(system.model.save_knowledge(system.knowledge))
    if phrases := system.model.phrases:
        knowledge[PHRASES] = {"contexts": phrases.contexts, "followers": phrases.followers.int()}
    with replaced_together(folder) as staging:
        write_tensors(staging / "model.safetensors", tensors)
        for name, content in tokenizers.items():
            (staging / name).write_text(content, encoding="utf-8")
        save_index(staging / "index", system.knowledge.database, fingerprint, texts)
        for name, kept in knowledge.items():
            if name.endswith(".safetensors"):
                write_tensors(staging / name, dict(kept))
            else:
                write_json(staging / name, kept)
        write_json(
            staging / "config.json",
            {
                "format": FORMAT,
                "radscribe_version": __version__,
                "fingerprint": fingerprint,
                "system": model,
                "labels": {"conditions": list(CONDITIONS), "states": list(STATES)},
                "precision": "float16" if half else "float32",
                **about,
            },
        )
    every = {
        "text_tokenizer.json",
        PHRASES,
        *(name for kind in SYSTEMS.values() for name in kind.model.knowledge_files),
    }
    for name in {*every, *FITTED} - {*tokenizers, *knowledge}:  # an older checkpoint's
        (folder / name).unlink(missing_ok=True)
    return fingerprint


def load_networks(folder: Path) -> tuple[System, dict[str, Any]]:
    """The networks in ``folder`` with no knowledge yet, in evaluation mode, and the content of ``config.json``.

    Raises ``CheckpointError`` for anything missing, damaged or not of one piece.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such checkpoint folder; name one made by `radscribe train`")
    about = read_json(folder / "config.json")
    if about.get("format") != FORMAT:
        raise CheckpointError(f"{folder}: its format is {about.get('format')}, this version reads {FORMAT}")
    try:
        config, stored = from_mapping(SystemConfig, about["system"], "system"), about["fingerprint"]
    except (RecipeError, KeyError) as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}; the checkpoint is of another version") from None
    tokenizer = ReportTokenizer(read_tokenizer(folder / "tokenizer.json"))
    own = folder / "text_tokenizer.json"
    text_tokenizer = read_tokenizer(own) if own.exists() else tokenizer.backend
    system = build_system(config, text_tokenizer, tokenizer)
    tensors = read_tensors(folder / "model.safetensors")
    _check_tensors(folder / "model.safetensors", tensors, system)
    if fingerprint_of(tensors, about["system"]) != stored:
        raise CheckpointError(f"{folder}: weights and config.json do not belong together; copy the whole folder again")
    system.load_state_dict({name: _full_precision(value) for name, value in tensors.items()})
    if config.search.phrases:
        system.model.phrases = _read_phrases(folder / PHRASES, config.search.phrases, tokenizer)
    return system.eval().requires_grad_(False), about


def load_checkpoint(folder: Path, device: str = "cpu") -> tuple[System, dict[str, Any]]:
    """The whole system in ``folder``, ready to draft, and the content of its ``config.json``.

    Raises ``CheckpointError`` as ``load_networks`` does, ``StaleIndexError`` for an index built by another model.
    """
    system, about = load_networks(folder)
    database, fingerprint = load_index(folder / "index")
    if fingerprint != about["fingerprint"]:
        raise StaleIndexError(
            f"{folder / 'index'}: built by model {fingerprint[:12]}, the checkpoint is {about['fingerprint'][:12]}; "
            "rebuild it with `radscribe index build`"
        )
    system.to(device)
    database = database.to(next(system.parameters()).device)
    files = {name: _read_knowledge(folder / name) for name in system.model.stored_files}
    system.knowledge = system.model.load_knowledge(database, files, fingerprint)
    return system, about


def _read_phrases(path: Path, words: int, tokenizer: ReportTokenizer) -> Phrases:
    tensors = read_tensors(path)
    try:
        return Phrases(tensors["contexts"], tensors["followers"], words, tokenizer)
    except (KeyError, RadscribeError) as error:
        raise CheckpointError(f"{path}: {error}; copy the whole checkpoint folder again") from None


def _read_knowledge(path: Path) -> dict[str, Any]:
    return dict(read_tensors(path)) if path.suffix == ".safetensors" else read_json(path)


def _full_precision(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _check_tensors(path: Path, tensors: dict[str, Tensor], module: nn.Module) -> None:
    """Raises ``CheckpointError`` naming the first tensor that is missing, unknown or of another shape."""
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    for what, names in (("lacks", wanted.keys() - found.keys()), ("has an unknown", found.keys() - wanted.keys())):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise CheckpointError(f"{path}: {what} tensor {min(names)}{more}; copy the whole checkpoint folder again")
    for name, shape in wanted.items():
        if found[name] != shape:
            raise CheckpointError(f"{path}: {name} has shape {found[name]}, config.json asks for {shape}")


def checkpoint_names() -> set[str]:
    """The names of all files that a checkpoint folder may have."""
    return {
        *("model.safetensors", "config.json", "tokenizer.json", "text_tokenizer.json", PHRASES, *RECORDS, *FITTED),
        *(f"index/{name}" for name in INDEX_FILES),
        *(name for kind in SYSTEMS.values() for name in kind.model.knowledge_files),
    }


def copy_records(source: Path, target: Path) -> None:
    """Copies what training, calibration and evaluation left to look at (log, curves, model card, scores) from one
    checkpoint folder to another."""
    for name in (*RECORDS, "calibration.png", SCORES):
        if (source / name).exists() and source.resolve() != target.resolve():
            shutil.copyfile(source / name, target / name)
