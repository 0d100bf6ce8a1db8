"""Which films of a study a model reads, and what its draft says of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from radscribe.core.records import Draft
from radscribe.serve.decoding import DecodedFilm


def frontal_first(films: Sequence[DecodedFilm]) -> list[int]:
    """The numbers of a study's films as a model reads them: the first that is not said to be lateral, then the rest."""
    order = list(range(len(films)))
    first = next((place for place in order if films[place].view == "frontal"), None)
    if first is None:
        first = next((place for place in order if films[place].view is None), 0)
    return [first, *(place for place in order if place != first)]


def with_warnings(draft: Draft, films: Sequence[DecodedFilm], read: int) -> Draft:
    """``draft`` of the study of ``films``, with their warnings and with how many of them beyond ``read`` were not."""
    found = [warning for film in films for warning in film.warnings]
    if read < len(films):
        found.append(f"The model reads {read} film(s) of a study; {len(films) - read} more were not read.")
    return replace(draft, warnings=tuple(dict.fromkeys((*found, *draft.warnings))))
