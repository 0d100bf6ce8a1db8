"""Read and write imported folders: ``model.safetensors`` under radscribe's own names, and a record, ``import.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.files import read_json, replaced_together, sha256_of, write_json
from radscribe.core.tensors import read_tensors, write_tensors
from radscribe.core.version import __version__
from radscribe.models.decoding.tokenizer import read_tokenizer
from radscribe.weights.carry import Carried, Plan, Source

FORMAT = "radscribe-import/1"
ABOUT, MODEL, TOKENIZER = "import.json", "model.safetensors", "tokenizer.json"


@dataclass(frozen=True)
class Imported:
    """An imported folder; ``about`` is the content of its record, ``import.json``."""

    folder: Path
    about: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """By part, the settings that a recipe must share with the imported weights."""
        found: dict[str, Any] = self.about["config"]
        return found

    @property
    def content(self) -> str:
        """The SHA-256 of the weights, which identifies them to cached steps."""
        return sha256_of(self.folder / MODEL)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name. Raises ``RadscribeError`` where the file is missing or damaged."""
        return read_tensors(self.folder / MODEL)

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors of one part, by name without the part's prefix; empty where the folder lacks it."""
        return {
            key.removeprefix(f"{name}."): value for key, value in self.tensors().items() if key.startswith(f"{name}.")
        }

    def tokenizer(self) -> Tokenizer | None:
        """The imported vocabulary; None where the folder has none."""
        path = self.folder / TOKENIZER
        return read_tokenizer(path) if path.is_file() else None


def is_import(folder: Path) -> bool:
    """Whether ``folder`` has the record of an import."""
    return (folder / ABOUT).is_file()


def open_import(folder: Path) -> Imported:
    """Open an imported folder. Raises ``RadscribeError`` where it is none, damaged or of another version."""
    if not is_import(folder):
        raise RadscribeError(f"{folder}: not an imported folder; make one with `radscribe import`")
    about = read_json(folder / ABOUT)
    if about.get("format") != FORMAT or not isinstance(about.get("config"), dict):
        raise RadscribeError(
            f"{folder / ABOUT}: its format is {about.get('format')}, this version reads {FORMAT}; import it again"
        )
    return Imported(folder, about)


def check_target(folder: Path) -> None:
    """Raises ``WrongUse`` where ``folder`` holds something that an import must not overwrite."""
    if folder.exists() and not folder.is_dir():
        raise WrongUse(f"{folder}: this is a file; name a folder with --out")
    if folder.is_dir() and any(folder.iterdir()) and not is_import(folder):
        raise WrongUse(f"{folder}: it holds other files; name a new folder with --out")


def write_import(folder: Path, kind: str, source: Source, plan: Plan, carried: Carried) -> dict[str, Any]:
    """Write the folder, whole or not at all; returns its record."""
    about = {
        "format": FORMAT,
        "radscribe_version": __version__,
        "kind": kind,
        "source": source.path.name,
        "sha256": sha256_of(source.path),
        "config": plan.config,
        "notes": list(plan.notes),
        "made_up": carried.made,
        "started": carried.started,
        "left_out": carried.left_out,
        "mapped": carried.mapped,
    }
    with replaced_together(folder) as staging:
        write_tensors(staging / MODEL, carried.tensors)
        if plan.tokenizer is not None:
            (staging / TOKENIZER).write_text(plan.tokenizer.to_str(pretty=False), encoding="utf-8")
        write_json(staging / ABOUT, about)
    if plan.tokenizer is None:  # left by an earlier import
        (folder / TOKENIZER).unlink(missing_ok=True)
    return about
