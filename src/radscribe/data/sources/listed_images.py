"""Finds the images that a listing names: its paths may be of another system, absolute, or spelled in another case."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

from radscribe.core.files import listing_hash
from radscribe.data.raw import FilmFile, FilmRefused, RawFilm

NOT_FOUND = "no image file found"


@dataclass(frozen=True)
class ListedImage:
    """An image of a listing."""

    name: str  # its path below the folder, with "/"; as the listing has it where there is no such file
    path: Path | None  # None where there is no such file
    reason: str = NOT_FOUND  # why there is none

    def film(self, view: str | None = None) -> RawFilm:
        """The film in the file, or its refusal with the reason."""
        load = FilmFile(self.path, self.name) if self.path else FilmRefused(self.name, self.reason)
        return RawFilm(load, self.name, view)


@dataclass(frozen=True)
class ImageFolder:
    """The folder that the paths of a listing start from; nothing outside it is opened."""

    folder: Path
    # Folder -> its entries by folded name, so that a large folder is listed once.
    _entries: dict[Path, dict[str, list[Path]]] = field(default_factory=dict)

    def find(self, listed: str) -> ListedImage:
        """The image of a path with either slash, ``file://``, ``./`` or spaces around it, in any letter case.

        An absolute path is looked for as it is where it lies in the folder, else below the folder.
        """
        name = _cleaned(listed)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            return self._stepping_up(name)
        try:
            if name.startswith("/") and (below := self._below(Path(name))) is not None:
                parts = list(below.parts)
            whole = [self.folder / listed.strip()]  # a backslash may be part of a name
            found = whole if "\\" in listed and whole[0].is_file() else list(self._spelled(self.folder, parts))
        except (OSError, ValueError):  # a name that no file system takes
            found = []
        if len(found) == 1:
            return ListedImage(found[0].relative_to(self.folder).as_posix(), found[0])
        shown = "/".join(parts) or name
        return ListedImage(
            shown, None, "several image files differ from it in letter case alone" if found else _why(name)
        )

    def _stepping_up(self, name: str) -> ListedImage:
        path = self.folder / name
        below = self._below(path)
        if below is None:
            return ListedImage(name, None, f"{NOT_FOUND}: its path leads out of the folder of images")
        return self.find(below.as_posix())

    def _below(self, path: Path) -> Path | None:
        """``path`` relative to the folder, None where it lies elsewhere; links inside the folder are not resolved."""
        for folder in (self.folder.absolute(), self.folder.resolve()):
            normal = Path(os.path.normpath(path.absolute()))
            if normal.is_relative_to(folder):
                return normal.relative_to(folder)
        return None

    def _spelled(self, folder: Path, parts: list[str]) -> Iterator[Path]:
        """The files below ``folder`` that are spelled ``parts``: as it stands if there is one, else in any case."""
        exact = folder.joinpath(*parts)
        if not parts or exact.is_file():
            if exact.is_file():
                yield exact
            return
        for entry in self._listed(folder).get(_folded(parts[0]), ()):
            yield from self._spelled(entry, parts[1:])

    def _listed(self, folder: Path) -> dict[str, list[Path]]:
        if folder not in self._entries:
            entries: dict[str, list[Path]] = {}
            for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
                entries.setdefault(_folded(entry.name), []).append(entry)
            self._entries[folder] = entries
        return self._entries[folder]


def images_hash(images: Iterable[ListedImage], folder: Path) -> str:
    """Hash of which images of a listing exist: once a missing one is added, the data must be prepared again."""
    return listing_hash({image.path for image in images if image.path}, folder)


def slashed(listed: str) -> str:
    """A listed path with "/" for the backslashes of Windows."""
    return listed.strip().replace("\\", "/")


def _cleaned(listed: str) -> str:
    name = listed.strip()
    if name[:7].lower() == "file://":
        name = unquote(name[7:].removeprefix("localhost"))
        if PureWindowsPath(name[1:]).drive:  # file:///C:/films
            name = name[1:]
    return slashed(name)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _why(name: str) -> str:
    if name.startswith("/") or PureWindowsPath(name).drive:
        return f"{NOT_FOUND}: its path is absolute; give it relative to the folder of images"
    return NOT_FOUND
