"""What goes over the wire: the bodies of requests and answers, as OpenAPI describes them."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from radscribe.core.records import NOTICE

LONGEST_SENTENCE = 2000
LONGEST_READING = 86_400.0


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if not line:
        raise ValueError("it has no words")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in line):
        raise ValueError("it has control characters")
    return line


SentenceText = Annotated[str, Field(max_length=LONGEST_SENTENCE), AfterValidator(_one_line)]
Action = Literal["accepted", "edited", "rejected", "open"]
Status = Literal["draft", "final"]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SentenceEdit(_Given):
    """What a reader decided on one sentence of the draft."""

    index: int = Field(ge=0, le=1000, description="Number of the sentence in the draft, from 0.")
    action: Action = Field(description="open takes an earlier decision back.")
    text: SentenceText | None = Field(default=None, description="The sentence's new words; for edited alone.")


class AddedSentence(_Given):
    """A sentence that a reader wrote."""

    text: SentenceText
    after: int | None = Field(default=None, ge=-1, le=1000, description="Sentence it follows; -1 first, null last.")


class DraftChange(_Given):
    """A reader's changes of a draft; what is left out stays as it is."""

    version: int = Field(ge=1, le=2**31 - 1, description="The version that was read; a stale one is refused (409).")
    sentences: list[SentenceEdit] = Field(default_factory=list, max_length=1000)
    added: list[AddedSentence] | None = Field(default=None, max_length=100, description="Replaces all added ones.")
    seconds: float | None = Field(
        default=None, ge=0, le=LONGEST_READING, description="Reading time since the last change; it is added up."
    )
    status: Status | None = Field(
        default=None, description="final keeps the words as the final text; every sentence must be decided."
    )


class FilmLink(BaseModel):
    """One film of a study."""

    url: str
    width: int
    height: int
    bits: int = Field(description="8 or 16: the depth of the grey PNG.")


class Edits(BaseModel):
    """All that readers have decided so far."""

    sentences: list[SentenceEdit] = []
    added: list[AddedSentence] = []
    seconds: float = 0.0


class DraftAnswer(BaseModel):
    """One draft with its edits."""

    id: str
    created: str = Field(description="UTC, ISO 8601.")
    changed: str = Field(description="As created.")
    status: Status
    version: int
    abstain: bool = Field(description="Whether there is no draft, for the reasons that follow.")
    reasons: list[str]
    notice: str = NOTICE
    draft: dict[str, Any] = Field(description="A line of `radscribe generate`.")
    edits: Edits
    final: str | None = Field(description="The text when the draft was last made final.")
    films: list[FilmLink]


class DraftSummary(BaseModel):
    """One line of the list of drafts."""

    id: str
    created: str
    status: Status
    version: int
    abstain: bool
    reasons: list[str]
    present: list[str] = Field(description="The conditions that the draft holds present or possible.")
    films: int


class DraftList(BaseModel):
    """A page of drafts, the newest first."""

    drafts: list[DraftSummary]
    next: str | None = Field(description="Cursor of the next page, null on the last.")
    notice: str = NOTICE


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str
