"""``radscribe receive``: drafts for films that are sent by DIMSE."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import AcceptanceFile, AcceptUnscored, Checkpoint, Device
from radscribe.cli.worklist import Evidence, require_pacs, say
from radscribe.core.errors import WrongUse


def receive(
    checkpoint: Checkpoint = None,
    aet: Annotated[str, typer.Option(help="Application entity title of this side.")] = "RADSCRIBE",
    host: Annotated[str, typer.Option(help="Address to listen on; all but this machine need --allow.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 11112,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Who may send: AET, or AET@ADDRESS where it sends from there alone; repeatable."),
    ] = None,
    send_to: Annotated[str | None, typer.Option(help="Archive that gets the documents, as AET@HOST:PORT.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder that gets the documents, instead of --send-to.")] = None,
    data: Annotated[Path, typer.Option(help="Folder for received films and the list of studies.")] = Path(
        "radscribe-received"
    ),
    settle: Annotated[float, typer.Option(help="Seconds without another film after which a study is drafted.")] = 60.0,
    again: Annotated[
        bool, typer.Option("--again", help="Try studies, too, that were given up after many failures.")
    ] = False,
    evidence: Evidence = "best",
    acceptance: AcceptanceFile = None,
    accept_unscored: AcceptUnscored = None,
    device: Device = "cpu",
) -> None:
    """Receive CR and DX films by DICOM C-STORE, draft each study and send reports, PDF and overlay on, once each.

    \b
    A film that was answered with success is on the disk: stopped or killed at any time, it goes on where it was.
    A checkpoint that did not draft last into --data must have scores within the limits of --acceptance.
    Examples:
      radscribe receive --send-to ARCHIVE@192.0.2.5:104
      radscribe receive --host 0.0.0.0 --allow MODALITY1 --allow ROUTER@192.0.2.7 --send-to ARCHIVE@192.0.2.5:104
      radscribe receive --out drafts
    """
    if (send_to is None) == (out is None):
        raise WrongUse("give either --send-to AET@HOST:PORT or --out FOLDER, where the documents go")
    require_pacs()
    from radscribe.pacs.film_queue import FilmQueue
    from radscribe.pacs.receive import Hospital, ReceiveConfig, Reception
    from radscribe.pacs.receiver import Receiver, ReceiverConfig, read_caller
    from radscribe.pacs.senders import Folder, read_peer
    from radscribe.pacs.session import ModelChoice, study_work

    settings = ReceiveConfig(settle)
    config = ReceiverConfig(aet, host, port, tuple(map(read_caller, allow or ())))
    choice = ModelChoice(checkpoint, device, evidence, acceptance, accept_unscored)
    queue = FilmQueue(data / "films")
    sender = Folder(out) if out else read_peer(send_to or "", aet)
    with (
        study_work(data / "studies.db", Hospital(queue, sender), choice, settings.back_off) as work,
        Receiver(config, queue).listening() as opened,
    ):
        if again:
            work.state.take_up_again(work.model)
        say(f"receiving as {aet} on {host}:{opened}")
        Reception(settings, work, queue, say).run()
