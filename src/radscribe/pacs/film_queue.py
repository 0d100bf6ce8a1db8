"""Films that were received and wait on the disk: a folder for each study, a file for each film."""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from pathlib import Path
from typing import BinaryIO

from pydicom.uid import UID

from radscribe.core.files import PARTIAL, wait_for_disk, written_whole
from radscribe.imaging.header import read_header
from radscribe.imaging.refusal import RefusedFilm

NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
ORDERED = ("SeriesNumber", "InstanceNumber", "SOPInstanceUID")


class FilmQueue:
    """The films in ``folder``; its methods may be called by any thread. No name that a peer sends becomes a path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changing = threading.Lock()

    def add(self, study: str, film: str, content: bytes) -> None:
        """Keep a film (``study`` and ``film`` are UIDs): it is on the disk when this returns.

        The same film again replaces itself. Raises ``OSError`` as the disk does.
        """
        folder = self._folder / folder_name(study)
        with self._changing:
            folder.mkdir(parents=True, exist_ok=True)
            with written_whole(folder / f"{folder_name(film)}.dcm") as file:
                file.write(content)
            for each in (folder, self._folder):
                wait_for_disk(each)

    def studies(self) -> dict[str, float]:
        """The names of the studies that have films, each with how many seconds ago the last one came."""
        found = {}
        for folder in self._folder.glob("*/"):
            times = [path.stat().st_mtime for path in _films(folder)]
            if times:
                found[folder.name] = time.time() - max(times)
        return found

    def films(self, study: str) -> list[Path]:
        """The films of the study of this name, in the order of their numbers."""
        return sorted(_films(self._folder / study), key=_order)

    def remove(self, study: str) -> None:
        """Delete the films of the study of this name."""
        with self._changing:
            shutil.rmtree(self._folder / study, ignore_errors=True)


def identifiers(film: BinaryIO) -> dict[str, str]:
    """The four UIDs of a DICOM film; raises ``RefusedFilm`` where one is missing or the header is damaged."""
    try:
        header = read_header(film, "film", NEEDED)[0]
        found = {keyword: str(header.get(keyword, "")) for keyword in NEEDED}
    except RefusedFilm:
        raise
    except Exception as error:  # damaged bytes make the parser raise almost anything
        raise RefusedFilm("film", f"its header cannot be read ({type(error).__name__})") from None
    for keyword, value in found.items():
        if not value or len(value) > 64 or not UID(value).is_valid:
            raise RefusedFilm("film", f"its header has no {keyword}")
    return found


def _films(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.dcm") if not path.name.endswith(PARTIAL)]


def folder_name(uid: str) -> str:
    """What a study or film of this UID is called on the disk."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _order(path: Path) -> tuple[int, int, str]:
    try:
        with path.open("rb") as file:
            header = read_header(file, "film", ORDERED)[0]
            series, number = (int(header.get(keyword) or 0) for keyword in ORDERED[:2])
            return series, number, str(header.get(ORDERED[2], ""))
    except Exception:  # whoever reads the film will say what is wrong with it
        return 0, 0, path.name
