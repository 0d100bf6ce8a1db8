"""Body Part Examined in the languages and spellings that archives hold."""

from __future__ import annotations

import pytest
from radiographs import dataset_of, dicom, saved

from radscribe.imaging.body_part import shows_chest
from radscribe.imaging.film import read_film
from radscribe.imaging.refusal import RefusedFilm

CHESTS = (
    "CHEST", "chest", "Chest PA", "PORTABLE_CHEST", "CXR", "THORAX", "Thorax", "TORAX", "TÓRAX", "TÒRAX", "To\u0301rax",
    "T?RAX", "T??RAX", "T\ufffdRAX", "T_RAX", "TORACE", "CAJA TORÁCICA", "CAJA TOR?CICA", "CAGE THORACIQUE", "POITRINE",
    "POUMONS", "PECHO", "Pecho", "PULM?N", "PEITO", "PULMÃO", "BRUST", "Brustkorb", "BR?STKORG", "KLATKA PIERS.",
    "KLATKA PIERSIOWA", "HRUDNÍK", "HRUDN?K", "MELLKAS", "GÖĞÜS", "G???S", "LUNGE", "RIBS", "ГРУДНАЯ КЛЕТКА", "ОГК",
    "ΘΩΡΑΚΑΣ", "ΘΏΡΑΚΑΣ", "胸部", "胸部X線", "胸", "흉부", "صدر", "חזה", "ทรวงอก",
)  # fmt: skip
NOTHING = (
    "", "UNKNOWN", "unknown", "Unspecified", "NOT SPECIFIED", "N/A", "NA", "NONE", "null", "-", "?", "????", "...", "0",
    "Other", "DESCONOCIDO", "INCONNU", "UNBEKANNT", "未知",
)  # fmt: skip
OTHERS = (
    "KNEE", "HAND", "ABDOMEN", "BREAST", "SKULL", "NECK", "TSPINE", "THORACIC SPINE", "COLUMNA TORACICA", "RODILLA",
    "BRUSTWIRBELSÄULE", "BRUSTWIRBELS?ULE", "KRĘGOSŁUP PIERSIOWY", "BRÖSTRYGG", "HÜFTE", "TÊTE", "ÉPAULE", "KOLANO",
    "ГРУДНОЙ ОТДЕЛ ПОЗВОНОЧНИКА", "КОЛЕНО", "胸椎", "腹部", "膝关节", "무릎", "TRAX",
)  # fmt: skip
# How the bytes of other scripts may have been written into a field that has no character set.
ENCODINGS = (
    "utf-8", "latin-1", "gb18030", "big5", "shift_jis", "euc_jp", "iso2022_jp", "euc_kr", "cp1250", "cp1251", "koi8_r",
    "iso8859_5", "cp1253", "cp1254", "cp1255", "cp1256", "cp874", "cp850",
)  # fmt: skip


@pytest.mark.parametrize("part", CHESTS + NOTHING)
def test_a_chest_or_nothing_in_any_language_is_read(part: str) -> None:
    assert shows_chest(part)


@pytest.mark.parametrize("part", OTHERS)
def test_another_part_is_none(part: str) -> None:
    assert not shows_chest(part)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_letters_that_arrive_byte_by_byte_are_understood(encoding: str) -> None:
    tried = 0
    for part in CHESTS + OTHERS:
        try:
            arrived = part.encode(encoding).decode("latin-1")
        except UnicodeEncodeError:
            continue
        if encoding == "shift_jis" and part.startswith("ГРУД"):
            continue  # nobody writes Russian so
        assert shows_chest(arrived) == (part in CHESTS), (part, encoding)
        tried += 1
    assert tried > len(CHESTS) // 2


@pytest.mark.parametrize(
    "part", [b"PECHO ", b"T\xd2RAX ", b"T?RAX ", b"UNKNOWN ", b"\xe8\x83\xb8\xe9\x83\xa8", b" chest"]
)
def test_films_of_chests_are_read(part: bytes) -> None:
    assert (
        read_film(saved(dataset_of()).replace(b"CS\6\0CHEST ", b"CS" + bytes([len(part), 0]) + part)).view == "frontal"
    )


@pytest.mark.filterwarnings("ignore:Invalid value")
@pytest.mark.parametrize("part", ["RODILLA", "T-SPINE", "rodilla"])
def test_films_of_other_parts_are_refused_without_quoting(part: str) -> None:
    with pytest.raises(RefusedFilm, match="it shows another body part, not a chest"):
        read_film(dicom(BodyPartExamined=part), "film.dcm")


def test_any_of_several_parts_may_be_the_chest() -> None:
    assert read_film(dicom(BodyPartExamined=["ABDOMEN", "CHEST"])).view == "frontal"
