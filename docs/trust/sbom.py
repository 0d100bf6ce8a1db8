"""Write docs/trust/sbom.json: every pinned package with its licence, and the packaged model, as CycloneDX 1.6.

    make sbom

Names and versions are those of constraints.txt, licences and dependencies those of the installed packages. The same
packages give the same bytes. A pinned package that is not installed, or not in its pinned version, is an error.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
OUT = Path(__file__).with_name("sbom.json")
CONSTRAINTS = ROOT / "constraints.txt"
MODEL = ROOT / "src" / "radscribe" / "pretrained" / "revtaf-iu-small"
LONGEST_LICENCE = 60  # characters; some packages put the whole text there
NOT_STATED = "not stated by the package"
# The extras that a user installs; what only others need is for development.
OPTIONAL = ("clinic", "serve", "pacs", "nlg", "cxrfescore", "approximate")


def main() -> None:
    """Write the file."""
    OUT.write_text(json.dumps(bill(pins(CONSTRAINTS)), indent=1) + "\n", encoding="utf-8")


def pins(constraints: Path) -> dict[str, str]:
    """The version of each pinned package, by its normalised name."""
    lines = constraints.read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def bill(pinned: Mapping[str, str]) -> dict[str, Any]:
    """The bill of materials of ``pinned`` packages and the packaged model."""
    own = distribution("radscribe")
    needed, offered = _reached(own, (), pinned), _reached(own, OPTIONAL, pinned)
    root = {
        "type": "application",
        "bom-ref": "radscribe",
        "name": "radscribe",
        "version": own.version,
        "description": "Drafts chest X-ray reports. Research use only. Not for diagnosis.",
        "licenses": [{"expression": own.metadata["License-Expression"]}],
    }
    packages = [
        _component(name, version, "required" if name in needed else "optional" if name in offered else "excluded")
        for name, version in pinned.items()
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": [_model(), *packages],
        "dependencies": [
            {"ref": "radscribe", "dependsOn": [MODEL.name, *_needs(own, pinned)]},
            *({"ref": _ref(name, pinned), "dependsOn": _needs(_of(name), pinned)} for name in pinned),
        ],
    }


def licence(found: Distribution) -> dict[str, Any]:
    """What a package states of its licence: an SPDX expression where it has one, else its own words."""
    if expression := found.metadata.get("License-Expression"):
        return {"expression": expression}
    text = (found.metadata.get("License") or "").strip()
    if text and text != "UNKNOWN" and "\n" not in text and len(text) <= LONGEST_LICENCE:
        return {"license": {"name": text}}
    classifiers = found.metadata.get_all("Classifier") or []
    names = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    return {"license": {"name": "; ".join(names) or NOT_STATED}}


def _component(name: str, version: str, scope: str) -> dict[str, Any]:
    found = _of(name)
    if re.sub(r"\+.*", "", found.version) != version:
        raise SystemExit(f"{name} {found.version} is installed, {version} is pinned; run make sbom")
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": found.metadata["Name"],
        "version": version,
        "scope": scope,
        "licenses": [licence(found)],
        "purl": f"pkg:pypi/{name}@{version}",
    }


def _model() -> dict[str, Any]:
    weights = (MODEL / "model.safetensors").read_bytes()
    return {
        "type": "machine-learning-model",
        "bom-ref": MODEL.name,
        "name": MODEL.name,
        "version": json.loads((MODEL / "config.json").read_text(encoding="utf-8"))["fingerprint"],
        "description": "The packaged checkpoint; the hash is that of its model.safetensors.",
        "scope": "required",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(weights).hexdigest()}],
        "licenses": [{"expression": "Apache-2.0"}],
    }


def _of(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise SystemExit(f"{name} is pinned and not installed; run make sbom, which installs all extras") from None


def _wanted(found: Distribution, extras: Iterable[str]) -> Iterator[Requirement]:
    """What a package asks for, with these extras."""
    for wanted in map(Requirement, found.requires or ()):
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield wanted


def _reached(own: Distribution, extras: Iterable[str], pinned: Mapping[str, str]) -> set[str]:
    """All pinned packages that ``own`` needs with these extras, and what these need."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = list(_wanted(own, extras))
    while waiting:
        wanted = waiting.pop()
        each = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if each[0] in pinned and each not in found:
            found.add(each)
            waiting += _wanted(_of(each[0]), wanted.extras)
    return {name for name, _ in found}


def _needs(found: Distribution, pinned: Mapping[str, str]) -> list[str]:
    names = {canonicalize_name(wanted.name) for wanted in _wanted(found, ())}
    return sorted(_ref(name, pinned) for name in names & pinned.keys())


def _ref(name: str, pinned: Mapping[str, str]) -> str:
    return f"pkg:pypi/{name}@{pinned[name]}"


if __name__ == "__main__":
    main()
