"""`radscribe compare` as its users run it: scorecards in, Markdown on the screen, files in a folder."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radscribe.evaluation.scorecard.card import score

Run = Callable[..., tuple[int, str, str]]

REFERENCES = {
    f"s{row}": ("There is cardiomegaly.", "Small left effusion.", "Clear lungs.")[row % 3] for row in range(12)
}
OTHERS = dict.fromkeys(REFERENCES, "Clear lungs.")


@pytest.fixture
def cards(tmp_path: Path) -> list[str]:
    """Three systems' scorecards in one folder, the last by another protocol."""
    systems = {"ours": REFERENCES, "theirs": OTHERS, "old": OTHERS}
    paths = []
    for name, reports in systems.items():
        protocol = "full" if name == "old" else "r2gen-iu"
        card = score(reports, REFERENCES, protocol, metrics=("bleu", "rouge_l"), resamples=20)
        paths.append(str(card.save(tmp_path / f"{name}.json")))
    return paths


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tables_and_a_picture_are_left_in_the_folder(run: Run, cards: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out" / "comparison"
    code, output, errors = run("compare", *cards, "--out", str(out), "--resamples", "99")
    assert code == 0, errors
    assert {path.name for path in out.iterdir()} == {
        "comparison.md",
        "comparison.csv",
        "comparison-tests.csv",
        "comparison-differences.csv",
        "comparison.png",
    }
    assert (out / "comparison.md").read_text(encoding="utf-8").strip() == output.strip()
    for words in (
        "## Figures as scored",
        "| BLEU-4",
        "ours - theirs",
        "Scored otherwise: old against ours",
        "| protocol",
    ):
        assert words in output, words
    tables = [[line for line in part.splitlines() if line.startswith("|")] for part in output.split("\n\n")]
    assert all(len({len(line) for line in table}) == 1 for table in tables if table)

    figures = rows(out / "comparison.csv")
    assert {row["system"] for row in figures} == {"ours", "theirs", "old"} and len(figures) == 3 * 2 * 11
    perfect = next(row for row in figures if (row["system"], row["figure"]) == ("ours", "micro_f1"))
    assert float(perfect["value"]) == 1 and perfect["scoring"] == "own" and perfect["studies"] == "12"
    tests = rows(out / "comparison-tests.csv")
    assert len(tests) == 2 * 11
    assert all(0 < float(row["randomization_p"]) <= float(row["randomization_p_holm"]) <= 1 for row in tests)
    written = rows(out / "comparison-differences.csv")
    assert {row["setting"] for row in written} == {"protocol", "all together"} and {
        row["system"] for row in written
    } == {"old"}

    pixels = np.asarray(Image.open(out / "comparison.png").convert("L"))
    assert min(pixels.shape) > 300 and (pixels < 250).mean() > 0.01


def test_names_and_pairs_can_be_chosen(run: Run, cards: list[str]) -> None:
    options = ("--names", "A, B,C", "--all-pairs", "--resamples", "9")
    code, output, _ = run("compare", *cards, *options)
    assert code == 0
    assert "# Comparison of A, B, C" in output and "| B - C" in output and "theirs" not in output


def test_words_of_a_vocabulary_are_taken_from_its_file(run: Run, cards: list[str], tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("clear\nlungs\n.\n")
    card = score(OTHERS, REFERENCES, "full", metrics=("bleu",), vocabulary={"clear", "lungs", "."}, resamples=9)
    path = str(card.save(tmp_path / "unknown.json"))
    code, output, _ = run("compare", cards[0], path, "--resamples", "9")
    assert code == 0 and "give its file (--unknown-words)" in output
    code, output, _ = run("compare", cards[0], path, "--resamples", "9", "--unknown-words", str(words))
    assert code == 0 and "--unknown-words" not in output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("{0}",), "give at least two"),
        (("{0}", "{0}"), "given twice"),
        (("{0}", "{1}", "--names", "A"), "1 names for 2 scorecards"),
        (("{0}", "none.json"), "none.json: no such file"),
        (("{0}", "{1}", "--unknown-words", "none.txt"), "none.txt"),
        (("{0}", "{1}", "--resamples", "0"), "resamples"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    run: Run, cards: list[str], arguments: tuple[str, ...], reason: str
) -> None:
    code, _, errors = run("compare", *(argument.format(*cards) for argument in arguments))
    assert code == 2 and reason in errors and "Traceback" not in errors
