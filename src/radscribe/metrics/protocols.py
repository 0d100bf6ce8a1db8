"""Clean and cut reports as published work does before scoring; figures differ by this more than by model.

``r2gen-iu`` and ``r2gen-mimic`` follow the R2Gen line, ``promptmrg`` PromptMRG and REVTAF, ``full`` cuts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from radscribe.core.errors import WrongUse

_TOKEN = re.compile(r"\w+|[^\w\s]")
_DROPPED = str.maketrans("", "", "\"/\\'")
# The range from ":" to "[" is an accident of the published pattern: it removes the colon and keeps the hyphen.
_REMOVED = str.maketrans("", "", ".,?;*!%^&_+()[]{}" + "".join(map(chr, range(ord(":"), ord("[") + 1))))


@dataclass(frozen=True)
class Protocol:
    """How raw reports become the texts that are scored."""

    name: str
    reference: Callable[[str], str]  # cleans a reference
    hypothesis: Callable[[str], str]  # cleans a hypothesis
    cut: int | None = None  # tokens that are kept, all by default
    folds: bool = True  # tokens are separated by any white space, else by single spaces
    cuts_hypotheses: bool = True  # cut hypotheses too, not references alone
    labels_cut_references: bool = False  # the labeler reads cleaned and cut references, not raw ones
    cleaning: str = ""  # for the signature: what is cleaned

    @property
    def tokenization(self) -> str:
        """For the signature: what separates tokens."""
        return "white space" if self.folds else "single spaces"

    @property
    def truncation(self) -> str | None:
        """For the signature: what is cut."""
        sides = "references and hypotheses" if self.cuts_hypotheses else "references"
        return f"{sides} to {self.cut} tokens" if self.cut else None


def tokenize(text: str) -> str:
    """The ``full`` protocol: lower case, single spaces, every punctuation mark a token."""
    return " ".join(_TOKEN.findall(text.lower()))


def clean_sentences(text: str) -> str:
    """The cleaning that all models of the R2Gen line share: sentences joined by " . ", no punctuation but the hyphen.

    Empty sentences stay, so that there may be two spaces in a row.
    """
    pieces = text.strip().lower().split(". ")
    return " . ".join(_clean_piece(piece) for piece in pieces) + " ."


def _clean_piece(piece: str) -> str:
    return piece.translate(_DROPPED).strip().lower().translate(_REMOVED)


def clean_iu(text: str) -> str:
    """R2Gen's cleaning of IU X-Ray reports."""
    return clean_sentences(_unnumbered(_repeated(text, "..", ".", 3)))


def clean_mimic(text: str) -> str:
    """R2Gen's cleaning of MIMIC-CXR reports."""
    text = _repeated(text.replace("\n", " "), "__", "_", 7)
    text = _repeated(_repeated(text, "  ", " ", 6), "..", ".", 8)
    return clean_sentences(_unnumbered(text))


def _repeated(text: str, old: str, new: str, times: int) -> str:
    for _ in range(times):
        text = text.replace(old, new)
    return text


def _unnumbered(text: str) -> str:
    """The text without the numbers of listed findings, from 1 to 5 as in the published rules."""
    text = text.replace("1. ", "")
    for before in (". ", " "):
        for number in "2345":
            text = text.replace(f"{before}{number}. ", ". ")
    return text


def _once(clean: Callable[[str], str]) -> Callable[[str], str]:
    """``clean`` for drafts; those that a model writes in cleaned form already stay as they are."""

    def cleaned(text: str) -> str:
        found = clean(text)
        return text if found.split() == text.split() else found

    return cleaned


def _spaced(text: str) -> str:
    """PromptMRG's cleaning of its drafts before scoring."""
    return text.replace(". ", " . ").replace(" - ", "-")


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("full", tokenize, tokenize, cleaning="punctuation marks set apart"),
        Protocol("r2gen-iu", clean_iu, _once(clean_iu), 60, cleaning="R2Gen, IU X-Ray"),
        Protocol("r2gen-mimic", clean_mimic, _once(clean_mimic), 100, cleaning="R2Gen, MIMIC-CXR"),
        Protocol(
            "promptmrg",
            clean_mimic,
            _spaced,
            100,
            folds=False,
            cuts_hypotheses=False,
            labels_cut_references=True,
            cleaning="R2Gen, MIMIC-CXR; hypotheses as PromptMRG spaces them",
        ),
    )
}


def protocol_named(name: str) -> Protocol:
    """The protocol of this name; raises ``WrongUse`` for an unknown one."""
    if name not in PROTOCOLS:
        raise WrongUse(f"protocol {name!r} is not one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def read_by(protocol: Protocol, hypotheses: Sequence[str], references: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hypotheses and references (``N`` raw reports each) as the protocol scores them: cleaned and cut."""
    said, true = [protocol.hypothesis(text) for text in hypotheses], [protocol.reference(text) for text in references]
    true = [_cut(protocol, text) for text in true]
    return [_cut(protocol, text) for text in said] if protocol.cuts_hypotheses else said, true


def known_words(text: str, vocabulary: Collection[str]) -> str:
    """A tokenized reference with ``<unk>`` for every word outside ``vocabulary``."""
    return " ".join(word if word in vocabulary or not word else "<unk>" for word in text.split(" "))


def _cut(protocol: Protocol, text: str) -> str:
    return " ".join(text.split(None if protocol.folds else " ")[: protocol.cut])
