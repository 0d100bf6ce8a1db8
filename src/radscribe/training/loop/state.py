"""The resumable state of a training run on disk."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from radscribe.core.files import read_json, write_json
from radscribe.core.tensors import read_tensors, write_tensors


class ResumePoint:
    """The last complete state of a run in ``folder``: weights, optimiser, random state and counters.

    A new state is written beside the old one and becomes the current one by one rename, so that a kill at any moment
    leaves a whole state behind.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pointer = folder / "resume.json"

    def save(self, module: nn.Module, optimizer: torch.optim.Optimizer, counters: dict[str, Any]) -> None:
        """Writes a whole new state, then drops the one before it."""
        name = f"state-{counters['step']:08d}-{counters['epoch']:04d}"
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        write_tensors(target / "weights.safetensors", dict(module.state_dict()))
        moments = {
            f"{index}.{key}": torch.as_tensor(value)
            for index, state in optimizer.state_dict()["state"].items()
            for key, value in state.items()
        }
        write_tensors(target / "optimizer.safetensors", {**moments, "random_state": torch.get_rng_state()})
        write_json(self.pointer, {"state": name, "counters": counters})
        for old in self.folder.glob("state-*"):
            if old.name != name:
                shutil.rmtree(old, ignore_errors=True)

    def load(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
        """Restores the last state and returns its counters; None where there is none."""
        if not self.pointer.exists():
            return None
        content = read_json(self.pointer)
        folder = self.folder / content["state"]
        module.load_state_dict(read_tensors(folder / "weights.safetensors"))
        tensors = read_tensors(folder / "optimizer.safetensors")
        torch.set_rng_state(tensors.pop("random_state"))
        restored = optimizer.state_dict()
        restored["state"] = {}
        for name, value in tensors.items():
            index, key = name.split(".", 1)
            restored["state"].setdefault(int(index), {})[key] = value
        optimizer.load_state_dict(restored)
        counters: dict[str, Any] = content["counters"]
        return counters

    def clear(self) -> None:
        """Removes every state: the run is over."""
        self.pointer.unlink(missing_ok=True)
        for old in self.folder.glob("state-*"):
            shutil.rmtree(old, ignore_errors=True)
