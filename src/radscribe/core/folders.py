"""Lists the files below a folder, through links too."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path


def files_under(folder: Path) -> list[Path]:
    """Every file below ``folder``, sorted; links to files and folders are followed, and each file is listed once.

    A file has its own path where that lies below ``folder``, else one through the first link that leads to it. Links
    that lead nowhere or round in a circle add nothing.

    Raises:
        OSError: a folder or file below cannot be read.
    """
    found: dict[str, Path] = {}  # by what they are without links
    linked_files: list[Path] = []
    folders, linked_folders, visited = deque([folder]), deque[Path](), set[str]()
    while folders or linked_folders:
        place = (folders or linked_folders).popleft()
        real = os.path.realpath(place)
        if real in visited:
            continue
        visited.add(real)
        with os.scandir(place) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        for entry in entries:
            path, linked = place / entry.name, entry.is_symlink()
            if path.is_dir():
                (linked_folders if linked else folders).append(path)
            elif path.is_file() and linked:
                linked_files.append(path)
            elif path.is_file():
                found.setdefault(os.path.join(real, entry.name), path)
    for path in sorted(linked_files):
        found.setdefault(os.path.realpath(path), path)
    return sorted(found.values())
