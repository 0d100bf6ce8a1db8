"""docs/trust/fhir-conformance.md states the resources and codes that the code writes, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

from cases import DRAFT, DRAFTS, case_in
from fhir.resources.R4B import __fhir_version__

from radscribe.clinic.fhir import fhir_bundle
from radscribe.clinic.fhir_check import KNOWN, NAME_TYPES, NARRATIVES, PREFIX, REQUIRED

PAGE = (Path(__file__).parents[2] / "docs" / "trust" / "fhir-conformance.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[tuple[str, ...]]:
    """The rows of the table below a heading, without its heads."""
    text = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert lines, heading
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def test_the_resources_are_those_of_bundles_of_every_kind_of_draft(tmp_path: Path) -> None:
    found = {"Bundle"}
    for number, draft in enumerate(DRAFTS.values()):
        (tmp_path / str(number)).mkdir()
        bundle = fhir_bundle(case_in(tmp_path / str(number), draft))
        assert bundle["type"] == "collection"
        found |= {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert {row[0] for row in rows("Resources")} == found


def test_the_version_is_that_of_the_library() -> None:
    assert f"R4B ({__fhir_version__})" in PAGE


def test_the_bindings_are_those_of_the_check() -> None:
    expected = {f"{owner}.{name}": codes for (owner, name), codes in REQUIRED.items()}
    expected |= {"Device.deviceName.type": NAME_TYPES, "text.status": NARRATIVES}
    assert dict(rows("Required bindings")) == {name: ", ".join(codes.split()) for name, codes in expected.items()}
    assert PREFIX.rstrip("/") in PAGE
    assert dict(rows("Code systems")) == {name: ", ".join(codes.split()) for name, codes in KNOWN.items()}


def test_what_is_said_to_be_written_is_what_is_written(tmp_path: Path) -> None:
    text = json.dumps(fhir_bundle(case_in(tmp_path, DRAFT)))
    assert set(re.findall(r'"status": "(\w+)"', text)) == {"preliminary", "available", "generated"}
    assert "extension" not in text and '"profile"' not in text
    assert "| profiles, implementation guides | none |" in PAGE and "| extensions | none |" in PAGE
