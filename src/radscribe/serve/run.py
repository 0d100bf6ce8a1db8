"""Runs the service until it is stopped."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import uvicorn

from radscribe.core.errors import RadscribeError
from radscribe.core.locks import try_lock
from radscribe.drafting.acceptance import read_acceptance
from radscribe.drafting.sentence_maps import kind_for
from radscribe.drafting.session import drafting
from radscribe.serve.app import create_app
from radscribe.serve.database import open_database
from radscribe.serve.model_change import admit
from radscribe.serve.opening import open_films
from radscribe.serve.service import DraftService
from radscribe.serve.settings import ServeConfig

# The films of a killed or stopped service are finished within this time, or given up.
STOP_SECONDS = 30


def run_service(
    config: ServeConfig,
    checkpoint: str | Path | None,
    device: str,
    say: Callable[[str], None],
    films: Sequence[Path] = (),
) -> None:
    """Serve drafts of ``checkpoint`` on ``device`` until interrupted, ``films`` drafted first.

    ``say`` gets a line with the address once it is open, and one for each of ``films`` that is refused.

    Raises:
        WrongUse: the model has no map of the kind ``config.evidence``, or the URL names no database.
        RadscribeError: the port or the folder is taken, checkpoint or database cannot be opened, or another model
            drafted last and this one is not accepted in its place.
    """
    acceptance = read_acceptance(config.acceptance)
    os.umask(0o077)  # films and drafts are for nobody else on this machine
    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with try_lock(config.data / "lock") as held:
        if not held:
            raise RadscribeError(f"--data {config.data}: another service uses it; stop that one or name another folder")
        with (
            _bound(config.host, config.port) as opened,
            closing(open_database(config.database_url)) as database,  # before the model, which takes longer
            drafting(checkpoint, device) as reporter,
        ):
            kind_for(reporter.system.model, config.evidence)
            admit(database, reporter, acceptance, config.accept_unscored)
            service = DraftService(reporter, config, database)
            app = create_app(service, partial(open_films, service, films, say))
            host = f"[{config.host}]" if ":" in config.host else config.host
            say(f"serving http://{host}:{opened.getsockname()[1]}")
            settings = uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
            uvicorn.Server(settings).run(sockets=[opened])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or error
        raise RadscribeError(f"--host {host} --port {port}: {reason}; stop what uses it or choose another") from None
