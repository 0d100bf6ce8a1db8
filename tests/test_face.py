"""The public face: six names, loaded when they are asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import radscribe
from radscribe.core.records import Draft
from radscribe.drafting.reporter import Reporter


def test_importing_radscribe_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, radscribe; dir(radscribe); print(*({'torch', 'numpy', 'pydicom'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_the_face_is_its_names_and_nothing_else() -> None:
    assert dir(radscribe) == ["Draft", "RadscribeError", "RefusedFilm", "Reporter", "__version__", "load"]
    assert radscribe.Draft is Draft and radscribe.Reporter is Reporter
    assert issubclass(radscribe.RefusedFilm, radscribe.RadscribeError)
    with pytest.raises(AttributeError, match="no attribute 'reporter_of'"):
        _ = radscribe.reporter_of  # type: ignore[attr-defined]


def test_load_takes_a_checkpoint_and_a_device(checkpoint: Path) -> None:
    reporter = radscribe.load(checkpoint, device="cpu")
    assert isinstance(reporter, radscribe.Reporter) and reporter.device.type == "cpu"
    assert radscribe.load().system.config.name == "revtaf-iu-small"
    with pytest.raises(radscribe.RadscribeError, match="no such device"):
        radscribe.load(checkpoint, device="abacus")
    with pytest.raises(radscribe.RadscribeError, match="no such checkpoint folder"):
        radscribe.load(checkpoint / "nowhere")
