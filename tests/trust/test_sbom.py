"""The bill of materials is that of constraints.txt, with the licences that the packages state, and is CycloneDX 1.6."""

from __future__ import annotations

import json
import runpy
from copy import deepcopy
from importlib.metadata import PackageNotFoundError, distribution, files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from packaging.utils import canonicalize_name

from radscribe.core.files import sha256_of
from radscribe.drafting.reporter import load_reporter, packaged_checkpoint

ROOT = Path(__file__).parents[2]
MAKER = runpy.run_path(str(ROOT / "docs" / "trust" / "sbom.py"))


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    """The written bill."""
    content: dict[str, Any] = json.loads((ROOT / "docs" / "trust" / "sbom.json").read_text(encoding="utf-8"))
    return content


def packages(bill: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Its packages by their normalised names."""
    return {canonicalize_name(each["name"]): each for each in bill["components"] if each["type"] == "library"}


def schema_errors(content: dict[str, Any]) -> list[str]:
    """What the published schema of CycloneDX 1.6 finds wrong."""
    found = {str(path).rpartition("/")[2]: path for path in files("cyclonedx-python-lib") or ()}
    read = {
        name: json.loads(found[f"{name}.SNAPSHOT.schema.json"].read_text(encoding="utf-8"))
        for name in ("bom-1.6", "spdx", "jsf-0.82")
    }
    beside = [(f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", read[name]) for name in ("spdx", "jsf-0.82")]
    registry = jsonschema_rs.Registry(beside)
    return [
        error.message
        for error in jsonschema_rs.Draft7Validator(read["bom-1.6"], registry=registry).iter_errors(content)
    ]


def test_it_is_cyclonedx(bill: dict[str, Any]) -> None:
    assert schema_errors(bill) == []
    damaged = deepcopy(bill)
    del damaged["components"][3]["name"]
    assert schema_errors(damaged), "the schema would find a component without a name"


def test_it_has_every_pinned_package_and_no_other(bill: dict[str, Any]) -> None:
    written = {name: each["version"] for name, each in packages(bill).items()}
    assert written == MAKER["pins"](ROOT / "constraints.txt"), "run make sbom"


def test_licences_are_those_that_the_installed_packages_state(bill: dict[str, Any]) -> None:
    seen = 0
    for name, each in packages(bill).items():
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # those of the documentation are not needed here
        assert each["licenses"] == [MAKER["licence"](found)], f"{name}: run make sbom"
        seen += 1
    assert seen > 100


def test_packages_that_a_user_needs_are_told_from_those_of_development(bill: dict[str, Any]) -> None:
    scopes = {name: each["scope"] for name, each in packages(bill).items()}
    optional = ("fastapi", "highdicom", "psycopg-binary", "dicomweb-client", "pynetdicom", "starlette")
    assert {scopes[name] for name in ("torch", "pydicom", "numpy")} == {"required"}
    assert {scopes[name] for name in optional} == {"optional"}
    assert {scopes[name] for name in ("pytest", "mypy", "mkdocs")} == {"excluded"}


def test_the_packaged_model_is_named_by_its_fingerprint_and_hash(bill: dict[str, Any]) -> None:
    model = next(each for each in bill["components"] if each["type"] == "machine-learning-model")
    assert model["version"] == load_reporter().fingerprint
    assert model["hashes"] == [{"alg": "SHA-256", "content": sha256_of(packaged_checkpoint() / "model.safetensors")}]


def test_copyleft_licences_of_what_a_user_installs_are_named_in_the_page(bill: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "trust" / "index.md").read_text(encoding="utf-8")
    copyleft = [
        each["name"]
        for each in packages(bill).values()
        if each["scope"] != "excluded" and ("GPL" in str(each["licenses"]) or "not stated" in str(each["licenses"]))
    ]
    assert copyleft and all(f"`{name}`" in page for name in copyleft)
