"""What long work says of itself where there is no terminal."""

from __future__ import annotations

import pytest

from radscribe.core import progress as module
from radscribe.core.progress import progress


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(5), "counting")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr() == ("", "")


def test_long_work_says_now_and_then_what_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 20))  # twenty seconds an item
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    assert list(progress("abcdef", "spelling")) == list("abcdef")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "spelling: 1 of 6, about 200 s left",
        "spelling: 3 of 6, about 80 s left",
        "spelling: 5 of 6, about 24 s left",
    ]
