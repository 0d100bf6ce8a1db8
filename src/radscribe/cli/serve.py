"""``radscribe serve``: drafts over HTTP."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import AcceptanceFile, AcceptUnscored, Checkpoint, Device
from radscribe.core.errors import RadscribeError

NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "multipart", "prometheus_client", "highdicom", "fhir", "reportlab")


def serve(
    checkpoint: Checkpoint = None,
    host: Annotated[str, typer.Option(help="Address to listen on; all but this machine need --token-file.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8080,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with a token on each line, after its owner's name; requests then need one."),
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder for films and the database.")] = Path("radscribe-data"),
    db: Annotated[
        str | None, typer.Option(help="Database URL, as postgresql://USER@HOST/DATABASE (default: SQLite in --data).")
    ] = None,
    retain: Annotated[
        float | None, typer.Option(help="Delete films and drafts after this many days (default: never).")
    ] = None,
    queue: Annotated[int, typer.Option(help="Studies that may wait; more are answered with 503.")] = 64,
    batch: Annotated[int, typer.Option(help="Studies drafted together at most.")] = 8,
    evidence: Annotated[str, typer.Option(help="The map of a sentence, as radscribe generate takes it.")] = "best",
    acceptance: AcceptanceFile = None,
    accept_unscored: AcceptUnscored = None,
    films: Annotated[
        list[Path] | None,
        typer.Option("--open", help="Film to draft at the start, a study of its own; a folder stands for its films."),
    ] = None,
    device: Device = "cpu",
) -> None:
    """Serve drafts over HTTP until it is stopped, with their films, their edits and an audit log.

    \b
    Without --token-file only programs and pages of this machine are answered.
    A checkpoint that did not draft last into --data must have scores (evaluate --card) within the limits of
    --acceptance.
    Examples:
      radscribe serve
      radscribe serve --open films
      radscribe serve --host 0.0.0.0 --token-file tokens --retain 30
    """
    require_extra()
    from radscribe.drafting.batch import films_among
    from radscribe.serve.run import run_service
    from radscribe.serve.settings import ServeConfig, Tokens, read_tokens

    config = ServeConfig(
        data=data,
        host=host,
        port=port,
        database=db,
        tokens=read_tokens(token_file) if token_file else Tokens(),
        retain=retain,
        queue=queue,
        batch=batch,
        evidence=evidence,
        acceptance=acceptance,
        accept_unscored=accept_unscored,
    )
    opened = list(films_among(films or []))
    run_service(config, checkpoint, device, lambda line: typer.echo(f"radscribe: {line}", err=True), opened)


def require_extra() -> None:
    """Raises ``RadscribeError`` where a package of the extra is missing."""
    for name in NEEDED:
        if find_spec(name) is None:
            raise RadscribeError(f"serve: {name} is missing; pip install 'radscribe[serve]'")
