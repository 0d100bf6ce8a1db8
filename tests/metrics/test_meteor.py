"""METEOR against the jar: stored values everywhere, the jar itself where Java is."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.data.sources.iu_reports import read_reports
from radscribe.metrics import meteor as package
from radscribe.metrics.meteor import STATISTICS, MeteorScores, corpus_score, meteor
from radscribe.metrics.meteor.counts import count
from radscribe.metrics.meteor.lexicon import STEM, Lexicon, string_hash
from radscribe.metrics.meteor.normalize import words_of
from radscribe.metrics.meteor.resources import read_paraphrases, read_word_lists, resource_folder
from radscribe.metrics.meteor.stem import stem

CHUNKS = STATISTICS.index("chunks")
STORED = json.loads((Path(__file__).parent / "meteor.json").read_text(encoding="utf-8"))
HYPOTHESES = [pair["hypothesis"] for pair in STORED["pairs"]]
REFERENCES = [pair["reference"] for pair in STORED["pairs"]]

installed = pytest.mark.skipif(resource_folder() is None, reason="pycocoevalcap is not installed")

# A small language: "a" and "b" have the same stem, "c" is another way to say "d e".
LETTERS = "abcdefghij"
LEXICON = Lexicon(
    function_words=frozenset("f"),
    keys={letter: string_hash(letter) for letter in LETTERS},
    like={"a": [(STEM, frozenset("b"))], "b": [(STEM, frozenset("a"))]},
    paraphrases={"c": {"d e": 2}},
    beginnings=frozenset("d"),
)
words = st.lists(st.sampled_from(LETTERS), max_size=12).map(tuple)


@pytest.fixture(scope="module")
def jar() -> Iterator[Any]:
    """The jar as pycocoevalcap runs it."""
    scorer = pytest.importorskip("pycocoevalcap.meteor.meteor", reason="pycocoevalcap is not installed")
    if shutil.which("java") is None:
        pytest.skip("Java is not installed")
    yield scorer.Meteor()


def assert_equal_to_the_jar(jar: Any, hypotheses: Sequence[str], references: Sequence[str]) -> None:
    corpus, scores = jar.compute_score(
        {number: [reference] for number, reference in enumerate(references)},
        {number: [hypothesis] for number, hypothesis in enumerate(hypotheses)},
    )
    ours = meteor(hypotheses, references)
    assert ours is not None
    np.testing.assert_allclose(ours.per_study, scores, rtol=0, atol=1e-12)
    assert ours.corpus == pytest.approx(corpus, rel=0, abs=1e-12)


@pytest.fixture(scope="module")
def ours() -> MeteorScores:
    scores = meteor(HYPOTHESES, REFERENCES)
    assert scores is not None
    return scores


@installed
def test_stored_values_of_the_jar_are_met(ours: MeteorScores) -> None:
    expected = np.array([pair["statistics"] for pair in STORED["pairs"]], dtype=float)
    whole = (expected[:, -2:] == expected[:, :2]).all(axis=1) & (expected[:, CHUNKS] == 1)
    expected[whole, CHUNKS] = 0
    np.testing.assert_array_equal(ours.statistics, expected)
    np.testing.assert_allclose(ours.per_study, [pair["score"] for pair in STORED["pairs"]], rtol=0, atol=1e-12)
    assert ours.corpus == pytest.approx(STORED["corpus"], rel=0, abs=1e-12)


@installed
def test_every_matcher_has_stored_values(ours: MeteorScores) -> None:
    assert (ours.statistics[:, 4:20].sum(axis=0) > 0).sum() >= 14


def test_the_jar_gives_the_stored_values(jar: Any) -> None:
    assert_equal_to_the_jar(jar, HYPOTHESES, REFERENCES)


def test_odd_texts_score_as_in_the_jar(jar: Any) -> None:
    """Few words often, so that the beam overflows; words that only the hash takes for one another; odd marks."""
    generator = random.Random(5)
    common = (
        "the",
        "a",
        "of",
        "no",
        ".",
        ",",
        "in",
        "at",
        "c6",
        "as",
        "c5",
        "heart",
        "hearts",
        "lungs",
        "mild",
        "mildly",
    )
    marks = (
        *"abZ09 .,'-`‘’“”–!?/()%&\"é\u00a0\u2003",
        "  ",
        "...",
        "''",
        " No. 3 ",
        " Dr. ",
        " U.S. ",
        "heart",
        "lungs ",
    )
    hypotheses, references = [], []
    for _ in range(150):
        some = generator.sample(common, generator.randint(1, len(common)))
        for texts in (hypotheses, references):
            texts.append(" ".join(generator.choices(some, k=generator.randint(0, 90))))
            texts.append("".join(generator.choices(marks, k=generator.randint(0, 30))))
    assert_equal_to_the_jar(jar, hypotheses, references)


def test_real_reports_score_as_in_the_jar(jar: Any, shared_data: Path) -> None:
    reports = [report.section("both") for report in read_reports(shared_data / "iu_xray" / "NLMCXR_reports.tgz")]
    generator = random.Random(9)
    references = generator.sample([report for report in reports if report], 300)
    hypotheses = generator.sample(references, 300)
    shuffled = [" ".join(generator.sample(reference.split(), len(reference.split()))) for reference in references]
    assert_equal_to_the_jar(jar, hypotheses + shuffled, references * 2)


@given(words)
def test_a_text_is_all_of_itself(text: tuple[str, ...]) -> None:
    statistics = count([(text, text)], LEXICON)
    assert statistics[0, 4:8].sum() == 2 * len(text) == statistics[0, -2:].sum()
    assert statistics[0, CHUNKS] == 0
    assert corpus_score(statistics) == pytest.approx([1.0 if text else 0.0])


@given(words)
def test_nothing_matches_an_empty_text(text: tuple[str, ...]) -> None:
    statistics = count([(text, ()), ((), text)], LEXICON)
    assert not statistics[:, 4:].any()
    np.testing.assert_array_equal(corpus_score(statistics), [0, 0])


@given(st.lists(st.tuples(words, words), max_size=6))
def test_counts_stay_within_the_texts_and_add_up(pairs: list[tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
    statistics = count(pairs, LEXICON)
    np.testing.assert_array_equal(statistics[:, :2], np.array([[*map(len, pair)] for pair in pairs]).reshape(-1, 2))
    np.testing.assert_array_equal(statistics[:, -2:], statistics[:, 4:20].reshape(-1, 8, 2).sum(axis=1))
    assert (statistics[:, -2:] <= statistics[:, :2]).all()
    assert (statistics[:, CHUNKS] <= statistics[:, -2:].min(axis=1)).all()
    scores = corpus_score(statistics)
    assert ((scores >= 0) & (scores <= 1)).all()
    alone = [count([pair], LEXICON)[0] for pair in pairs]
    np.testing.assert_array_equal(statistics, np.array(alone).reshape(-1, len(STATISTICS)))


@given(st.permutations("cfghij"), st.permutations("cfghij"))
def test_orders_of_the_same_words_are_symmetric(first: list[str], second: list[str]) -> None:
    there, back = count([(tuple(first), tuple(second)), (tuple(second), tuple(first))], LEXICON)
    np.testing.assert_array_equal(there, back)
    breaks = sum(second.index(word) + 1 != second.index(after) for word, after in pairwise(first))
    assert there[CHUNKS] == (breaks + 1 if breaks else 0)


def fewest_chunks(hypothesis: tuple[str, ...], reference: tuple[str, ...], size: int) -> int:
    """By trying all alignments of ``size`` exact matches."""
    fewest = size
    for places in combinations(range(len(reference)), size):
        for partners in permutations(range(len(hypothesis)), size):
            if all(reference[j] == hypothesis[i] for j, i in zip(places, partners, strict=True)):
                steps = pairwise(zip(places, partners, strict=True))
                fewest = min(fewest, 1 + sum((j + 1, i + 1) != after for (j, i), after in steps))
    return fewest


@given(*[st.lists(st.sampled_from("ghi"), min_size=1, max_size=3).map(tuple)] * 2)
def test_a_search_that_fits_into_the_beam_finds_the_best(
    hypothesis: tuple[str, ...], reference: tuple[str, ...]
) -> None:
    statistics = count([(hypothesis, reference)], LEXICON)[0]
    size = (Counter(hypothesis) & Counter(reference)).total()
    assert statistics[-1] == size
    if hypothesis != reference:
        assert statistics[CHUNKS] == (fewest_chunks(hypothesis, reference, size) if size else 0)


def test_a_phrase_may_match_a_word_and_a_stem_its_word_family() -> None:
    (statistics,) = count([(("a", "d", "e", "f"), ("b", "c", "f"))], LEXICON)
    named = dict(zip(STATISTICS, statistics, strict=True))
    assert (named["stem_hypothesis_content"], named["stem_reference_content"]) == (1, 1)
    assert (named["paraphrase_hypothesis_content"], named["paraphrase_reference_content"]) == (2, 1)
    assert (named["exact_hypothesis_function"], named["exact_reference_function"]) == (1, 1)
    assert named["chunks"] == 0


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("effusions", "effus"), ("opacities", "opac"), ("opacity", "opac"), ("enlarged", "enlarg"), ("clear", "clear"),
        ("vessels", "vessel"), ("atelectasis", "atelectasi"), ("congestion", "congest"), ("lying", "lie"),
        ("ties", "tie"), ("flies", "fli"), ("bypass", "bypass"), ("generalized", "general"), ("hopping", "hop"),
        ("sized", "size"), ("agreed", "agre"), ("positional", "posit"), ("hernia's", "hernia"), ("youth", "youth"),
        ("by", "by"), ("inning", "inning"), ("relative", "relat"), ("fall", "fall"), ("'", "'"),
    ],
)  # fmt: skip
def test_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("No effusion, no edema.", "no effusion , no edema ."),
        ("clear. the heart", "clear. the heart"),
        ("Dr. Roe saw 1,200 (No. 3). No. That's it", "dr. roe saw 1,200 ( no. 3 ) . no . that 's it"),
        ("follow-up 3.5 cm...U.S.-based", "follow up 3.5 cm ... us based"),
        ("the patients’ “x-ray” –", 'the patients \' " x ray " -'),
        ("5\u00a0mm\u2003wide\n", "5 mm wide"),
        (" ", ""),
    ],
)
def test_words_of_a_line(line: str, expected: str) -> None:
    assert " ".join(words_of(line, {"Dr": False, "No": True})) == expected


def test_words_with_the_hash_of_another_are_that_word_to_the_jar() -> None:
    assert string_hash("at") == string_hash("c6") == 3123
    assert string_hash("😀") == 1772899


@installed
def test_no_study_has_no_score() -> None:
    scores = meteor([], [])
    assert scores is not None
    assert scores.per_study.shape == (0,)
    assert scores.statistics.shape == (0, len(STATISTICS))
    assert scores.corpus == 0


def test_without_the_package_there_is_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "resource_folder", lambda: None)
    assert meteor(["clear lungs"], ["clear lungs"]) is None


def test_every_hypothesis_needs_a_reference() -> None:
    with pytest.raises(WrongUse, match="2 hypotheses for 1 references"):
        meteor(["", ""], [""])


def test_a_broken_package_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RadscribeError, match=r"meteor-1\.5\.jar: it cannot be read"):
        read_word_lists(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "paraphrase-en.gz").write_bytes(b"no gzip")
    with pytest.raises(RadscribeError, match=r"paraphrase-en\.gz: it cannot be read .*; install pycocoevalcap again"):
        read_paraphrases(tmp_path, [])


def test_neither_marks_nor_blocks_part_an_entry_and_a_cut_table_is_reported(tmp_path: Path) -> None:
    """Longer than two blocks of Arrow's reader, with what other tables quote, part or take for nothing."""
    times = 60_000
    content = gzip.compress('0.5\n" a\nb "\n\na\n\n0.5\na\né, NA\n0.5\na a\nb\n'.encode() * times)
    table = tmp_path / "data" / "paraphrase-en.gz"
    table.parent.mkdir()
    table.write_bytes(content)
    found = read_paraphrases(tmp_path, [('"', "a"), ("b", '"'), ("é,", "NA")])
    assert found == {'" a': ['b "'] * times, "a": ["", "é, NA"] * times}
    table.write_bytes(content[:-9])
    with pytest.raises(RadscribeError, match=r"paraphrase-en\.gz: it cannot be read"):
        read_paraphrases(tmp_path, [])


def test_texts_beyond_the_search_are_reported() -> None:
    with pytest.raises(RadscribeError, match="too long for METEOR"):
        count([(("a",) * 700, ("a",) * 699)], LEXICON)
