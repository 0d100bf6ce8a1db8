"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that need it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("RADSCRIBE_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip("the folder of real data is absent (RADSCRIBE_SHARED_DATA names another place)")
    return folder
