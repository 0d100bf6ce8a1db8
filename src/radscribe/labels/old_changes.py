"""Remove sentences about old changes: the labeler counts a scar as a lung opacity, the label of a film does not."""

from __future__ import annotations

from radscribe.labels.scope import split_sentences
from radscribe.labels.wording import pattern

OLD_CHANGES = pattern(r"scar(?:s|red|ring)?; fibro(?:sis|tic); \w*granuloma\w*; emphysema\w*; chronic; old")


def without_old_changes(text: str) -> str:
    """The sentences of ``text`` that mention no scar, fibrosis, granuloma, emphysema or other old change."""
    return "\n\n".join(part for part in split_sentences(text) if not OLD_CHANGES.search(part.lower()))
