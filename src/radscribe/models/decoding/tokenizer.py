"""The report tokenizer: turns reports into WordPiece ids and back, with a token for each state of a condition."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from radscribe.core.errors import RadscribeError

# BERT's five, then the decoder's start and the four states in the order of labels.conditions.STATES.
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
START = "[DEC]"
# What de-identification leaves in public reports in place of a name or date.
REMOVED = "xxxx"
STATE_TOKENS = ("[BLA]", "[POS]", "[NEG]", "[UNC]")

_NUMBER = re.compile(r"(\d)\. (\d)")


def train_word_pieces(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """An uncased WordPiece vocabulary of at most ``vocabulary_size`` pieces, special tokens included.

    Every word that occurs twice or more, the commonest first, and single characters to spell the rest, even where they
    exceed the size. The trainer of ``tokenizers`` breaks ties at random: no training with it is repeatable bit by bit.
    """
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    counts = Counter(word for text in texts for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    characters = sorted({character for word in counts for character in word})
    pieces = [*SPECIAL, START, *STATE_TOKENS, *characters, *(f"##{character}" for character in characters)]
    words = [word for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if count > 1]
    vocabulary = dict.fromkeys([*pieces, *words[: max(vocabulary_size - len(pieces), 0)]])
    ids = {piece: position for position, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=60))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    tokenizer.add_special_tokens([*SPECIAL, START, *STATE_TOKENS])
    return tokenizer


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in a ``tokenizer.json``; raises ``RadscribeError`` where the file is missing or damaged."""
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RadscribeError(f"{path}: the tokenizer is missing; copy the whole checkpoint folder") from None
    except Exception as error:  # the Rust parser raises bare Exception
        raise RadscribeError(f"{path}: not a tokenizer file ({str(error).splitlines()[0]})") from None


class ReportTokenizer:
    """Reports to token ids and back.

    [DEC] and the state tokens are added at the end of a vocabulary that lacks them. Raises ``RadscribeError`` for a
    vocabulary without BERT's special tokens or without a full stop.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.backend = tokenizer
        self.backend.add_special_tokens([START, *STATE_TOKENS])
        self.padding, self.unknown, self.end, self.start, self.stop = (
            self._id(name) for name in ("[PAD]", "[UNK]", "[SEP]", START, ".")
        )
        self.states = tuple(self._id(name) for name in STATE_TOKENS)
        # Never drafted: everything special but the end, and the mark that de-identification leaves in public reports.
        self.special = tuple(self._id(name) for name in (*SPECIAL, START, *STATE_TOKENS) if name != "[SEP]")
        removed = self.backend.token_to_id(REMOVED)
        pieces = self.backend.get_vocab().items()
        self._continuing = frozenset(number for piece, number in pieces if piece.startswith("##"))
        self.banned = self.special if removed is None else (*self.special, removed)

    def _id(self, token: str) -> int:
        found = self.backend.token_to_id(token)
        if found is None:
            raise RadscribeError(f"tokenizer: its vocabulary lacks {token}; it is no BERT vocabulary")
        return found

    def __len__(self) -> int:
        return int(self.backend.get_vocab_size())

    def continues(self, piece: int) -> bool:
        """Whether a token goes on with the word before it."""
        return piece in self._continuing

    def encode(self, report: str, max_tokens: int) -> list[int]:
        """Ids of the report's words and [SEP], at most ``max_tokens`` in all, the report cut where it is longer."""
        ids: list[int] = self.backend.encode(report, add_special_tokens=False).ids
        return [*ids[: max_tokens - 1], self.end]

    def sentences(self, ids: Sequence[int]) -> list[tuple[str, int, int]]:
        """(text, first position, position behind the last) of each sentence in ``ids``; special tokens end the report.

        A sentence ends with a full stop that no digit follows: WordPiece sets "5.2" apart as three tokens.
        """
        found: list[tuple[str, int, int]] = []
        first = 0
        special = {self.end, *self.special} - {self.unknown}
        length = next((position for position, token in enumerate(ids) if token in special), len(ids))
        for position in range(length):
            following = (self.backend.id_to_token(ids[position + 1]) or "") if position + 1 < length else ""
            ends = ids[position] == self.stop and not following[:1].isdigit()
            if ends or position == length - 1:
                text = _as_written(self.backend.decode(list(ids[first : position + 1])))
                if any(character.isalnum() for character in text):
                    found.append((text, first, position + 1))
                first = position + 1
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """The report that ``ids`` spell, up to the first special token: its sentences joined by spaces."""
        return " ".join(text for text, _, _ in self.sentences(ids))


def _as_written(text: str) -> str:
    """Tokens joined by spaces, as a person would write them: no space before a stop, a capital at the start."""
    for mark in (".", ",", ";", ":", ")", "%"):
        text = text.replace(f" {mark}", mark)
    for mark in (" - ", " / "):
        text = text.replace(mark, mark.strip())
    text = _NUMBER.sub(r"\1.\2", text.replace("( ", "(").replace(" ' ", "'")).strip()
    return text[:1].upper() + text[1:]
