"""Which split a patient belongs to, for sources that do not say."""

from __future__ import annotations

import hashlib

FRACTIONS = (0.7, 0.1, 0.2)  # train, validate, test
SALT = "radscribe"


def split_of(patient_id: str, fractions: tuple[float, float, float] = FRACTIONS, salt: str = SALT) -> str:
    """The split of a patient, by the SHA-256 of the patient id: stable on any machine, whoever else is there.

    ``fractions`` are the expected shares of train, validate and test, which sum to 1. The hash is spent from the
    test end, so that changing the share of validation never moves a patient into or out of the test split.
    """
    digest = hashlib.sha256(f"{salt}:{patient_id}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < fractions[2]:
        return "test"
    return "validate" if position < fractions[1] + fractions[2] else "train"
