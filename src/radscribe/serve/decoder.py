"""The process that decodes films: it reads files that may be hostile, within limits, and does nothing else.

It imports no torch, and its answers are plain bytes: a decoder that a film has taken over can pass on a wrong picture,
but no code.
"""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from radscribe.imaging.crop import FilmConfig, centre_crop
from radscribe.imaging.film import fit, read_film
from radscribe.imaging.full_depth import full_size, read_full_film
from radscribe.imaging.one_patient import read_owner
from radscribe.imaging.refusal import RefusedFilm

MEBIBYTE = 2**20


def decode_films(connection: Connection, config: FilmConfig, memory: int) -> None:
    """Answers requests until the other end closes; ``memory`` in MiB of address space.

    A request is a JSON object with ``task`` and ``seconds``: "view" of the film in ``path`` for what a model of
    ``config`` sees (uint8, crop x crop, row by row), "png" for the whole film, "document" with the keys of a
    ``document_request``. An answer is a JSON object (``refused`` with the reason, or what is known of the film) and
    then the bytes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service ends its decoders itself
    _limit(memory)
    with suppress(EOFError, OSError):
        while True:
            request = json.loads(connection.recv_bytes())
            # The parent waits no longer either; this holds where the parent is gone.
            spent = sum(os.times()[:2])
            resource.setrlimit(resource.RLIMIT_CPU, (int(spent + request["seconds"]) + 2, resource.RLIM_INFINITY))
            try:
                answer, content = _answer(request, config)
            except RefusedFilm as refusal:
                answer, content = {"refused": refusal.reason}, b""
            except OSError:  # a study that was deleted meanwhile
                answer, content = {"refused": "its file is gone"}, b""
            except MemoryError:
                answer, content = {"refused": "it needs more memory than a film may take", "size": True}, b""
            connection.send_bytes(json.dumps(answer).encode())
            connection.send_bytes(content)


def _limit(memory: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):  # libraries in C print what they read
        os.dup2(nowhere, stream)
    resource.setrlimit(resource.RLIMIT_AS, (memory * MEBIBYTE, memory * MEBIBYTE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a memory image would hold the film
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file


def _answer(request: Mapping[str, Any], config: FilmConfig) -> tuple[dict[str, Any], bytes]:
    if request["task"] == "document":
        from radscribe.serve.documents import make_document

        try:
            return {}, make_document(request)
        except (RefusedFilm, OSError, MemoryError):
            raise
        except Exception as error:  # the libraries' errors quote values of the film's header
            raise RefusedFilm("film", f"its document cannot be made ({type(error).__name__})") from None
    path = Path(request["path"])
    if request["task"] == "png":
        full = read_full_film(path, "film")
        return {"bits": full.bits, "black": full.black, "white": full.white}, full.png()
    film = read_film(path, "film", longest=config.resize)
    width, height, bits = full_size(path, film)
    view = centre_crop(fit(film.pixels, config.resize), config)
    known = {"width": width, "height": height, "bits": bits, "view": film.view, "warnings": film.warnings}
    return {**known, "owner": astuple(read_owner(path))}, view.tobytes()
