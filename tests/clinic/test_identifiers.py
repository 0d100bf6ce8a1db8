"""Identifiers are made of content: the same where the draft is the same, others where it is not."""

from __future__ import annotations

from dataclasses import replace

from cases import AIR, DRAFT
from pydicom.uid import UID

from radscribe.clinic.identity import draft_key, uid_of, uuid_of


def test_a_draft_of_a_film_has_one_key_whatever_its_files_are_called() -> None:
    drawn = tuple(replace(each, map="pictures/map.png") for each in DRAFT.sentences)
    assert draft_key(replace(DRAFT, study_id="copy", sentences=drawn), "1.2") == draft_key(DRAFT, "1.2")


def test_another_film_word_probability_or_model_has_another_key() -> None:
    others = [
        draft_key(DRAFT, "1.3"),
        draft_key(replace(DRAFT, sentences=(AIR,)), "1.2"),
        draft_key(replace(DRAFT, findings=DRAFT.findings[1:]), "1.2"),
        draft_key(replace(DRAFT, model={"name": "tiny", "fingerprint": "f" * 64}), "1.2"),
        draft_key(replace(DRAFT, abstain=True), "1.2"),
        draft_key(DRAFT, "1.2", "anna"),
    ]
    assert len({draft_key(DRAFT, "1.2"), *others}) == 7


def test_uids_are_valid_and_follow_from_their_parts() -> None:
    uid = uid_of("series", "report", "key")
    assert UID(uid).is_valid and uid.startswith("2.25.") and len(uid) <= 44
    assert uid == uid_of("series", "report", "key") != uid_of("series", "reportkey", "")
    assert uuid_of("a").version == 5 and uuid_of("a", "b") != uuid_of("ab")
