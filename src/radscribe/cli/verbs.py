"""The table of verbs, each imported when it is first called: `radscribe --help` loads no torch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

# Where each verb lives, and what the list of verbs says of it.
VERBS = {
    "generate": ("generate:generate", "Draft a report for each film, with the evidence."),
    "serve": ("serve:serve", "Serve drafts over HTTP, with a page to read and correct them."),
    "worklist": ("worklist:worklist", "Draft the new studies of a DICOMweb archive into it."),
    "receive": ("receive:receive", "Receive films by DICOM C-STORE, draft and send on."),
    "audit": ("audit:app", "Check the audit log of the service."),
    "score": ("score:score", "Score anyone's reports against references."),
    "compare": ("compare:compare", "Compare scorecards, with paired tests."),
    "prepare": ("prepare:app", "Turn raw data into a prepared dataset."),
    "inspect": ("inspect:inspect", "Show a prepared dataset as one HTML page."),
    "train": ("train:train", "Train a recipe on a prepared dataset."),
    "calibrate": ("calibrate:calibrate", "Fit how likely a checkpoint's statements are true."),
    "evaluate": ("evaluate:evaluate", "Score a checkpoint on a split, beside controls."),
    "ablate": ("ablate:ablate", "Train and test a system without each part in turn."),
    "maps": ("maps:maps", "Compare the kinds of map that findings can show."),
    "boxes": ("boxes:boxes", "Count maps that peak in a radiologist's box."),
    "rexrank": ("rexrank:rexrank", "Draft a ReXrank file."),
    "index": ("index:app", "Inspect, rebuild or attach texts to a reference database."),
    "import": ("import_weights:import_file", "Convert a published checkpoint to safetensors."),
    "export": ("export:app", "Write a dataset as published repositories read it."),
    "bench": ("bench:app", "Measure speed beside other tools."),
}


class Verbs(TyperGroup):
    """A group of commands that imports a verb only to run it or to show its help."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = dict.fromkeys(VERBS)  # names alone, which errors suggest

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a verb, None where there is no such verb."""
        if cmd_name not in VERBS:
            return None
        home, name = VERBS[cmd_name][0].split(":")
        made = getattr(import_module(f"radscribe.cli.{home}"), name)
        if isinstance(made, typer.Typer):
            command: Any = typer.main.get_group(made)
        else:
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(cmd_name)(made)
            command = typer.main.get_command(alone)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the list of verbs from the table, so that none is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in VERBS.items()])
