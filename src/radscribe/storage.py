"""Files that appear whole or not at all: JSON and safetensors, never pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from radscribe.study import RadscribeError


def write_json(path: Path, content: Any) -> None:
    """Writes whole or not at all."""
    temporary = path.with_name(path.name + ".partial")
    try:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _cannot_write(path, error) from None


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RadscribeError(f"{path}: no such file; is the folder whole?") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RadscribeError(f"{path}: damaged ({error}); copy it again or make it anew") from None


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


def _cannot_write(path: Path, error: Exception) -> RadscribeError:
    return RadscribeError(
        f"{path}: could not be saved ({error}); free some space or choose another folder, then resume"
    )
