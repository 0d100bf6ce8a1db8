"""Names in texts: scripts, forms, transliteration and habits of writing, and words that are no name here."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makers import NORMAL, OPACITY
from radscribe.imaging.name_words import ORDINARY, PARTICLES, PLACEHOLDERS
from radscribe.imaging.patient_names import PatientNames, name_parts
from radscribe.imaging.spelling import spellings

NORMAL_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
# Of one person each: in the header, and in a text.
WRITTEN = [
    ("Müster^Zoë", "MUESTER, ZOE"),
    ("MUESTER^ZOEX", "Müster Zoex"),
    ("MUESTER^ZOEX", "Muster Zoex"),
    ("Sørensen^Åse", "Aase Soerensen"),
    ("AAGAARD^SOEREN", "Søren Ågård"),
    ("Strauß^Jörg", "STRAUSS JOERG"),
    ("STRAUSS^JOERG", "Jörg Strauß"),
    ("DJORDJEVIC^DJURO", "Đuro Đorđević"),
    ("Łukasz^Żółć", "Zolc Lukasz"),
    ("İnan^Ayşe", "AYSE INAN"),
    ("Nguyễn^Văn An", "Nguyen Van An"),
    ("O'BRIEN^MARY", "Mary O’Brien"),
    ("OBRIEN^MARY", "Mary O'Brien"),
    ("McDonald^Ron", "Ron Mc Donald"),
    ("MCDONALD^RON", "Ron Mc Donald"),
    ("STCLAIR^ANN", "Ann St. Clair"),
    ("O BRIEN^MARY", "Mary Obrien"),
    ("DANGELO^UGO", "Ugo D'Angelo"),
    ("Le Blanc^Marie", "Marie Leblanc"),
    ("Le Petit^Jo", "Lepetit, Jo"),
    ("Al-Hassan^Omar", "Omar Alhassan"),
    ("ALHASSAN^OMAR", "Omar al Hassan"),
    ("El-Sayed^Mona", "Mona Elsayed"),
    ("El-Sayed^Mona", "Mona Alsayed"),
    ("Van der Berg^Jan", "Jan Vanderberg"),
    ("Van der Berg^Jan", "Jan van Derberg"),
    ("Van der Berg^Jan", "VANDERBERG, J."),
    ("Van der Berg^Jan", "Mr. van der Berg"),
    ("Van der Berg^Jan", "J. van der Berg"),
    ("Berg^Jan van der", "Jan Vanderberg"),
    ("Berg^Jan^^van der", "Jan Vanderberg"),
    ("VANDERBERG^JAN", "Jan van der Berg"),
    ("De la Cruz^Ana", "Ana Delacruz"),
    ("DELOSSANTOS^ANA", "Ana de los Santos"),
    ("Von Neumann^Karl", "Karl Vonneumann"),
    ("Di Stéfano^José", "Jose Distefano"),
    ("Do^Minh", "Mr. Do"),
    ("Le^Van Anh", "Le Van Anh"),
    ("Hollerbach^Annegret", "Holler-\nbach, Annegret"),
    ("Hollerbach^Annegret", "annegret_hollerbach.dcm"),
    ("Hollerbach^Annegret", "Hol\u00adler\u200bbach Annegret"),
    ("Hollerbach^Annegret", "HollerbachAnnegret"),
    ("Smith^John", "J. Smith"),
    ("Smith^John^Quincy", "J.Q. Smith"),
    ("Smith^John", "Smith, J."),
    ("Smith^John", "patient: Smith"),
    ("Smith^John", "Herr Dr. Smith"),
    ("Small^John", "Mrs. Small"),
    ("Small^John", "J. Small"),
    ("Small^Long", "LONG, SMALL"),
    ("Small", "Name: SMALL"),
    ("Hollerbach", "seen Hollerbach again"),
    ("Li^Na", "Li Na"),
    ("Kong^XuWu", "Kong Xu Wu"),
    ("Kuuso^Taroo=空想^太郎丸", "空想太郎丸様"),
    ("空想^太郎丸", "空想　太郎丸"),
    ("空想^太郎丸", "空想様"),
    ("空想^太郎丸=くうそう^たろおまる", "ｸｳｿｳ ﾀﾛｵﾏﾙ"),
    ("Kuuso^Taroo", "患者Kuuso Taroo的胸片"),
    ("孔虚无子", "患者孔虚无子男"),
    ("孔虚无子", "孔女士"),
    ("高^明", "患者高明，男"),
    ("高^明", "高先生"),
    ("가상^인물이", "가상인물이의 흉부"),
    ("김^철수", "김철수님"),
    ("Иванов^Иван", "Иванова Ивана"),
    ("Иванов^Иван", "И. Иванов"),
    ("محمد^أحمد", "ومحمد واحمد"),
    ("राजेश^कुमार", "रोगी राजेश कुमार का"),
    ("สมหญิง^ใจดี", "นางสมหญิงใจดี"),
    ("Παπαδόπουλος^Γιώργος", "ΠΑΠΑΔΟΠΟΥΛΟΣ ΓΙΩΡΓΟΣ"),
]
# Names that are words, or short, beside texts that do not mean them.
MEANT_OTHERWISE = [
    ("Small", OPACITY + " A small effusion."),
    ("Small^Anna", "A small effusion."),
    ("Young^May", "May represent pneumonia in a young patient."),
    ("An^No", "There is no sign of an effusion."),
    ("Ng^Po", "Kerning lung, portable upon."),
    ("Smith^John", "Smith's fracture"),
    ("von der Leyen^Ursula", "Befund von der Lunge"),
    ("Le Blanc^Marie", "Poumon : le blanc."),
    ("Le Blanc^Marie", "Leblanc's sign"),
    ("Van der Berg^Jan=Berg^Jan", "Berg's sign"),
    ("Van Ness", "No tenderness."),
    ("Ung^L", "The lung is clear."),
    ("Do^Minh", "Do not lift."),
    ("Heart^Anna", "Seen at 3 p.m.\nHeart is normal."),
    ("Heart", NORMAL),
    ("高^明", "高密度影，纹理明显增多。"),
    ("孔", "孔源性"),
    ("TEST^PATIENT", "The patient had a test."),
    ("ANONYMOUS", "anonymous"),
    ("^^", NORMAL),
]
latin = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzäöüåøéñçšžłőß"), min_size=5, max_size=10).map(str.title)
latin = latin.filter(lambda word: word.lower() not in PLACEHOLDERS | ORDINARY)  # no name of a patient
han = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=3)
hangul = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=2, max_size=3)
kana = st.text(
    st.sampled_from("アイウエオカガキギクグケゲコゴサシスセソタチツテトナニヌネノハバパ"), min_size=2, max_size=5
)
cyrillic = st.text(st.sampled_from("абвгдежзийклмнопрстуфхцчшщыэюяё"), min_size=4, max_size=9).map(str.title)


def named(name: str, text: str) -> bool:
    return PatientNames(tuple(filter(None, map(name_parts, name.split("="))))).stand_in(spellings(text))


@pytest.mark.parametrize("form", NORMAL_FORMS)
@pytest.mark.parametrize(("name", "text"), WRITTEN)
def test_a_name_is_found_as_people_write_it(name: str, text: str, form: str) -> None:
    assert named(name, unicodedata.normalize(form, f"{text}. {NORMAL}"))
    assert named(unicodedata.normalize(form, name), f"{NORMAL} {text}")
    assert not named(name, f"{NORMAL} {OPACITY}")


@pytest.mark.parametrize(("name", "text"), MEANT_OTHERWISE)
def test_a_word_that_is_a_name_elsewhere_names_nobody(name: str, text: str) -> None:
    assert not named(name, text)


@given(
    st.one_of(*(st.tuples(names, names) for names in (latin, han, hangul, kana, cyrillic))),
    st.sampled_from(NORMAL_FORMS),
    st.sampled_from(NORMAL_FORMS),
    st.sampled_from([" ", ", ", "\n", "　", "_", " - "]),
    st.sampled_from(["", "患者", "1", "(", " "]),
    st.booleans(),
)
def test_a_name_of_two_words_is_found_in_any_script_form_and_order(
    name: tuple[str, str], header: str, text: str, between: str, before: str, reverse: bool
) -> None:
    words = name[::-1] if reverse else name
    found = unicodedata.normalize(text, f"The film of {before}{between.join(words)}的 is clear.")
    assert named(unicodedata.normalize(header, "^".join(name)), found)
    assert named(unicodedata.normalize(header, "^".join(name)), found.upper())


@given(st.tuples(latin, latin))
def test_umlauts_may_be_spelled_out_on_either_side(name: tuple[str, str]) -> None:
    table = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "ß": "ss"})
    spelled = " ".join(name).translate(table)
    assert named("^".join(name), spelled) and named(spelled.replace(" ", "^"), " ".join(name))


@given(
    latin,
    latin,
    st.lists(st.sampled_from(sorted(PARTICLES)), min_size=1, max_size=3, unique=True),
    st.sampled_from([" ", "-", "  "]),
)
def test_particles_may_be_written_together_on_either_side(
    family: str, given_name: str, led: list[str], gap: str
) -> None:
    apart, joined = gap.join([*led, family]), "".join([*led, family])
    for header, text in ((apart, joined), (joined, " ".join([*led, family])), (apart.upper(), joined.title())):
        assert named(f"{header}^{given_name}", f"The film of {given_name} {text} is clear.")
        assert named(f"{header}^{given_name}", f"Mr. {text} is well.")


@given(st.text())
def test_no_name_raises_and_a_report_without_it_is_cleared(name: str) -> None:
    parts = {part for each in name.split("=") for part in name_parts(each)}
    words = {word.lower() for text in spellings(NORMAL) for word in text.replace(".", "").split()}
    if not {spelling.lower() for part in parts for spelling in part.spellings} & words:
        assert not named(name, NORMAL)
