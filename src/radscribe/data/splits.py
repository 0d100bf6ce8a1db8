"""Assigns patients to splits, for sources that do not give them."""

from __future__ import annotations

import hashlib

FRACTIONS = (0.7, 0.1, 0.2)  # train, validate, test
SALT = "radscribe"


def split_of(patient_id: str, fractions: tuple[float, float, float] = FRACTIONS, salt: str = SALT) -> str:
    """The split of a patient, by the SHA-256 of the patient id: the same on any machine and beside any other patients.

    ``fractions`` are the expected shares of train, validate and test, which sum to 1. Test takes the lowest hashes, so
    that changing the share of validation never moves a patient into or out of the test split.
    """
    digest = hashlib.sha256(f"{salt}:{patient_id}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < fractions[2]:
        return "test"
    return "validate" if position < fractions[1] + fractions[2] else "train"
