"""Files that appear whole or not at all, JSON among them, and content hashes: the one atomic writer."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from radscribe.core.errors import RadscribeError

# What a file or folder is called until it is whole.
PARTIAL = ".partial"


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of ``path`` only when the block ends well; until then nothing changes.

    Raises ``OSError`` as the disk does.
    """
    draft = path.with_name(path.name + PARTIAL)
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """As ``replaced``, open for writing bytes."""
    with replaced(path) as draft, draft.open("wb") as file:
        yield file


@contextmanager
def replaced_together(folder: Path) -> Iterator[Path]:
    """A folder to write files into, which take their places in ``folder`` only when the block ends well.

    A full disk leaves ``folder`` as it was. Each file replaces its namesake, config.json last. Raises
    ``RadscribeError`` where the disk refuses.
    """
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
        staging = folder / PARTIAL
        shutil.rmtree(staging, ignore_errors=True)
        try:
            staging.mkdir()
            yield staging
            files = sorted(path for path in staging.rglob("*") if path.is_file())
            for path in sorted(files, key=lambda path: path.name == "config.json"):
                target = folder / path.relative_to(staging)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def saving(path: Path, *also: type[Exception]) -> Iterator[None]:
    """Turns an ``OSError`` of the block (or one of ``also``) into a ``RadscribeError`` that names ``path``."""
    kinds: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except kinds as error:
        raise RadscribeError(
            f"{path}: could not be saved ({error}); free some space or choose another folder, then resume"
        ) from None


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text whole or not at all; raises ``RadscribeError`` where the disk refuses."""
    with saving(path), written_whole(path) as file:
        file.write(text.encode())


def write_json(path: Path, content: Any, indent: int = 1) -> None:
    """Writes JSON whole or not at all; raises ``RadscribeError`` where the disk refuses."""
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False) + "\n")


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


def listing_hash(paths: Iterable[Path], folder: Path) -> str:
    """The SHA-256 of which files there are, by path below ``folder`` and size: another listing is another source."""
    lines = sorted(f"{path.relative_to(folder).as_posix()}\t{path.stat().st_size}" for path in paths)
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """``value`` as every JSON file of a dataset is written."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def sha256_of(content: Path | bytes) -> str:
    """The SHA-256 of a file's content, or of bytes, in hexadecimal."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
