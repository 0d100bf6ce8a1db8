"""The table of codes against the dictionaries of pydicom, which hold the codes of DICOM."""

from __future__ import annotations

import pytest
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts

from radscribe.clinic.codes import (
    CERTAINTY,
    COMMENT,
    CONDITION_CODES,
    LOCAL,
    NO_SINGLE_CODE,
    PERCENT,
    PRESENCE,
    PROCEDURE,
    REPORT,
    STATES,
    SYSTEMS,
    Code,
)
from radscribe.labels.conditions import CONDITIONS

ROWS = list(CONDITION_CODES.values())
ALL = [
    *(code for row in ROWS for code in (*row.codes, *filter(None, [row.site]))),
    *STATES.values(),
    *(REPORT, PROCEDURE, CERTAINTY, PERCENT, PRESENCE, COMMENT),
]
OF_PYDICOM = [code for code in ALL if code.source.startswith("pydicom.sr")]


@pytest.mark.parametrize("code", OF_PYDICOM, ids=lambda code: f"{code.scheme}-{code.value}-{code.meaning}")
def test_a_code_of_pydicom_has_the_meaning_that_pydicom_gives_it(code: Code) -> None:
    known = {
        (value, meaning): groups
        for entries in concepts[code.scheme].values()
        for value, (meaning, groups) in entries.items()
    }
    assert (code.value, code.meaning) in known
    _, _, group = code.source.partition(", CID ")
    if group:
        assert int(group) in known[code.value, code.meaning] and int(group) in cid_concepts


def test_most_codes_are_checked_so() -> None:
    assert {row.condition for row in ROWS if any(code in OF_PYDICOM for code in row.codes)} == {
        "lung opacity",
        "edema",
        "pneumothorax",
        "pleural effusion",
    }
    assert len(OF_PYDICOM) > 30


def test_no_other_code_of_the_table_means_another_thing_in_pydicom() -> None:
    meanings: dict[tuple[str, str], set[str]] = {}
    for scheme, entries in concepts.items():
        for entry in entries.values():
            for value, (meaning, _) in entry.items():
                meanings.setdefault((scheme, value), set()).add(meaning)
    for code in ALL:
        known = meanings.get((code.scheme, code.value))
        assert known is None or code.meaning in known, code


def test_every_condition_has_a_row_with_a_source_or_the_reason_why_there_is_no_single_code() -> None:
    assert tuple(CONDITION_CODES) == CONDITIONS
    for row in ROWS:
        assert bool(row.codes) != bool(row.reason)
        assert all(code.source and code.scheme in SYSTEMS for code in row.codes)
        assert (NO_SINGLE_CODE in row.shown) == (not row.codes)
        assert row.primary == (row.codes[0] if row.codes else row.local)
    assert CONDITION_CODES["pleural effusion"].shown == "SCT 60046008, RADLEX RID34539"


def test_the_codes_are_distinct_and_the_private_ones_say_whose_they_are() -> None:
    codes = [(code.scheme, code.value) for row in ROWS for code in (*row.codes, row.local)]
    assert len(set(codes)) == len(codes)
    assert all(row.local.scheme == LOCAL and len(row.local.value) <= 16 for row in ROWS)
    assert all(len(code.meaning) <= 64 for code in ALL)  # LO
