"""Reads the films of a tar archive as a stream and fits them, without unpacking the archive on disk."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from radscribe.core.errors import RadscribeError
from radscribe.core.files import written_whole
from radscribe.imaging.film import MAXIMUM_FILE_BYTES, fit, read_film
from radscribe.imaging.refusal import RefusedFilm


@dataclass(frozen=True)
class Member:
    """A fitted film of an archive: ``path`` is its PNG file, or None with the ``reason`` it was refused for."""

    path: Path | None
    reason: str = ""


def fit_archive(
    archive: Path, cache: Path, key_of: Callable[[str], str], wanted: set[str], size: int
) -> dict[str, Member]:
    """Fit the wanted films of ``archive`` to ``size`` x ``size`` PNG files under ``cache``.

    Args:
        archive: a tar file, compressed or not; read once, from front to back.
        cache: the folder of the fitted films; a film already in it is not read again.
        key_of: gives the key of a film from its name in the archive.
        wanted: the keys to keep.
        size: side of the fitted films, in pixels.

    Returns:
        key -> member, for the wanted films that are in the archive.

    Raises:
        RadscribeError: when the archive is damaged.
    """
    cache.mkdir(parents=True, exist_ok=True)
    found: dict[str, Member] = {}
    for name, read in tqdm(_files(archive), unit="film", desc=archive.name, disable=None):
        key = key_of(name)
        if key in wanted and key not in found:
            found[key] = _fit_member(key, read, cache / f"{key}.png", size)
    return found


def _files(archive: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    try:
        with tarfile.open(archive, "r|*") as files:
            for member in files:
                if not member.isfile() or member.size > MAXIMUM_FILE_BYTES:
                    continue
                content = files.extractfile(member)
                if content is not None:
                    yield member.name, content.read
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise RadscribeError(f"{archive}: the archive is damaged ({error}); fetch it again") from error


def _fit_member(key: str, read: Callable[[], bytes], path: Path, size: int) -> Member:
    if path.exists():
        return Member(path)
    try:
        film = read_film(read(), key, size)
    except RefusedFilm as refusal:
        return Member(None, refusal.reason)
    encoded = BytesIO()
    Image.fromarray(np.ascontiguousarray(fit(film.pixels, size))).save(encoded, "PNG")
    with written_whole(path) as file:
        file.write(encoded.getvalue())
    return Member(path)
