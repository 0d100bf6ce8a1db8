"""Draft many files, one JSON line each: the draft, or why the file was refused; a bad file never stops the rest."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.outputs import keep_inputs
from radscribe.core.progress import progress
from radscribe.core.records import Draft
from radscribe.core.version import __version__
from radscribe.drafting.picture import draw_draft, draw_maps, drawn_files, is_drawn_name
from radscribe.drafting.reporter import Reporter, film_warnings
from radscribe.drafting.sentence_maps import kind_for
from radscribe.drafting.text import draft_text
from radscribe.imaging.drawing import is_drawing
from radscribe.imaging.film import Film
from radscribe.imaging.film_files import find_films
from radscribe.imaging.one_patient import OTHER, read_owner, stranger
from radscribe.imaging.refusal import RefusedFilm

DRAFT_FORMAT = "radscribe-draft/1"
_MAP = re.compile(r"(.+)-map-\d+", re.IGNORECASE)


class Documents(Protocol):
    """What else is written of each draft, such as reports by the standards of hospitals."""

    def outputs(self, study_id: str) -> list[Path]:
        """Every file that ``write`` may replace."""

    def write(self, draft: Draft, paths: Sequence[Path], films: Sequence[Film], view: NDArray[np.uint8]) -> str:
        """Write the documents of a draft of ``films``, the frontal one first, of which the model saw ``view``.

        Returns what was not written and why, in one line; "" where all was. Raises ``RefusedFilm`` where this film's
        documents cannot be made, and ``RadscribeError`` where no film's can be saved.
        """


def draft_line(draft: Draft) -> dict[str, Any]:
    """The JSON object of a draft, for other programs."""
    return {"format": DRAFT_FORMAT, "radscribe_version": __version__, **asdict(draft)}


def generate_files(
    reporter: Reporter,
    paths: Sequence[Path],
    out: Path | None,
    pictures: Path | None,
    lateral: Path | None = None,
    evidence: str = "best",
    documents: Documents | None = None,
) -> int:
    """Draft each file in order, write each line as soon as it is drafted, and return how many files were refused.

    Args:
        paths: films; a folder stands for the films in it.
        out: the file of JSON lines; by default they are printed, or on a terminal the reports as one reads them.
        pictures: a folder for pictures of the drafts.
        lateral: the second film of the study, where ``paths`` is one frontal film.
        evidence: the kind of map that sentences show, as ``Reporter.draft`` takes it.
        documents: what else is written of each draft.

    Raises:
        WrongUse: a folder without films, an output that would replace a film, a lateral film that the model or the
            number of files does not allow, or a kind of map that the model does not have.
        RadscribeError: a picture or a document cannot be written.
    """
    kind_for(reporter.system.model, evidence)  # before any output is opened
    files = list(films_among(paths))
    if lateral is not None and (len(files) != 1 or reporter.system.config.views == 1):
        raise WrongUse(
            f"--lateral {lateral}: needs one frontal film and a model of two views, not {len(files)} films and "
            f"{reporter.system.config.views} view(s); leave it out or give these"
        )
    names = study_ids(files)
    drawn = [path for name in names for path in drawn_files(name, pictures)] if pictures else []
    others = [path for name in names for path in documents.outputs(name)] if documents else []
    keep_inputs([out, *drawn, *others], [*files, lateral])
    if pictures:
        _keep_others(drawn, out, names, pictures)
    refused = 0
    with ExitStack() as stack:
        if pictures:
            pictures.mkdir(parents=True, exist_ok=True)
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)
        stream = stack.enter_context(out.open("w", encoding="utf-8")) if out else sys.stdout
        readable = stream.isatty()
        for path, name in progress(list(zip(files, names, strict=True)), "drafting", "film"):
            read = [each for each in (path, lateral) if each is not None]
            try:
                films = [reporter.read(each) for each in read]
                if lateral is not None and (found := stranger([read_owner(each) for each in read])):
                    raise RefusedFilm(str(read[found[0]]), OTHER.format(found[1]))
                views = [reporter.view(film.pixels) for film in films]
            except RefusedFilm as refusal:
                line = {
                    "format": DRAFT_FORMAT,
                    "radscribe_version": __version__,
                    "source": str(path),
                    "refused": refusal.reason,
                }
                refused += 1
                print(f"radscribe: {refusal}", file=sys.stderr)
                text = f"{name}\n  No draft: {refusal.reason}\n"
            else:
                draft = reporter.drafts([np.stack(views)], [name], evidence)[0]
                draft = replace(draft, warnings=(*film_warnings(films), *draft.warnings))
                for warning in draft.warnings:
                    print(f"radscribe: {path}: warning: {warning}", file=sys.stderr)
                if pictures:
                    draft = _drawn(draft, views[0], pictures)
                refused += not (documents is None or _documented(documents, draft, read, films, views[0]))
                line = {**draft_line(draft), "source": str(path)}
                text = draft_text(draft, str(pictures / f"{name}.png") if pictures else None)
            if not readable:
                text = json.dumps(line, ensure_ascii=False)
            # A file's name may hold bytes that are no text: these become JSON's escapes.
            print(text.encode(errors="backslashreplace").decode(), file=stream, flush=True)
    return refused


def _keep_others(drawn: Sequence[Path], out: Path | None, names: Sequence[str], pictures: Path) -> None:
    """Refuse pictures that would replace what radscribe did not draw, such as another film, or the drafts."""
    others = [path for path in drawn if path.exists() and not is_drawing(path)]
    if others:
        raise WrongUse(
            f"{others[0]}: it is no drawing, and a picture of a draft would replace it; name another --picture"
        )
    if out and out.parent.resolve() == pictures.resolve() and any(is_drawn_name(out.name, name) for name in names):
        raise WrongUse(f"--out {out}: a picture of a draft has this name; name another file for the drafts")


def _drawn(draft: Draft, view: NDArray[np.uint8], pictures: Path) -> Draft:
    try:
        draft = draw_maps(draft, view, pictures)
        draw_draft(draft, view, pictures / f"{draft.study_id}.png")
    except OSError as error:
        raise RadscribeError(
            f"{pictures}: {error.strerror or error}; free some space, earlier drafts are kept"
        ) from error
    return draft


def _documented(
    documents: Documents, draft: Draft, paths: Sequence[Path], films: Sequence[Film], view: NDArray[np.uint8]
) -> bool:
    """Write the documents of a draft and say what is not written; False where there are none of this film."""
    try:
        note = documents.write(draft, paths, films, view)
    except RefusedFilm as refusal:
        print(f"radscribe: {refusal}", file=sys.stderr)
        return False
    if note:
        print(f"radscribe: {paths[0]}: {note}", file=sys.stderr)
    return True


def study_ids(files: Sequence[Path]) -> list[str]:
    """A name for each file: the file's without ending, numbered where it or the name of a drawing is repeated."""
    names: list[str] = []
    taken: set[str] = set()
    stems = {path.stem.casefold() for path in files}
    for path in files:
        name, number = path.stem, 2
        while name in taken or ((map_of := _MAP.fullmatch(name)) and map_of[1].casefold() in stems):
            name, number = f"{path.stem}-{number}", number + 1
        taken.add(name)
        names.append(name)
    return names


def films_among(paths: Sequence[Path]) -> Iterator[Path]:
    """The films that a user names: files as they are, and the films of folders; what is passed over is printed.

    Raises ``WrongUse`` for a folder that has no film or cannot be read.
    """
    for path in paths:
        if path.is_dir():
            try:
                found, others = find_films(path)
            except OSError as error:
                raise WrongUse(
                    f"{path}: a folder in it cannot be read: {error.strerror}; name the films themselves"
                ) from None
            drawings = sum(map(is_drawing, others))
            if drawings:
                print(f"radscribe: {path}: {drawings} pictures passed over: radscribe drew them", file=sys.stderr)
            if len(others) > drawings:
                count = len(others) - drawings
                print(f"radscribe: {path}: {count} files passed over: no DICOM, PNG or JPEG", file=sys.stderr)
            if not found:
                raise WrongUse(f"{path}: the folder has no DICOM, PNG or JPEG file; name the films themselves")
            yield from found
        else:
            yield path
