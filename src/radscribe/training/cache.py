"""Steps cached by content: what went in names the folder of what came out."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import radscribe
from radscribe.storage import read_json, write_json


@dataclass(frozen=True)
class StepCache:
    """A folder of steps. ``resume`` keeps what an interrupted step has left; else it is begun anew."""

    folder: Path
    resume: bool
    say: Callable[[str], None]

    def step(self, name: str, inputs: Mapping[str, Any], build: Callable[[Path], Mapping[str, Any]]) -> Step:
        """The finished step for these inputs: found, or built by ``build(folder)``, which returns its summary."""
        content = json.dumps({"step": name, "version": radscribe.__version__, **inputs}, sort_keys=True)
        key = hashlib.sha256(content.encode()).hexdigest()[:16]
        folder = self.folder / f"{name}-{key}"
        done = folder / "done.json"
        if done.exists():
            self.say(f"{name}: cached ({folder.name})")
            return Step(folder, key, read_json(done))
        if folder.exists() and not self.resume:
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        summary = dict(build(folder))
        seconds = round(time.monotonic() - began, 1)
        write_json(done, {"step": name, "inputs": json.loads(content), "seconds": seconds, **summary})
        self.say(f"{name}: done in {seconds:.0f} s")
        return Step(folder, key, read_json(done))


@dataclass(frozen=True)
class Step:
    """A finished step: its folder, its key (which the steps after it depend on) and its summary."""

    folder: Path
    key: str
    summary: dict[str, Any]
