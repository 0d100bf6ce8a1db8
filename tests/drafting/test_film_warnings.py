"""What is odd in a film's file is said in its draft."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter, load_reporter
from radscribe.imaging.film import Film


@pytest.fixture(scope="module")
def pixels(phantoms: PreparedDataset) -> np.ndarray:
    return phantoms.film(phantoms.split("test")[0])


@pytest.fixture(scope="module")
def reporter(checkpoint: Path) -> Reporter:
    return load_reporter(checkpoint)


def test_a_film_that_is_nearly_white_gives_a_draft_with_a_warning(
    reporter: Reporter, pixels: np.ndarray, tmp_path: Path
) -> None:
    white = np.where(pixels > 20, 255, pixels).astype(np.uint8)
    Image.fromarray(white).save(tmp_path / "white.png")
    Image.fromarray(pixels).save(tmp_path / "film.png")
    (warning,) = reporter.draft(tmp_path / "white.png").warnings
    assert warning.startswith("nearly all of the picture is black, white or one grey")
    assert reporter.draft(tmp_path / "film.png").warnings == reporter.draft(pixels).warnings == ()


def test_a_draft_carries_the_warnings_of_its_film(reporter: Reporter, pixels: np.ndarray) -> None:
    film = Film(pixels, "film.dcm", None, ("its WindowWidth cannot be read and is disregarded",))
    assert reporter.draft(film).warnings == film.warnings


def test_generate_writes_the_warnings_and_says_them(
    checkpoint: Path, pixels: np.ndarray, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    Image.fromarray((pixels > 128).astype(np.uint8) * 255).save(tmp_path / "mask.png")
    Image.fromarray(pixels).save(tmp_path / "film.png")
    films = [str(tmp_path / name) for name in ("film.png", "mask.png")]
    code, out, errors = run("generate", *films, "--checkpoint", str(checkpoint), "--picture", str(tmp_path / "drawn"))
    first, second = (json.loads(line)["warnings"] for line in out.splitlines())
    assert code == 0 and first == [] and len(second) == 1
    assert f"radscribe: {films[1]}: warning: {second[0]}" in errors and f"{films[0]}: warning" not in errors
