"""The table of verbs: every verb and option explains itself, and the shell can complete them."""

from __future__ import annotations

import subprocess
import sys
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
        return
    for name in command.list_commands(None):
        yield from leaves(command.get_command(None, name), (*path, name))


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


def test_the_list_of_verbs_is_shown_without_importing_them() -> None:
    program = (
        "import sys; from radscribe.cli.main import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in shown.splitlines() if line.startswith("  ")} >= VERBS | GROUPS
    assert {"torch", "numpy", "pydicom", "fastapi"}.isdisjoint(shown.split("\n")[-2].split())


def test_a_misspelt_verb_is_set_right() -> None:
    assert "Did you mean 'generate'?" in CliRunner().invoke(app, ["generat"]).output
