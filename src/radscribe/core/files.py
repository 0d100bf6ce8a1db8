"""Files written whole or not at all, and their content hashes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under ``path`` only when the block ends well; until then nothing there changes."""
    draft = path.with_name(path.name + ".tmp")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


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
