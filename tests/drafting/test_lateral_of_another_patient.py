"""``radscribe generate --lateral`` drafts no films of two patients."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from radiographs import RAMP, dicom

from radscribe.drafting.batch import generate_files
from radscribe.drafting.reporter import Reporter, load_reporter


class TwoViews:
    """A reporter that takes two films of a study, and drafts the first."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter, self.read, self.view = reporter, reporter.read, reporter.view
        self.system = SimpleNamespace(model=reporter.system.model, config=SimpleNamespace(views=2))
        self.got: list[tuple[int, ...]] = []

    def drafts(self, views: list[Any], names: list[str], evidence: str) -> Any:
        self.got += [each.shape for each in views]
        return self._reporter.drafts([each[:1] for each in views], names, evidence)


@pytest.mark.parametrize(
    ("change", "kind"), [({}, ""), ({"PatientID": "ID-2"}, "patient"), ({"StudyInstanceUID": "1.2.826.2"}, "study")]
)
def test_a_lateral_film_of_another_patient_is_refused_in_one_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], kind: str
) -> None:
    known = {"PatientID": "ID-1", "StudyInstanceUID": "1.2.826.1"}
    frontal, lateral = tmp_path / "frontal.dcm", tmp_path / "lateral.dcm"
    frontal.write_bytes(dicom(**known))
    lateral.write_bytes(dicom(np.flipud(RAMP).copy(), ViewPosition="LL", **(known | change)))
    reporter = TwoViews(load_reporter(checkpoint))
    out = tmp_path / "drafts.jsonl"
    refused = generate_files(reporter, [frontal], out, None, lateral, "none")  # type: ignore[arg-type]
    line, err = json.loads(out.read_text()), capsys.readouterr().err
    assert refused == bool(kind) and len(reporter.got) == (not kind)
    if kind:
        reason = f"its header names another {kind} than that of a film before it; give the films of one study alone"
        assert line["refused"] == reason and f"radscribe: {lateral}: {reason}\n" in err
    assert not any(secret in err + str(line) for secret in ("ID-1", "ID-2", "1.2.826"))
