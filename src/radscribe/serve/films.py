"""The films of the service on the disk: a folder of a random name for each study, files by their number."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from radscribe.core.errors import RadscribeError
from radscribe.core.files import wait_for_disk
from radscribe.imaging.header import PREAMBLE

BLOCK = 2**20
# In the folder of a study that is in no database: not yet, or not for much longer.
UNKEPT = "unkept"
ID = re.compile("[0-9a-f]{32}")


class EmptyFilm(RadscribeError):
    """An uploaded file without a byte."""


class LargeFilm(RadscribeError):
    """An uploaded file of more bytes than a film may have."""


@dataclass(frozen=True)
class StoredStudy:
    """The uploaded files of one study on the disk."""

    id: str
    files: tuple[Path, ...]
    study_hash: str  # SHA-256 over those of the files, in their order


class FilmStore:
    """A folder of studies. No name that a client sends becomes part of a path.

    A study is marked from ``add`` until ``keep``, and from ``mark`` until ``remove``: what a killed service leaves
    behind can be told from the films of a database that is not at hand.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes

    def add(self, uploads: Sequence[BinaryIO]) -> StoredStudy:
        """Write the films of one study and wait for the disk; preambles of DICOM files are zeroed.

        Raises:
            EmptyFilm, LargeFilm: for an upload that cannot be a film.
            OSError: as the disk does.
        """
        name = secrets.token_hex(16)
        folder = self._folder / name
        folder.mkdir(parents=True, mode=0o700)
        try:
            self.mark(name)
            hashes = [self._write(upload, folder / str(place)) for place, upload in enumerate(uploads)]
            for each in (folder, self._folder):
                wait_for_disk(each)
        except BaseException:
            self.remove(name)
            raise
        total = hashlib.sha256(b"".join(hashes)).hexdigest()
        return StoredStudy(name, tuple(folder / str(place) for place in range(len(hashes))), total)

    def file(self, name: str, place: int) -> Path:
        """The file of a film of the study ``name``, an id that ``add`` gave."""
        return self._folder / name / str(place)

    def mark(self, name: str) -> None:
        """Note that the films of the study ``name`` are in no database, or soon will not be."""
        if (self._folder / name).is_dir():
            (self._folder / name / UNKEPT).touch()

    def keep(self, name: str) -> None:
        """Note that the films of the study ``name`` are in the database."""
        (self._folder / name / UNKEPT).unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Delete the films of the study ``name``; nothing happens where there are none."""
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def tidy(self, names: Collection[str]) -> None:
        """Delete what a killed service left behind: the marked studies, but those in the database (``names``)."""
        for path in list(self._folder.glob(f"*/{UNKEPT}")):
            if path.parent.name in names:
                self.keep(path.parent.name)
            else:
                self.remove(path.parent.name)

    def _write(self, upload: BinaryIO, path: Path) -> bytes:
        """Copy an upload to ``path``; the SHA-256 is that of the bytes as they came."""
        upload.seek(0)
        digest, size = hashlib.sha256(), 0
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            while block := upload.read(BLOCK):
                digest.update(block)
                if size == 0 and block[PREAMBLE : PREAMBLE + 4] == b"DICM":
                    block = bytes(PREAMBLE) + block[PREAMBLE:]  # it could be the head of a program
                size += len(block)
                if size > self._most:
                    raise LargeFilm(f"a film has more than {self._most:,} bytes; send no larger ones")
                file.write(block)
            if not size:
                raise EmptyFilm("a film is an empty file; send it again")
            file.flush()
            os.fsync(file.fileno())
        return digest.digest()
