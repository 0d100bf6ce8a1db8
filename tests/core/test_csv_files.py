"""Every row of a table is read as it was written, or the file is refused in one line that names the place."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from radscribe.core.csv_files import NAME_WORDS, read_csv
from radscribe.core.errors import WrongUse

COLUMNS = ("study_id", "report")
# Whatever a UTF-8 file can hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ODD = ("\f", "\v", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\0", "\ufeff")
ROWS = st.lists(TEXT, min_size=1, max_size=6).map(lambda texts: [[f"s{i}", text] for i, text in enumerate(texts)])


def written(rows: list[list[str]], **dialect: object) -> str:
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(rows)  # type: ignore[arg-type]
    return text.getvalue()


def read(folder: Path, content: str | bytes, required: tuple[str, ...] = COLUMNS) -> list[list[str]]:
    path = folder / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [list(row.cells.values()) for row in read_csv(path, required)]


def refusal(folder: Path, content: str | bytes, required: tuple[str, ...] = COLUMNS) -> str:
    with pytest.raises(WrongUse) as refused:
        read(folder, content, required)
    assert "\n" not in str(refused.value) and "a.csv: " in str(refused.value)
    return str(refused.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@given(ROWS, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(",;\t"), st.booleans())
def test_what_was_written_is_read_back(
    folder: Path, rows: list[list[str]], quoting: int, delimiter: str, mark: bool
) -> None:
    text = written([[*COLUMNS], *rows], quoting=quoting, delimiter=delimiter)
    assert read(folder, "\ufeff" * mark + text) == rows


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_each_line_end_ends_a_row(folder: Path, ending: str) -> None:
    assert read(folder, ending.join(["study_id,report", "s1,a", "", 's2,"b\nc"', " , ", "s3,"])) == [
        ["s1", "a"],
        ["s2", "b\nc"],
        ["s3", ""],
    ]


@pytest.mark.parametrize("character", ODD)
def test_characters_that_python_takes_for_line_ends_are_part_of_a_report(folder: Path, character: str) -> None:
    assert read(folder, f"study_id,report\ns1,Small{character}effusion.\ns2,b\n")[0] == [
        "s1",
        f"Small{character}effusion.",
    ]


def test_a_field_of_any_length_is_read(folder: Path) -> None:
    long = 'Line "one",\n' * 100_000
    assert read(folder, written([[*COLUMNS], ["s1", long], ["s2", "b"]])) == [["s1", long], ["s2", "b"]]


def whole(text: str) -> list[list[str]]:
    """The records of strict CSV, one character at a time: a second reader that shares nothing with ours."""
    records, record, field = [], [], ""
    state = "start"
    for character in [*text.replace("\r\n", "\n").replace("\r", "\n"), None]:
        if state == "quoted":
            if character is None:
                raise ValueError("a quote never closes")
            if character == '"':
                state = "closed"
            else:
                field += character
        elif character == '"' and state == "closed":
            field, state = field + '"', "quoted"
        elif character == '"':
            if state != "start":
                raise ValueError("a quote inside a field")
            state = "quoted"
        elif character in (",", "\n", None):
            if character is None and state == "start" and not record:
                break
            record, field, state = [*record, field], "", "start"
            if character != ",":
                records, record = [*records, record], []
        elif state == "closed":
            raise ValueError("text behind a closing quote")
        else:
            field, state = field + character, "plain"
    return records


REPORTS = st.lists(
    st.sampled_from(["Clear.", "Small effusion, left.", "Findings:\nclear.", 'Tube "high".', "", "Opacity"]),
    min_size=2,
    max_size=6,
)
PIECES = ['"', '""', ",", "\n", "\r\n", "x", " ", '",', '\n"', "s2,"]


@given(REPORTS, st.booleans(), st.data())
def test_no_mutation_gives_a_patient_what_no_strict_reader_sees(
    folder: Path, reports: list[str], quoted: bool, data: st.DataObject
) -> None:
    rows = [[f"s{number}", report] for number, report in enumerate(reports)]
    text = written([[*COLUMNS], *rows], quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(text.index("\n") + 1, len(text)))
        text = text[:place] + data.draw(st.sampled_from(["", *PIECES])) + text[place + data.draw(st.integers(0, 2)) :]
    try:
        found = read(folder, text)
    except WrongUse as refused:
        assert "\n" not in str(refused)
        return
    fields = [re.sub(r"\r\n|\r", "\n", cell) for record in whole(text)[1:] for cell in record]
    seen = [[re.sub(r"\r\n|\r", "\n", cell) for cell in row] for row in found]
    assert [cell for row in seen for cell in row if cell.strip()] == [cell for cell in fields if cell.strip()]


@given(REPORTS, st.data())
@example(["Clear.", "Opacity"], None)
def test_a_quote_that_is_lost_never_joins_two_studies(folder: Path, reports: list[str], data: st.DataObject) -> None:
    """The mutation of all days: one quote is left out, or one too many is typed, at one place of one row."""
    rows = [[f"s{number}", report] for number, report in enumerate(reports)]
    text = written([[*COLUMNS], *rows])
    body = text.index("\n") + 1
    if data is None:
        text = text.replace("Clear", '"Clear')
    elif '"' in text and data.draw(st.booleans()):
        place = data.draw(st.sampled_from([match.start() for match in re.finditer('"', text)]))
        text = text[:place] + text[place + 1 :]
    else:
        place = data.draw(st.integers(body, len(text)))
        text = text[:place] + '"' + text[place:]
    try:
        found = read(folder, text)
    except WrongUse:
        return
    assert len(found) == len(rows)
    assert all(row[1].replace('"', "") == report.replace('"', "") for row, (_, report) in zip(found, rows, strict=True))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('study_id,report\ns1,a\ns2,"b\ns3,c\ns4,d\n', "the quote opened on line 3 never closes"),
        ('study_id,report\ns1,"a\nb"\ns2,"b', "the quote opened on line 4 never closes"),
        ('study_id,report\ns1,"a\ns2,b\ns3,"c"\n', "the quote opened on line 2 is closed on line 4"),
        ('"study_id","report"\n"s1","a\n"s2","b"\n', "the quote opened on line 2 is closed on line 3"),
        ('study_id,report\ns1,"a" b\n', "the quote opened on line 2 is closed on line 2"),
        ('study_id,report\ns1,a"\n', "line 2 has a quote inside a field"),
        ('study_id,report\ns1,Tube 5" high\n', "line 2 has a quote inside a field"),
        (
            'study_id,report\ns1,"a\ns2,b\ns3,c"\n',
            "a quote opened on line 2 runs on over line 3, which looks like a row",
        ),
        ('study_id,report\nx,"a\ny,b"\nz,c\n', "runs on over line 3"),
        ('study_id,report\nabc-x,"a\nabc-y,b 5"\nabc-z,c\n', "runs on over line 3"),
        ('study_id,report\nabcx,"a\nabcdy,b 5"\nabcz,c\n', "runs on over line 3"),
        ('study_id,report\na_b1,"a\na_bb2,b 5"\na_b3,c\n', "runs on over line 3"),
        ('study_id,report\nx7Gk2,"a, b\nc\nkk9Qa,d"\nA0p,e\n', "runs on over line 4"),
        ('study_id,report\n1.2.3,"a\n1.22.34.5,b"\n1.2.4,c\n', "runs on over line 3"),
        ('report,study_id\n"a,abc-x\nb 5",abc-y\nc,abc-z\n', "which looks like a row"),
        ('study_id,report,n\n7f3a99c2,"a,1\n99ab01de,b,2\n01234567,"\n', "runs on over line 3|does not have 3 fields"),
        ("study_id,report\ns1\n", "line 2 does not have 2 fields as the header does but 1"),
        ("study_id,report\ns1,a\ns2,a,b\n", "line 3 does not have 2 fields as the header does but 3"),
        ("study_id,report,report\ns1,a,b\n", "the column report appears twice"),
        ("", "it is empty"),
        ("\n \n", "it is empty"),
        (b"\xff\xfes\0t\0", "not UTF-8 text but UTF-16"),
        ("study_id,report\n".encode("utf-16-le"), "not UTF-8 text, it holds NUL characters"),
        (b"study_id,report\ns1,\xe9\n", "not UTF-8 text"),
        (b"study_id,report\ns1,\xed\xa0\x80\n", "not UTF-8 text"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(folder: Path, content: str | bytes, reason: str) -> None:
    assert re.search(reason, refusal(folder, content))


@pytest.mark.parametrize(
    "report",
    [
        "Findings:\nHeart, lungs: normal.",
        "1. Clear, no effusion.\n2. Heart, normal.",
        "T4, unchanged\nT5, new",
        "s2 is meant,\n s3,too",
        'He said "no",\nthen "yes".',
    ],
)
@pytest.mark.parametrize("keys", [("s1", "s2"), ("abc-x", "abc-y"), ("abc", "abcd"), ("a_b1", "a_bb2"), ("A1", "A2")])
def test_reports_of_several_lines_are_not_taken_for_rows(folder: Path, report: str, keys: tuple[str, str]) -> None:
    rows = [[keys[0], report], [keys[1], "Clear."]]
    if keys[0] == "A1" and "T4" in report:  # keys of the same form as the levels of the spine
        rows[0][1] = report.replace("T4", "At T4").replace("T5", "At T5")
    assert read(folder, written([[*COLUMNS], *rows])) == rows
    turned = [[report, key] for key, report in rows]
    assert read(folder, written([["report", "study_id"], *turned])) == turned


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), min_size=1, max_size=4))
@example([["s1", "The lungs of Quux Zebulon are clear."]])
@example([["1", "Zebulon"]])
@example([["Zebulon", "Quux"]])
def test_the_first_row_of_a_table_without_a_header_is_not_shown(folder: Path, rows: list[list[str]]) -> None:
    # A cell that is made of the words of columns' names, such as SUBJECT_ID, is one: it may be shown.
    named = [{word.casefold() for word in re.findall(r"[^\W_]+", cell)} for cell in rows[0]]
    assume(len(rows[0][1]) > 3 and not any(words and words <= NAME_WORDS for words in named))
    shown = refusal(folder, written(rows)).split("a.csv: ")[1]
    assert all(len(cell) < 4 or cell not in shown for cell in rows[0] if not re.fullmatch(r"[a-z ,]*", cell))


@pytest.mark.parametrize("row", ["p1,John Smith,patient rotated", "s1,Patient Hollerbach", "report,No effusion"])
def test_a_shared_word_shows_no_cell_of_a_table_without_a_header(folder: Path, row: str) -> None:
    shown = refusal(folder, f"{row}\n", ("patient_id", "report")).split("is missing; ")[1]
    assert not {"John", "Smith", "rotated", "Hollerbach", "effusion"} & {*re.findall(r"\w+", shown)}


def test_a_header_that_lacks_a_column_is_shown(folder: Path) -> None:
    header = "PatientID,Report Text,Zebulon,a b"
    assert "its columns are PatientID, Report Text and 2 more" in refusal(folder, f"{header}\n")
    assert "is missing; its columns are study_id, text" in refusal(folder, "study_id,text\ns1,a\n")


def test_semicolons_and_tabs_are_seen_where_commas_do_not_give_the_columns(folder: Path) -> None:
    for delimiter in ";\t":
        text = written([[*COLUMNS], ["s1", "a, b"]], delimiter=delimiter, quoting=csv.QUOTE_ALL)
        assert read(folder, text) == [["s1", "a, b"]]
