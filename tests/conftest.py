"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from makers import TINY
from radscribe.cli.main import main
from radscribe.core.config import from_mapping
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.sources.phantom import phantom_source
from radscribe.training.recipe import Recipe
from radscribe.training.train import Options, train

# Tests assert behaviour, not time: a busy machine is no failure.
settings.register_profile("radscribe", deadline=None)
settings.load_profile("radscribe")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that need it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("RADSCRIBE_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip("the folder of real data is absent (RADSCRIBE_SHARED_DATA names another place)")
    return folder


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """The folder of small inputs that went wrong, each with a README of the right answer; skips as ``shared_data``."""
    default = Path(__file__).resolve().parents[2] / "shared" / "cases"
    folder = Path(os.environ.get("RADSCRIBE_SHARED_CASES", default))
    if not folder.is_dir():
        pytest.skip("the folder of cases is absent (RADSCRIBE_SHARED_CASES names another place)")
    return folder


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """A prepared dataset of 70 small phantom studies."""
    folder = tmp_path_factory.mktemp("phantoms") / "data"
    prepare(phantom_source(70, seed=3), folder, size=64, workers=1)
    return PreparedDataset.open(folder)


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    """Everything there is, as small as it goes: two steps of each stage take a second."""
    return from_mapping(Recipe, TINY)


@pytest.fixture(scope="session")
def checkpoint(phantoms: PreparedDataset, tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint folder of a few steps of the tiny recipe; read it, never write to it."""
    folder = tmp_path_factory.mktemp("tiny")
    options = Options(folder / "cache", max_steps=2, accelerator="cpu", say=lambda line: None)
    return train(tiny_recipe, phantoms, folder / "checkpoint", options)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process; returns exit code, output and error stream."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["radscribe", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
