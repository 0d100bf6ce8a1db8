"""Files as people have them, given to the verbs: read as they are, or one line and exit code 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from makers import NORMAL, OPACITY, write_film, write_table
from radscribe.evaluation.report_files import read_reports

Run = Callable[..., tuple[int, str, str]]
GOOD = {"s1": "The lungs are clear. No effusion.", "s2": "Small left pleural effusion.", "s3": "Cardiomegaly."}


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for number in range(3):
        write_film(tmp_path / "films" / "sub" / f"f{number}.png", number)
    return tmp_path / "films"


def one_line(done: tuple[int, str, str]) -> str:
    code, _, error = done
    assert code == 2 and error.count("\n") == 1 and error.startswith("radscribe: "), error
    return error


def annotation(films: Path) -> str:
    splits = ("train", "val", "test")
    reports = (NORMAL, OPACITY, NORMAL.replace("normal", "small"))
    return json.dumps(
        {
            split: [{"id": f"CXR{number}_IM", "report": reports[number], "image_path": [f"sub/f{number}.png"]}]
            for number, split in enumerate(splits)
        }
    )


def test_a_byte_order_mark_is_read_by_every_verb(films: Path, tmp_path: Path, run: Run) -> None:
    def marked(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        return str(tmp_path / name)

    said = marked("a.json", json.dumps(GOOD))
    table = marked("b.csv", "study_id,report\n" + "".join(f"{study},{report}\n" for study, report in GOOD.items()))
    assert read_reports(Path(said)) == read_reports(Path(table)) == GOOD
    given = marked("annotation.json", annotation(films))
    options = ("--images", str(films), "--size", "32", "--workers", "1")
    assert run("prepare", "annotation", "--annotation", given, *options, "--out", str(tmp_path / "o"))[0] == 0
    for name in ("one", "two"):
        files = ("--hypotheses", said, "--references", table, "--out", str(tmp_path / f"{name}.json"))
        assert run("score", *files, "--metrics", "bleu", "--resamples", "10")[0] == 0
        marked(f"{name}.json", (tmp_path / f"{name}.json").read_text())
    assert run("compare", str(tmp_path / "one.json"), str(tmp_path / "two.json"), "--resamples", "10")[0] == 0


def test_a_vocabulary_of_another_encoding_is_one_line(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.json").write_text(json.dumps(GOOD))
    (tmp_path / "words.txt").write_bytes("café".encode("latin-1"))
    said = str(tmp_path / "a.json")
    arguments = ("--hypotheses", said, "--references", said, "--out", str(tmp_path / "c.json"))
    done = run("score", *arguments, "--unknown-words", str(tmp_path / "words.txt"))
    assert "words.txt: not UTF-8 text" in one_line(done) and not (tmp_path / "c.json").exists()


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_quote_that_never_closes_prepares_nothing(films: Path, tmp_path: Path, run: Run, ending: str) -> None:
    (tmp_path / "t.csv").write_bytes(
        ending.join(["image,report,patient_id", 'sub/f0.png,"Clear.,a', "sub/f1.png,Opacity.,b", ""]).encode()
    )
    done = run(
        "prepare", "table", "--table", str(tmp_path / "t.csv"), "--images", str(films), "--out", str(tmp_path / "o")
    )
    assert "line 2 never closes" in one_line(done) and not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": {"image_path": [3]}}, "study a has neither key_image_path nor image_path"),
        ({"a": {"image_path": {"x": 1}}}, "study a has neither"),
        ({"a": {"key_image_path": 7}}, "study a has neither"),
        ({"a": ["x.png"]}, "study a is not a JSON object"),
        ([[]], "not a JSON object but a list"),
    ],
)
def test_wrong_types_in_a_rexrank_file_are_one_line(tmp_path: Path, run: Run, content: object, reason: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    done = run("rexrank", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--images", str(tmp_path))
    assert reason in one_line(done)


@pytest.mark.parametrize("name", ["unclosed.csv", "unclosed-last.csv"])
def test_the_given_tables_with_an_open_quote(
    shared_cases: Path, films: Path, tmp_path: Path, run: Run, name: str
) -> None:
    table = shared_cases / "csv-unclosed-quote" / name
    done = run("prepare", "table", "--table", str(table), "--images", str(films), "--out", str(tmp_path / "o"))
    assert "the quote opened on line 4" in one_line(done)


def test_the_given_reports(shared_cases: Path, tmp_path: Path, run: Run) -> None:
    good = shared_cases / "csv-splitlines" / "good.csv"
    expected = read_reports(good)
    for path in sorted(good.parent.glob("hyp-*.csv")):
        found = read_reports(path)
        assert found.keys() == expected.keys()
        assert {study for study in found if found[study] != expected[study]} == {"s2"} and "enlarged" in found["s2"]
    for case, shown in (
        ("csv-unclosed-quote/score-unclosed.csv", "line 3"),
        ("privacy-headerless-csv/headerless.csv", ""),
    ):
        given = ("--hypotheses", str(shared_cases / case), "--references", str(good), "--out", str(tmp_path / "c.json"))
        error = one_line(run("score", *given))
        assert shown in error and "Quux" not in error and "lungs" not in error


def test_the_given_vocabulary_is_one_line(shared_cases: Path, tmp_path: Path, run: Run) -> None:
    good = str(shared_cases / "csv-splitlines" / "good.csv")
    given = ("--unknown-words", str(shared_cases / "vocabulary-encoding" / "latin1.txt"))
    both = ("--hypotheses", good, "--references", good, "--out", str(tmp_path / "c.json"))
    assert "not UTF-8" in one_line(run("score", *both, *given))


def test_the_given_listings(shared_cases: Path, tmp_path: Path, run: Run) -> None:
    folder = shared_cases / "csv-backslash-path"
    options = ("--images", str(folder / "films"), "--size", "32", "--workers", "1")
    table = ("--table", str(folder / "backslash.csv"))
    assert run("prepare", "table", *table, *options, "--out", str(tmp_path / "a"))[0] == 0
    given = ("--annotation", str(shared_cases / "json-bom" / "bom.json"))
    assert run("prepare", "annotation", *given, *options, "--out", str(tmp_path / "b"))[0] == 0


def test_other_tables_are_read_by_the_same_reader(films: Path, tmp_path: Path, run: Run) -> None:
    write_table(tmp_path / "labels.csv", [{"image": "a.png", "labels": "Mass", "patient_id": "1"}])
    with (tmp_path / "labels.csv").open("a") as file:
        file.write('b.png,"Mass,2\n')
    reports = tmp_path / "reports.tgz"
    reports.write_bytes(b"")
    given = ("--images", str(tmp_path / "labels.csv"), "--reports", str(reports), "--out", str(tmp_path / "o"))
    assert "line 3 never closes" in one_line(run("prepare", "unpaired", *given))
    (tmp_path / "patients.csv").write_text('study_id,patient_id\ns1,"a\ns2,b\ns3,c\n')
    (tmp_path / "a.json").write_text(json.dumps(GOOD))
    said = str(tmp_path / "a.json")
    arguments = ("--hypotheses", said, "--references", said, "--out", str(tmp_path / "c.json"))
    assert "line 2 never closes" in one_line(run("score", *arguments, "--patients", str(tmp_path / "patients.csv")))
