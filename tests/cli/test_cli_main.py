"""The table of verbs: every verb and option explains itself, and the shell can complete them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from radscribe.cli.main import app

VERBS = {
    "inspect",
    "train",
    "generate",
    "rexrank",
    "evaluate",
    "score",
    "compare",
    "ablate",
    "boxes",
    "maps",
    "calibrate",
    "import",
    "serve",
    "worklist",
    "receive",
}
GROUPS = {"prepare", "export", "index", "bench", "audit"}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from leaves(child, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(app)))


def test_the_verbs_are_there() -> None:
    assert {path[0] for path in COMMANDS} == VERBS | GROUPS


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_verb_has_an_example_of_its_own_and_every_option_a_help(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert "Example" in command.help and f"radscribe {' '.join(path)} " in f"{command.help}\n".replace("\n", " \n")
    assert not [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]


def test_seeds_are_explained_and_completion_can_be_installed() -> None:
    runner = CliRunner()
    assert "Random seed for bootstrap resampling." in " ".join(runner.invoke(app, ["score", "--help"]).output.split())
    assert "--install-completion" in runner.invoke(app, ["--help"]).output
