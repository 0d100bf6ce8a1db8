"""Read the WordPiece vocabulary of a BERT, beside its weights or named by the user."""

from __future__ import annotations

from pathlib import Path

from tokenizers import BertWordPieceTokenizer, Tokenizer

from radscribe.core.errors import RadscribeError
from radscribe.core.files import read_json
from radscribe.models.decoding.tokenizer import SPECIAL

WHOLE, WORDS = "tokenizer.json", "vocab.txt"


def has_vocabulary(folder: Path) -> bool:
    """Whether ``folder`` has a vocabulary that ``read_vocabulary`` reads."""
    return (folder / WHOLE).is_file() or (folder / WORDS).is_file()


def read_vocabulary(place: Path) -> Tokenizer:
    """The tokenizer of a BERT folder, or of its ``tokenizer.json`` or ``vocab.txt`` (one word a line).

    A ``vocab.txt`` is read in lower case unless ``tokenizer_config.json`` beside it says otherwise, as transformers do.
    Raises ``RadscribeError`` where there is none, it is damaged, or it is not BERT's.
    """
    if place.is_dir():
        if not has_vocabulary(place):
            raise RadscribeError(f"{place}: neither {WHOLE} nor {WORDS} is in it; name a BERT folder with --vocabulary")
        place = place / (WHOLE if (place / WHOLE).is_file() else WORDS)
    try:
        if place.suffix == ".json":
            tokenizer = Tokenizer.from_file(str(place))
        else:
            settings = place.with_name("tokenizer_config.json")
            lower = bool(read_json(settings).get("do_lower_case", True)) if settings.is_file() else True
            tokenizer = BertWordPieceTokenizer(str(place), lowercase=lower)._tokenizer
    except RadscribeError:
        raise
    except Exception as error:  # the tokenizers library raises plain Exception for a missing or damaged file
        reason = str(error).splitlines()[0]
        raise RadscribeError(
            f"{place}: its vocabulary cannot be read ({reason}); name another with --vocabulary"
        ) from None
    lacking = [name for name in SPECIAL if tokenizer.token_to_id(name) is None]
    if lacking:
        raise RadscribeError(f"{place}: it lacks {lacking[0]}; name a BERT vocabulary with --vocabulary")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
