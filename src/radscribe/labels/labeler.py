"""Labelers of report conditions: the rules of this project, or CheXbert where its checkpoint is given."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from radscribe.core.progress import progress
from radscribe.labels.rules import label_report

# Files that hold the rules; their bytes make up the labeler's version.
RULES = (
    "cues.py",
    "forms.py",
    "language.py",
    "lines.py",
    "phrases.py",
    "rules.py",
    "scope.py",
    "spelling.py",
    "style.py",
    "wording.py",
)


class Labeler(Protocol):
    """Labels N reports with ``N x 14`` or ``N x 18`` states; ``name`` and ``version`` are part of every signature."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def label(self, reports: Sequence[str]) -> list[list[int]]: ...


@dataclass(frozen=True)
class RuleLabeler:
    """This project's rules, versioned by a hash of the files that hold them."""

    name: str = "radscribe.labels.rules"

    @cached_property
    def version(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the rule files."""
        folder = Path(__file__).parent
        return hashlib.sha256(b"".join((folder / name).read_bytes() for name in RULES)).hexdigest()[:12]

    def label(self, reports: Sequence[str]) -> list[list[int]]:
        """States of N reports, ``N x 18``."""
        return [label_report(text) for text in progress(reports, "labels")]
