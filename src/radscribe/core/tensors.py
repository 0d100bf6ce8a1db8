"""Files that appear whole or not at all: JSON and safetensors. Others' pickles are read for their tensors alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from radscribe.core.records import RadscribeError


def write_json(path: Path, content: Any) -> None:
    """Writes whole or not at all."""
    temporary = path.with_name(path.name + ".partial")
    try:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _cannot_write(path, error) from None


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of ours; raises ``RadscribeError`` where it is missing, damaged or something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RadscribeError(f"{path}: no such file; is the folder whole?") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RadscribeError(f"{path}: damaged ({error}); copy it again or make it anew") from None
    if not isinstance(content, dict):
        raise RadscribeError(f"{path}: it holds no JSON object; copy it again or make it anew")
    return content


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes whole or not at all."""
    temporary = path.with_name(path.name + ".partial")
    try:
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, temporary)
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise _cannot_write(path, error) from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise RadscribeError(f"{path}: no such file; is the folder whole?") from None
    except (SafetensorError, OSError) as error:
        raise RadscribeError(f"{path}: not a readable safetensors file ({error}); copy it again") from None


def read_pickled_tensors(path: Path, within: str | None, mend: str) -> dict[str, Tensor]:
    """Tensors by name from a published pickle (``.pth``, ``.pt``, ``.bin``), or from its entry ``within``.

    Code in it is refused, not run. Raises ``RadscribeError``, which ends in ``mend``, where it holds anything else.
    """
    content = _unpickled(path, mend)
    found = content.get(within) if within and isinstance(content, dict) else content
    return _tensors_of(path, found, f"{within or 'plain state dict'} of tensors", mend)


def read_published_tensors(path: Path, wrappers: Sequence[str], mend: str) -> dict[str, Tensor]:
    """Tensors by name from a published file: safetensors by its ending, else a pickle, plain or under the first entry
    of ``wrappers`` that it has.

    Code in it is refused, not run. Raises ``RadscribeError``, which ends in ``mend``, where it holds anything else.
    """
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise RadscribeError(f"{path}: no such file; {mend}")
        return read_tensors(path)
    content = _unpickled(path, mend)
    if isinstance(content, Mapping):
        wrapper = next((name for name in wrappers if isinstance(content.get(name), Mapping)), None)
        content = content[wrapper] if wrapper else content
    return _tensors_of(path, content, f"state dict of tensors, plain or under {' or '.join(wrappers)}", mend)


def _unpickled(path: Path, mend: str) -> Any:
    """What is in a pickle of tensors and plain values, whose code is refused, not run."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RadscribeError(f"{path}: no such file; {mend}") from None
    except Exception as error:  # damaged and foreign pickles raise nearly every kind there is
        # torch wraps its reason in advice to switch the refusal of code off: those lines are not passed on.
        lines = [line for line in str(error).splitlines() if line.strip() and "weights_only" not in line]
        reason = lines[0][:120] if lines else type(error).__name__
        raise RadscribeError(f"{path}: it cannot be read as a file of tensors ({reason}); {mend}") from None


def _tensors_of(path: Path, found: Any, wanted: str, mend: str) -> dict[str, Tensor]:
    pairs = found.items() if isinstance(found, Mapping) else [(None, None)]
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in pairs):
        raise RadscribeError(f"{path}: it has no {wanted}; {mend}")
    return dict(pairs)


@contextmanager
def replaced_together(folder: Path) -> Iterator[Path]:
    """A folder to write files into, which take their places in ``folder`` only when the block ends well.

    A full disk leaves ``folder`` as it was. Each file replaces its namesake, config.json last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    staging = folder / ".partial"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir()
        yield staging
        files = sorted(path for path in staging.rglob("*") if path.is_file())
        for path in sorted(files, key=lambda path: path.name == "config.json"):
            target = folder / path.relative_to(staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
    except OSError as error:
        raise _cannot_write(folder, error) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _cannot_write(path: Path, error: Exception) -> RadscribeError:
    return RadscribeError(
        f"{path}: could not be saved ({error}); free some space or choose another folder, then resume"
    )
