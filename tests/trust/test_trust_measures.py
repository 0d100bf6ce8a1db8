"""Each row of the risks and of the threat model names code and tests that exist, and says what remains."""

from __future__ import annotations

import re

import pytest
from trust_tables import ROOT, known_tests, quoted, table

RISKS = ("id", "hazard", "harm", "cause", "measure", "code", "tests", "what remains")
THREATS = ("id", "kind", "threat", "measure", "code", "tests", "what remains")
ROWS = {row["id"]: row for row in (*table("risks.md", *RISKS), *table("threat-model.md", *THREATS))}
# Threats by their kind: spoofing, tampering, repudiation, information disclosure, denial of service, elevation.
STRIDE = set("STRIDE")


def test_the_rows_are_numbered_without_gaps_and_none_is_lost() -> None:
    numbers = {letter: [int(name[1:]) for name in ROWS if name.startswith(letter)] for letter in "RT"}
    for letter, found in numbers.items():
        assert found == list(range(1, len(found) + 1)), letter
    assert len(numbers["R"]) >= 30 and len(numbers["T"]) >= 20


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_whole_and_names_code_and_tests_that_exist(name: str) -> None:
    row = ROWS[name]
    assert all(row.values())
    code, tests = quoted(row["code"]), quoted(row["tests"])
    assert code and tests
    for file in code:
        assert (ROOT / "src" / "radscribe" / file).is_file(), file
    for test in tests:
        file, _, function = test.partition("::")
        assert (ROOT / "tests" / file).is_file(), file
        assert function in known_tests(ROOT / "tests" / file), test
    assert re.sub(r"`[^`]+`|[, ]", "", row["code"] + row["tests"]) == "", "names alone, with commas"


def test_every_kind_of_threat_is_considered() -> None:
    assert {kind for row in table("threat-model.md", *THREATS) for kind in row["kind"].split(", ")} == STRIDE


def test_a_test_that_does_not_exist_would_be_found() -> None:
    assert "test_that_nobody_wrote" not in known_tests(ROOT / "tests" / "serve" / "test_audit_chain.py")
    assert "test_it_takes_no_changes" in known_tests(ROOT / "tests" / "serve" / "test_audit_chain.py")
