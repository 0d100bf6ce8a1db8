"""Write files whole or not at all (the one atomic writer), read JSON, and hash content."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.json_files import read_json_file

# The suffix of a file, and the name of a folder, until it is complete.
PARTIAL = ".partial"


@contextmanager
def all_replaced(*paths: Path) -> Iterator[list[Path]]:
    """One file to write for each of ``paths``; all take their places when the block ends well, else none does.

    Makes the folders of ``paths`` where they are missing. Raises ``OSError`` as the disk does.
    """
    drafts = [path.with_name(path.name + PARTIAL) for path in paths]
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield drafts
        for draft in drafts:
            with draft.open("rb") as file:
                os.fsync(file.fileno())
        for draft, path in zip(drafts, paths, strict=True):
            os.replace(draft, path)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of ``path`` only when the block ends well; until then nothing changes.

    Raises ``OSError`` as the disk does.
    """
    with all_replaced(path) as (draft,):
        yield draft


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """As ``replaced``, open for writing bytes."""
    with replaced(path) as draft, draft.open("wb") as file:
        yield file


def wait_for_disk(folder: Path) -> None:
    """Return once the names of new files in ``folder`` are on the disk; raises ``OSError`` as the disk does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    """Turns an ``OSError`` of the block (or one of ``also``) into a ``RadscribeError`` with the name ``path``."""
    kinds: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except kinds as error:
        raise RadscribeError(
            f"{path}: could not be saved ({error}); free some space or choose another folder, then resume"
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all; raises ``RadscribeError`` where the disk refuses."""
    with saving(path), written_whole(path) as file:
        file.write(text.encode())


def write_json(path: Path, content: Any, indent: int | None = 1) -> None:
    """Write JSON whole or not at all, on one line without ``indent``.

    Raises ``RadscribeError`` where the disk refuses.
    """
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False) + "\n")


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, in ASCII, whole or not at all.

    Raises ``RadscribeError`` where the disk refuses.
    """
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV table, its head first, whole or not at all; raises ``RadscribeError`` where the disk refuses."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    write_text(path, text.getvalue())


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of ours; raises ``RadscribeError`` where it is missing, damaged or something else."""
    return _json_object(path, RadscribeError, "is the folder complete?", "copy it or create it again")


def read_given_json(path: Path, fix: str, wrong: type[RadscribeError] = WrongUse) -> dict[str, Any]:
    """The JSON object in a file that the user names.

    Raises ``wrong``, which ends in ``fix``, where the file is missing or holds anything else.
    """
    return _json_object(path, wrong, fix, fix)


def _json_object(path: Path, wrong: type[RadscribeError], if_missing: str, if_damaged: str) -> dict[str, Any]:
    if not path.exists():
        raise wrong(f"{path}: no such file; {if_missing}")
    content = read_json_file(path, if_damaged, wrong)
    if not isinstance(content, dict):
        raise wrong(f"{path}: it is not a JSON object but a {type(content).__name__}; {if_damaged}")
    return content


def listing_hash(paths: Iterable[Path], folder: Path) -> str:
    """The SHA-256 of the paths below ``folder`` and the sizes of files, which identifies a source by its listing."""
    lines = sorted(f"{path.relative_to(folder).as_posix()}\t{path.stat().st_size}" for path in paths)
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """The bytes of ``value`` in a JSON file of a dataset."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def sha256_of(content: Path | bytes) -> str:
    """The SHA-256 of a file's content, or of bytes, in hexadecimal."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
