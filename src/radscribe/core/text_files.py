"""Reads text files that users give: UTF-8, with or without a byte order mark, else one line says what is wrong."""

from __future__ import annotations

import codecs
from pathlib import Path

from radscribe.core.errors import RadscribeError, WrongUse

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path, fix: str, wrong: type[RadscribeError] = WrongUse) -> str:
    """The text of a file with its line ends as they are.

    Raises ``wrong``, which ends in ``fix``, where the file cannot be opened or is not UTF-8.
    """
    content = read_bytes(path, fix, wrong)
    try:
        return decoded(content)
    except ValueError as fault:
        raise wrong(f"{path}: {fault}; save it as UTF-8, or {fix}") from None


def read_bytes(path: Path, fix: str, wrong: type[RadscribeError] = WrongUse) -> bytes:
    """The content of a file; raises ``wrong``, which ends in ``fix``, where it cannot be opened."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise wrong(f"{path}: cannot be opened: {reason}; {fix}") from None


def decoded(content: bytes) -> str:
    """The text of UTF-8 bytes without the byte order mark; raises ``ValueError`` with the reason for others."""
    if content.startswith(UTF_16):
        raise ValueError("not UTF-8 text but UTF-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"not UTF-8 text (utf-8 has no byte {content[error.start]:#04x} as at {error.start:,})"
        ) from None
