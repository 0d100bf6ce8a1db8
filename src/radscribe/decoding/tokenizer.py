"""The report tokenizer: WordPiece with a start token and one token for each state of a condition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from radscribe.study import RadscribeError

# BERT's five, then the decoder's start and the four states in the order of labels.conditions.STATES.
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
START = "[DEC]"
STATE_TOKENS = ("[BLA]", "[POS]", "[NEG]", "[UNC]")

_NUMBER = re.compile(r"(\d)\. (\d)")


def train_word_pieces(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """An uncased WordPiece vocabulary of at most ``vocabulary_size`` pieces, special tokens included."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=60))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary_size, min_frequency=2, special_tokens=[*SPECIAL, START, *STATE_TOKENS], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def read_tokenizer(path: Path) -> Tokenizer:
    """A ``tokenizer.json``; raises ``RadscribeError`` where it is missing or damaged."""
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RadscribeError(f"{path}: the tokenizer is missing; copy the whole checkpoint folder") from None
    except Exception as error:  # the Rust parser raises bare Exception
        raise RadscribeError(f"{path}: not a tokenizer file ({str(error).splitlines()[0]})") from None


class ReportTokenizer:
    """Reports to token ids and back. Special tokens that the vocabulary lacks are added at its end."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.backend = tokenizer
        self.backend.add_special_tokens([START, *STATE_TOKENS])
        self.padding, self.unknown, self.end, self.start = (
            tokenizer.token_to_id(name) for name in ("[PAD]", "[UNK]", "[SEP]", START)
        )
        self.states: tuple[int, ...] = tuple(tokenizer.token_to_id(name) for name in STATE_TOKENS)
        words_never_drafted = (*SPECIAL, START, *STATE_TOKENS)
        self.banned: tuple[int, ...] = tuple(
            tokenizer.token_to_id(name) for name in words_never_drafted if name != "[SEP]"
        )

    def __len__(self) -> int:
        return int(self.backend.get_vocab_size())

    def encode(self, report: str, max_tokens: int) -> list[int]:
        """Ids of the report's words and [SEP], at most ``max_tokens`` in all."""
        ids: list[int] = self.backend.encode(report, add_special_tokens=False).ids
        return [*ids[: max_tokens - 1], self.end]

    def sentences(self, ids: Sequence[int]) -> list[tuple[str, int, int]]:
        """(text, first position, end position) of each sentence in ``ids``; special tokens end the report.

        A sentence ends with a full stop that no digit follows: WordPiece sets "5.2" apart as three tokens.
        """
        found: list[tuple[str, int, int]] = []
        first = 0
        stop = self.backend.token_to_id(".")
        special = {self.end, *self.banned} - {self.unknown}
        length = next((position for position, token in enumerate(ids) if token in special), len(ids))
        for position in range(length):
            following = self.backend.id_to_token(ids[position + 1]) if position + 1 < length else ""
            ends = ids[position] == stop and not following[:1].isdigit()
            if ends or position == length - 1:
                text = _as_written(self.backend.decode(list(ids[first : position + 1])))
                if any(character.isalnum() for character in text):
                    found.append((text, first, position + 1))
                first = position + 1
        return found

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(text for text, _, _ in self.sentences(ids))


def _as_written(text: str) -> str:
    """Tokens joined by spaces, as a person would write them: no space before a stop, a capital at the start."""
    for mark in (".", ",", ";", ":", ")", "%"):
        text = text.replace(f" {mark}", mark)
    for mark in (" - ", " / "):
        text = text.replace(mark, mark.strip())
    text = _NUMBER.sub(r"\1.\2", text.replace("( ", "(").replace(" ' ", "'")).strip()
    return text[:1].upper() + text[1:]
