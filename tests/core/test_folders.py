"""What lies below a folder: links are followed, and nothing is listed twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from radscribe.core.folders import files_under


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("here/a", "here/b/c", "elsewhere/d", "single/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "here"


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in files_under(folder)]


def test_linked_files_and_folders_are_listed(folder: Path) -> None:
    (folder / "linked").symlink_to("../elsewhere")
    (folder / "one").symlink_to(folder.parent / "single" / "e")
    assert names(folder) == ["a", "b/c", "linked/d", "one"]


def test_a_circle_of_links_ends_and_each_file_is_listed_once_by_its_own_path(folder: Path) -> None:
    (folder / "0-again").symlink_to("b")
    (folder / "b" / "up").symlink_to("..")
    (folder / "b" / "self").symlink_to("self")
    (folder / "0-a").symlink_to("a")
    (folder / "nowhere").symlink_to("missing")
    assert names(folder) == ["a", "b/c"]


def test_a_folder_that_is_a_link_itself_is_listed(folder: Path) -> None:
    (folder.parent / "link").symlink_to("here")
    assert names(folder.parent / "link") == ["a", "b/c"]
