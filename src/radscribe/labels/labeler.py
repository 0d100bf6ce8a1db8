"""What reads conditions out of reports: the rules, or CheXbert where its checkpoint is given."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from radscribe.labels.rules import label_report

# The files whose content is the rules.
RULES = ("cues.py", "phrases.py", "rules.py", "scope.py", "wording.py")


class Labeler(Protocol):
    """``name`` and ``version`` go into every signature; ``label`` gives ``N x 14`` or ``N x 18`` states."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def label(self, reports: Sequence[str]) -> list[list[int]]: ...


@dataclass(frozen=True)
class RuleLabeler:
    """This project's rules; their version is a hash of the files that hold them."""

    name: str = "radscribe.labels.rules"

    @cached_property
    def version(self) -> str:
        """12 hexadecimal digits."""
        folder = Path(__file__).parent
        return hashlib.sha256(b"".join((folder / name).read_bytes() for name in RULES)).hexdigest()[:12]

    def label(self, reports: Sequence[str]) -> list[list[int]]:
        """18 states of each report."""
        return [label_report(text) for text in tqdm(reports, desc="labels", disable=None, leave=False)]
