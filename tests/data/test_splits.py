"""The hash split: stable, near its shares, and nested."""

from __future__ import annotations

from collections import Counter

from radscribe.data.splits import split_of


def test_the_split_of_a_patient_never_changes() -> None:
    found = {split: [n for n in range(20) if split_of(f"patient-{n}") == split] for split in ("validate", "test")}
    assert found == {"validate": [10], "test": [0, 3, 15, 19]}


def test_the_shares_are_the_fractions() -> None:
    counts = Counter(split_of(str(number)) for number in range(20_000))
    assert abs(counts["test"] / 20_000 - 0.2) < 0.01
    assert abs(counts["validate"] / 20_000 - 0.1) < 0.01


def test_the_share_of_validation_moves_nobody_into_or_out_of_test() -> None:
    patients = [str(number) for number in range(2_000)]
    narrow = {patient for patient in patients if split_of(patient) == "test"}
    wide = {patient for patient in patients if split_of(patient, (0.5, 0.3, 0.2)) == "test"}
    assert narrow == wide
