"""The gate in a checkpoint's folder."""

from __future__ import annotations

from pathlib import Path

from radscribe.core.errors import RadscribeError
from radscribe.core.files import read_json, write_json
from radscribe.core.tensors import read_tensors, write_tensors
from radscribe.drafting.gate import Gate
from radscribe.drafting.index_files import CheckpointError

GATE_FILES = ("gate.json", "gate.safetensors")


def save_gate(gate: Gate, folder: Path) -> None:
    """Write ``gate.safetensors`` and ``gate.json``; raises ``RadscribeError`` where the disk refuses."""
    tensors, settings = gate.to_tensors()
    write_tensors(folder / "gate.safetensors", {name: value.half() for name, value in tensors.items()})
    write_json(folder / "gate.json", settings)


def load_gate(folder: Path) -> Gate | None:
    """The gate in ``folder``, None where there is none; raises ``CheckpointError`` for one that cannot be read."""
    if not (folder / "gate.json").exists():
        return None
    try:
        return Gate.from_tensors(read_tensors(folder / "gate.safetensors"), read_json(folder / "gate.json"))
    except RadscribeError as error:
        raise CheckpointError(f"{folder}: {error}; calibrate again with `radscribe calibrate`") from None
