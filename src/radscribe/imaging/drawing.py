"""Marks the pictures that radscribe draws, so that they never count as films."""

from __future__ import annotations

from pathlib import Path

from PIL.PngImagePlugin import PngInfo

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD, VALUE = "radscribe", "drawing of a draft, no film"
# As both stand in a PNG file: a chunk of text, before the pixels.
_CHUNK = f"tEXt{KEYWORD}\0{VALUE}".encode()
_HEAD = 4096


def mark() -> PngInfo:
    """The text that Pillow writes into a drawing (``pnginfo``)."""
    text = PngInfo()
    text.add_text(KEYWORD, VALUE)
    return text


def is_drawing(path: Path) -> bool:
    """Whether a file is a picture that radscribe drew; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return head.startswith(PNG_SIGNATURE) and _CHUNK in head
