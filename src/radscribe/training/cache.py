"""Steps cached by content: what went in names the folder of what came out."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from radscribe.core.files import read_json, write_json
from radscribe.core.locks import lock
from radscribe.core.version import __version__

# Part of every key: raised when a step computes something else from the same configuration.
STEPS_VERSION = 4


class CachedStep(Protocol):
    """A step that is worth keeping: what it depends on names the folder of what it makes."""

    @property
    def name(self) -> str:
        """What the step's folder begins with."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """All that the result depends on, as JSON values."""

    def build(self, folder: Path) -> Mapping[str, Any]:
        """Writes the result into ``folder`` and returns its summary."""


@dataclass(frozen=True)
class StepCache:
    """A folder of steps. ``resume`` keeps what an interrupted step has left; else it is begun anew.

    With ``locked`` a step that another process is making is waited for, not made a second time.
    """

    folder: Path
    resume: bool
    say: Callable[[str], None]
    locked: bool = True

    def step(self, asked: CachedStep) -> Step:
        """The finished step: found by its inputs, or built."""
        name = asked.name
        content = json.dumps({"step": name, "version": [__version__, STEPS_VERSION], **asked.inputs}, sort_keys=True)
        key = hashlib.sha256(content.encode()).hexdigest()[:16]
        folder = self.folder / f"{name}-{key}"
        done = folder / "done.json"
        if not done.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{folder.name}.lock"
            waiting = f"{name}: another process is making it ({folder.name}); waiting"
            with lock(path, lambda: self.say(waiting)) if self.locked else nullcontext():
                if not done.exists():
                    return self._made(asked, key, json.loads(content))
        self.say(f"{name}: cached ({folder.name})")
        return Step(folder, key, read_json(done))

    def _made(self, asked: CachedStep, key: str, inputs: Mapping[str, Any]) -> Step:
        name = asked.name
        folder = self.folder / f"{name}-{key}"
        if folder.exists() and not self.resume:
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        summary = dict(asked.build(folder))
        seconds = round(time.monotonic() - began, 1)
        write_json(folder / "done.json", {"step": name, "inputs": inputs, "seconds": seconds, **summary})
        self.say(f"{name}: done in {seconds:.0f} s")
        return Step(folder, key, read_json(folder / "done.json"))


@dataclass(frozen=True)
class Step:
    """A finished step: its folder, its key (which the steps after it depend on) and its summary."""

    folder: Path
    key: str
    summary: dict[str, Any]
