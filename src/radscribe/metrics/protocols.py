"""Clean and cut reports as published work does before scoring; figures differ by this more than by model.

``r2gen-iu`` and ``r2gen-mimic`` follow the R2Gen line, ``promptmrg`` PromptMRG and REVTAF; ``full`` cuts nothing, and
``as-is`` changes nothing. docs/scoring.md names the published lines behind each limit.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from radscribe.core.errors import WrongUse

# Scripts written without spaces between words: Thai and Lao, Myanmar, Khmer, kana, and Han with its extensions.
_RUN_ON = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
_RUN_ON += "\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
# Hangul words have spaces, but are clauses of stem and particles; a syllable is what two wordings share.
_BY_CHARACTER = _RUN_ON + "\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_BY_CHARACTER}]|[^\W{_BY_CHARACTER}]+|[^\w\s]")
_RUN_ON_CHARACTER = re.compile(rf"[{_RUN_ON}]")
# Words of these scripts have fewer characters on average, so text whose words are set apart already does not run on.
CLAUSE_LENGTH = 5
UNKNOWN = "<unk>"
_DROPPED = str.maketrans("", "", "\"/\\'")
# The range from ":" to "[" is an accident of the published pattern: it removes the colon and keeps the hyphen.
_REMOVED = str.maketrans("", "", ".,?;*!%^&_+()[]{}" + "".join(map(chr, range(ord(":"), ord("[") + 1))))


@dataclass(frozen=True)
class Protocol:
    """How raw reports become the texts that are scored."""

    name: str
    reference: Callable[[str], str]  # cleans a reference
    hypothesis: Callable[[str], str]  # cleans a hypothesis
    reference_cut: int | None = None  # tokens of a reference that are kept, all by default
    hypothesis_cut: int | None = None  # tokens of a hypothesis that are kept, all by default
    folds: bool = True  # tokens are separated by any white space, else by single spaces
    labels_cut_references: bool = False  # the labeler reads cleaned and cut references, not raw ones
    cleaning: str = ""  # for the signature: what is cleaned
    casing: str = "lower"  # for the signature: the case of what is scored
    threshold: int | None = None  # how often a training word must occur to be known; None where none is published

    @property
    def tokenization(self) -> str:
        """For the signature: what separates tokens."""
        return "white space" if self.folds else "single spaces"

    @property
    def truncation(self) -> str | None:
        """For the signature: what is cut."""
        cuts = (("references", self.reference_cut), ("hypotheses", self.hypothesis_cut))
        return ", ".join(f"{side} to {cut} tokens" for side, cut in cuts if cut) or None

    @property
    def takes_clauses_for_words(self) -> bool:
        """Whether a clause of a script without spaces between words is one token."""
        return self.name != "full"


def tokenize(text: str) -> str:
    """The ``full`` protocol: lower case, single spaces, every punctuation mark a token.

    So is every character of the scripts in which spaces do not set words apart (Chinese, Japanese, Korean, Thai ...).
    """
    return " ".join(_TOKEN.findall(unicodedata.normalize("NFC", text).lower()))


def runs_on(text: str) -> bool:
    """Whether ``text`` is of a script without spaces between words, with whole clauses between its white space."""
    counts = [len(_RUN_ON_CHARACTER.findall(token)) for token in text.split()]
    return sum(counts) > CLAUSE_LENGTH * sum(count > 0 for count in counts)


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
    # No published report of IU X-Ray has line breaks; where others have, sentences end there as at a space.
    text = text.replace("\n", " ")
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
    """``clean`` for drafts; those that a model of the R2Gen line writes stay as they are, as in the published code."""

    def cleaned(text: str) -> str:
        return text if _is_generated(text) else clean(text)

    return cleaned


def _is_generated(text: str) -> bool:
    """Whether ``text`` is in the form that those models write: clean words, stops that stand alone, ``<unk>``."""
    return all(word in (".", UNKNOWN) or _clean_piece(word) == word for word in text.split())


def _spaced(text: str) -> str:
    """PromptMRG's spacing of its drafts before scoring; the space behind them sets their last stop apart."""
    return f"{text} ".replace(". ", " . ").replace(" - ", "-")


def _untouched(text: str) -> str:
    return text


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("full", tokenize, tokenize, cleaning="punctuation marks set apart"),
        # The published limits of 60 and 100 ids count the start token of a reference, which is not scored.
        Protocol("r2gen-iu", clean_iu, _once(clean_iu), 59, 60, cleaning="R2Gen, IU X-Ray", threshold=3),
        Protocol("r2gen-mimic", clean_mimic, _once(clean_mimic), 99, 100, cleaning="R2Gen, MIMIC-CXR", threshold=10),
        Protocol(
            "promptmrg",
            clean_mimic,
            _spaced,
            100,
            folds=False,
            labels_cut_references=True,
            cleaning="R2Gen, MIMIC-CXR; hypotheses as PromptMRG spaces them",
        ),
        Protocol("as-is", _untouched, _untouched, folds=False, cleaning="none", casing="as given"),
    )
}


def protocol_named(name: str) -> Protocol:
    """The protocol of this name; raises ``WrongUse`` for an unknown one."""
    if name not in PROTOCOLS:
        raise WrongUse(f"protocol {name!r} is not one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def read_by(protocol: Protocol, hypotheses: Sequence[str], references: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hypotheses and references (``N`` raw reports each) as the protocol scores them: cleaned and cut."""
    said = [_cut(protocol, protocol.hypothesis(text), protocol.hypothesis_cut) for text in hypotheses]
    return said, [_cut(protocol, protocol.reference(text), protocol.reference_cut) for text in references]


def vocabulary_of(protocol: Protocol, reports: Iterable[str], threshold: int) -> frozenset[str]:
    """The words that occur at least ``threshold`` times in ``reports`` (raw), as R2Gen's tokenizer counts them."""
    counts = Counter(word for text in reports for word in protocol.reference(text).split())
    return frozenset(word for word, count in counts.items() if count >= threshold)


def known_words(text: str, vocabulary: Collection[str]) -> str:
    """A tokenized reference with ``<unk>`` for every word outside ``vocabulary``."""
    return " ".join(word if word in vocabulary or not word else UNKNOWN for word in text.split(" "))


def _cut(protocol: Protocol, text: str, cut: int | None) -> str:
    return " ".join(text.split(None if protocol.folds else " ")[:cut])
