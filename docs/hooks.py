"""Brings files beside docs/ into the site, so that one relative link serves a reader on GitHub and one of the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# What a page may link to outside docs/; in the site it lies under repository/.
BROUGHT_IN = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
    "examples/*",
    "recipes/**/*.yaml",
)
FOLDER = "repository"
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|[#/])([^()\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of docs/ and those that ``BROUGHT_IN`` names."""
    root = Path(config.docs_dir).parent
    for pattern in BROUGHT_IN:
        for path in sorted(each for each in root.glob(pattern) if each.is_file()):
            name = f"{FOLDER}/{path.relative_to(root).as_posix()}"
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """The page's text with each relative link, which is right in the repository, made right in the site."""
    in_site = posixpath.dirname(page.file.src_uri)
    in_repository = posixpath.dirname(_in_repository(page.file.src_uri))

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(in_repository, link[1]))
        return posixpath.relpath(_in_site(target), in_site or ".")

    return LINK.sub(moved, markdown)


def _in_repository(name: str) -> str:
    """Where a file of the site lies in the repository."""
    return name.removeprefix(f"{FOLDER}/") if name.startswith(f"{FOLDER}/") else f"docs/{name}"


def _in_site(name: str) -> str:
    """Where a file of the repository lies in the site."""
    return name.removeprefix("docs/") if name.startswith("docs/") else f"{FOLDER}/{name}"
