"""Turns a raw source into a prepared dataset folder: resumable, deterministic, with a leak report."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.files import PARTIAL, json_bytes, written_whole
from radscribe.core.version import __version__
from radscribe.data.assembly import assemble
from radscribe.data.leaks import DROPPABLE
from radscribe.data.shards import write_shards
from radscribe.data.source import Source
from radscribe.data.splits import FRACTIONS, SALT


def prepare(
    source: Source,
    out: Path,
    size: int = 256,
    section: str = "findings",
    workers: int | None = None,
    drop: Collection[str] = (),
) -> dict[str, Any]:
    """Prepare ``source`` into the folder ``out`` and return its manifest.

    After an interruption the same call resumes and writes the same bytes; for a finished folder it only returns the
    manifest.

    Args:
        source: what to prepare.
        out: the folder to write.
        size: side of the stored films, in pixels.
        section: the part of the report that is labelled and that every study must have.
        workers: number of processes (default: one per core).
        drop: duplicates across splits (``leaks.DROPPABLE``) to drop from training, or validation, besides identical
            images.

    Raises:
        WrongUse: for an unknown name in ``drop``.
        RadscribeError: when ``out`` holds something else, a patient is in two splits, or the files cannot be written.
    """
    unknown = sorted(set(drop) - set(DROPPABLE))
    if unknown:
        raise WrongUse(f'drop: "{unknown[0]}" is not known; use {", ".join(DROPPABLE)}')
    settings = {
        "source": source.name,
        **source.settings,
        "size": size,
        "section": section,
        "split_fractions": list(FRACTIONS),
        "split_salt": SALT,
        "inputs": dict(source.inputs),
        **({"drop": sorted(set(drop))} if drop else {}),  # absent by default: keeps the hashes of earlier datasets
    }
    versions = {name: version(name) for name in ("pillow", "pydicom", "numpy")}
    try:
        done = _finished(out, settings)
        if done is not None:
            return done
        state = {"radscribe_version": __version__, "settings": settings, "versions": versions}
        partial = _begin(out, state, source.secrets)
        shards = write_shards(source.studies(partial / "scratch"), partial, source.extra_fields, size, section, workers)
        return assemble(source, shards, partial, out, settings, versions)
    except OSError as error:
        # NumPy reports a full disk only as numbers of items requested and written.
        reason = error.strerror or f"only partly written, is the disk full? ({error})"
        raise RadscribeError(
            f"{error.filename or out}: {reason}; fix that and run the same command again: it resumes"
        ) from error


def _finished(out: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    path = out / "manifest.json"
    if not path.exists():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
        found = manifest["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise RadscribeError(f"{path}: it is damaged; give another --out or delete the folder") from error
    _require_same(found, settings, out)
    shutil.rmtree(out / PARTIAL, ignore_errors=True)
    return manifest


def _begin(out: Path, state: Mapping[str, Any], secrets: Mapping[str, bytes]) -> Path:
    """Create or reopen the folder of unfinished work, with its secrets and settings."""
    partial = out / PARTIAL
    path = partial / "settings.json"
    if path.exists():
        found = json.loads(path.read_text("utf-8"))
        _require_same(found["settings"], state["settings"], out)
        if found != state:
            raise RadscribeError(f"{out}: it was started with other library versions; delete it and start again")
    elif out.exists() and any(entry.name != PARTIAL for entry in out.iterdir()):
        raise RadscribeError(f"{out}: the folder is not empty and not a prepared dataset; give another --out")
    partial.mkdir(parents=True, exist_ok=True)
    for name, content in secrets.items():
        with written_whole(partial / name) as file:
            os.chmod(file.name, 0o600)
            file.write(content)
    with written_whole(path) as file:
        file.write(json_bytes(state))
    return partial


def _require_same(found: Mapping[str, Any], wanted: Mapping[str, Any], out: Path) -> None:
    different = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    if different:
        raise RadscribeError(
            f"{out}: it was prepared with another setting ({', '.join(different)}); give another --out or delete it"
        )
