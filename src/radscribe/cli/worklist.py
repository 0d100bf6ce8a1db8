"""``radscribe worklist``: drafts for the new studies of an archive, stored back into it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import AcceptanceFile, AcceptUnscored, Checkpoint, Device
from radscribe.core.errors import RadscribeError

NEEDED = ("dicomweb_client", "pynetdicom", "highdicom", "fhir", "reportlab")
Evidence = Annotated[str, typer.Option(help="The map of a sentence, as radscribe generate takes it.")]


def worklist(
    dicomweb: Annotated[str, typer.Option(help="Address of the archive's DICOMweb service.")],
    checkpoint: Checkpoint = None,
    state: Annotated[Path, typer.Option(help="File for the list of studies and what became of them.")] = Path(
        "radscribe-worklist.db"
    ),
    since: Annotated[
        str, typer.Option(help="Day of the oldest studies (2026-01-31), recent (yesterday and today) or all.")
    ] = "recent",
    once: Annotated[bool, typer.Option("--once", help="End after one pass; else it runs until it is stopped.")] = False,
    interval: Annotated[float, typer.Option(help="Seconds between two searches.")] = 30.0,
    settle: Annotated[
        float, typer.Option(help="Seconds that a new study rests, for its last films; none with --once.")
    ] = 60.0,
    limit: Annotated[int | None, typer.Option(help="Studies drafted in one pass at most.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="File with the token that opens the archive.")] = None,
    user: Annotated[str | None, typer.Option(help="Name that opens the archive, with --password-file.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password of --user.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Try studies, too, that were given up after many failures.")
    ] = False,
    evidence: Evidence = "best",
    acceptance: AcceptanceFile = None,
    accept_unscored: AcceptUnscored = None,
    device: Device = "cpu",
) -> None:
    """Draft the new CR and DX studies of an archive, and store reports, PDF and overlay back into it, once each.

    \b
    Stopped or killed at any time, it goes on where it was when it is started again.
    With --once, exit code 1 means that a study failed or that the archive does not answer.
    A checkpoint that did not draft last into --state must have scores within the limits of --acceptance.
    Examples:
      radscribe worklist --dicomweb http://127.0.0.1:8042/dicom-web
      radscribe worklist --dicomweb http://127.0.0.1:8042/dicom-web --since 2026-01-31 --once --limit 10
      radscribe worklist --dicomweb https://archive.example/dicom-web --user radscribe --password-file password
    """
    require_pacs()
    from radscribe.pacs.dicomweb import DicomwebArchive
    from radscribe.pacs.http_session import read_login
    from radscribe.pacs.session import ModelChoice, study_work
    from radscribe.pacs.worklist import Watch, WorklistConfig, read_day

    config = WorklistConfig(dicomweb, read_day(since), once, interval, settle, limit)
    choice = ModelChoice(checkpoint, device, evidence, acceptance, accept_unscored)
    archive = DicomwebArchive(dicomweb, read_login(token_file, user, password_file))
    with study_work(state, archive, choice, config.back_off) as work:
        if again:
            work.state.take_up_again(work.model)
        say(f"watching {dicomweb}")
        done = Watch(config, work, archive, say).run()
    if done.outcomes["failed"] or done.outcomes["given up"]:
        raise typer.Exit(1)


def say(line: str) -> None:
    """One line on the error stream."""
    typer.echo(f"radscribe: {line}", err=True)


def require_pacs() -> None:
    """Raises ``RadscribeError`` where a package of the extra is missing."""
    for name in NEEDED:
        if find_spec(name) is None:
            raise RadscribeError(f"{name} is missing; pip install 'radscribe[pacs]'")
