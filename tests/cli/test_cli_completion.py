"""The shell completes the commands and options of `radscribe`."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("radscribe in", {"inspect", "index"}), ("radscribe generate --pic", {"--picture"})],
)
def test_a_word_that_is_begun_is_completed(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, typed: str, offered: set[str]
) -> None:
    monkeypatch.setenv("_RADSCRIBE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    code, output, error = run()
    assert (code, set(output.split()), error) == (0, offered, "")


def test_completion_is_offered_and_help_still_lists_the_commands(run: Callable[..., tuple[int, str, str]]) -> None:
    code, output, _ = run("--help")
    assert code == 0 and "--install-completion" in output and "--show-completion" in output
    assert {"prepare", "train", "generate", "evaluate"} <= {line.split()[0] for line in output.splitlines() if line}
