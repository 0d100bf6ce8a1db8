"""Tensors on disk: safetensors to write and read; published pickles are read for their tensors alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from radscribe.core.errors import RadscribeError
from radscribe.core.files import replaced, saving


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes safetensors whole or not at all; raises ``RadscribeError`` where the disk refuses."""
    with saving(path, SafetensorError), replaced(path) as draft:
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, draft)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name; raises ``RadscribeError`` where it is missing or damaged."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise RadscribeError(f"{path}: no such file; is the folder whole?") from None
    except (SafetensorError, OSError) as error:
        raise RadscribeError(f"{path}: not a readable safetensors file ({error}); copy it again") from None


def read_pickled_tensors(path: Path, within: str | None, fix: str) -> dict[str, Tensor]:
    """Tensors by name from a published pickle (``.pth``, ``.pt``, ``.bin``), or from its entry ``within``.

    Code in it is refused, not run. Raises ``RadscribeError``, which ends in ``fix``, where it holds anything else.
    """
    content = _unpickled(path, fix)
    found = content.get(within) if within and isinstance(content, dict) else content
    return _tensors_of(path, found, f"{within or 'plain state dict'} of tensors", fix)


def read_published_tensors(path: Path, wrappers: Sequence[str], fix: str) -> dict[str, Tensor]:
    """Tensors by name from a published file: safetensors by its ending, else a pickle, plain or under the first entry
    of ``wrappers`` that it has.

    Code in it is refused, not run. Raises ``RadscribeError``, which ends in ``fix``, where it holds anything else.
    """
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise RadscribeError(f"{path}: no such file; {fix}")
        return read_tensors(path)
    content = _unpickled(path, fix)
    if isinstance(content, Mapping):
        wrapper = next((name for name in wrappers if isinstance(content.get(name), Mapping)), None)
        content = content[wrapper] if wrapper else content
    return _tensors_of(path, content, f"state dict of tensors, plain or under {' or '.join(wrappers)}", fix)


def _unpickled(path: Path, fix: str) -> Any:
    """What is in a pickle of tensors and plain values, whose code is refused, not run."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RadscribeError(f"{path}: no such file; {fix}") from None
    except Exception as error:  # damaged and foreign pickles raise nearly every kind there is
        # torch wraps its reason in advice to switch the refusal of code off: those lines are not passed on.
        lines = [line for line in str(error).splitlines() if line.strip() and "weights_only" not in line]
        reason = lines[0][:120] if lines else type(error).__name__
        raise RadscribeError(f"{path}: it cannot be read as a file of tensors ({reason}); {fix}") from None


def _tensors_of(path: Path, found: Any, wanted: str, fix: str) -> dict[str, Tensor]:
    pairs = found.items() if isinstance(found, Mapping) else [(None, None)]
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in pairs):
        raise RadscribeError(f"{path}: it has no {wanted}; {fix}")
    return dict(pairs)


def fingerprint_of(tensors: dict[str, Tensor], config: dict[str, Any]) -> str:
    """SHA-256 over every weight's name, shape and bytes, and over the configuration."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.view(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return digest.hexdigest()
