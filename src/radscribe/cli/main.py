"""The command line: errors in one line, exit codes 0 (done), 1 (failed), 2 (wrong use)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from radscribe.cli.verbs import Verbs
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.records import NOTICE
from radscribe.core.version import __version__

app = typer.Typer(
    name="radscribe",
    cls=Verbs,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=f"Drafts chest X-ray reports with the evidence for each sentence. {NOTICE}",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"radscribe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Drafts chest X-ray reports with the evidence for each sentence."""


def main() -> None:
    """Run the command line."""
    reported(app)


def reported(run: Callable[[], None]) -> None:
    """Run a command; an error that the user can fix is one line on the error stream, never a traceback."""
    try:
        run()  # wrong options leave here with exit code 2
    except WrongUse as error:
        _fail(str(error), 2)
    except RadscribeError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped; finished work is kept", 1)
    except OSError as error:
        _fail(f"{error.filename or 'file system'}: {error.strerror or error}", 1)


def _fail(message: str, code: int) -> None:
    typer.echo(f"radscribe: {' '.join(message.split())}", err=True)
    sys.exit(code)
