"""Figures of a predictions file against pycocoevalcap on R2Gen's own processing of both sides, written anew here."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from radscribe.metrics.nlg import BLEU, score_language
from radscribe.metrics.protocols import PROTOCOLS, known_words, read_by, vocabulary_of
from radscribe.metrics.significance import Resampling

METRICS = ("bleu", "rouge_l", "cider")
END = 0
SENTENCES = (
    "The cardiomediastinal silhouette is within normal limits for size and contour.",
    "1. No focal consolidation, pneumothorax, or large pleural effusion.",
    "2. Negative for acute displaced rib fracture.",
    "There is a calcified granuloma in the right upper lobe measuring 5.2 cm..",
    "XXXX scarring; stable degenerative changes of the thoracic spine/ribs (mild).",
    "The lungs are clear bilaterally. . Heart size is normal.",
)
ODD_WORDS = ("azygos", "eventration", "Bochdalek", "cholelithiasis")


class Tokenizer:
    """What R2Gen's tokenizer and data set do to reports: ids with 0 at both ends, cut, and back to text."""

    def __init__(self, training: Sequence[str], limit: int, threshold: int) -> None:
        self.limit = limit
        counts = Counter(word for report in training for word in clean(report).split())
        words = sorted([*(word for word, count in counts.items() if count >= threshold), "<unk>"])
        self.ids = {word: number for number, word in enumerate(words, start=1)}
        self.words = {number: word for word, number in self.ids.items()}

    def ids_of(self, report: str) -> list[int]:
        ids = [self.ids.get(word, self.ids["<unk>"]) for word in clean(report).split()]
        return [END, *ids, END][: self.limit]

    def text_of(self, ids: Sequence[int]) -> str:
        ids = list(ids)
        return " ".join(self.words[number] for number in ids[: ids.index(END) if END in ids else len(ids)])


def clean(report: str) -> str:
    """R2Gen's cleaning of IU X-Ray, by its regular expression."""
    for old, new in (
        *[("..", ".")] * 3,
        ("1. ", ""),
        *[(f". {number}. ", ". ") for number in "2345"],
        *[(f" {number}. ", ". ") for number in "2345"],
    ):
        report = report.replace(old, new)
    pieces = [re.sub(r"[\"/\\']", "", piece).strip().lower() for piece in report.strip().lower().split(". ")]
    return " . ".join(re.sub(r"[.,?;*!%^&_+():-\[\]{}]", "", piece) for piece in pieces) + " ."


def drawn_reports(count: int) -> list[str]:
    """Reports like those of IU X-Ray, a third of them longer than the limit, some with words seen once."""
    draw = random.Random(5)
    reports = []
    for _ in range(count):
        report = " ".join(draw.choices(SENTENCES, k=draw.randint(1, 9)))
        reports.append(report.replace("calcified", draw.choice(ODD_WORDS)) if draw.random() < 0.05 else report)
    return reports


def generated(tokenizer: Tokenizer, reports: Sequence[str]) -> list[str]:
    """What a model could write: other studies' ids without the start, up to the limit, some without a last stop."""
    draw = random.Random(6)
    found = []
    for report in reports:
        longer = [tokenizer.ids.get(word, tokenizer.ids["<unk>"]) for word in clean(report).split()]
        ids = [number if draw.random() < 0.95 else draw.randint(1, len(tokenizer.words)) for number in longer]
        found.append(tokenizer.text_of(ids[: draw.choice((tokenizer.limit, tokenizer.limit, len(ids) - 1))]))
    return [" ".join(text.split()[: tokenizer.limit]) for text in found]


def of_pycocoevalcap(said: Sequence[str], true: Sequence[str]) -> list[float]:
    references, hypotheses = ({row: [text] for row, text in enumerate(side)} for side in (true, said))
    bleu = Bleu(4).compute_score(references, hypotheses, verbose=0)[0]
    others = [scorer.compute_score(references, hypotheses)[0] for scorer in (Rouge(), Cider())]
    return [*bleu, *others]


def ours(protocol: str, said: Sequence[str], true: Sequence[str], words: frozenset[str] | None) -> list[float]:
    said, true = read_by(PROTOCOLS[protocol], said, true)
    if words is not None:
        true = [known_words(text, words) for text in true]
    figures = score_language(said, true, Resampling(resamples=0), METRICS).figures
    return [figure.value for name in (*BLEU, "rouge_l", "cider") if (figure := figures[name])]


def held_against_r2gen(training: Sequence[str], testing: Sequence[str], threshold: int) -> None:
    tokenizer = Tokenizer(training, limit=60, threshold=threshold)
    decoded = [tokenizer.text_of(tokenizer.ids_of(report)[1:]) for report in testing]
    predictions = generated(tokenizer, [*testing[1:], testing[0]])
    assert max(len(text.split()) for text in decoded) == 59
    assert max(len(text.split()) for text in predictions) == 60
    assert any("<unk>" in text for text in decoded) and any(not text.endswith(".") for text in predictions)
    words = vocabulary_of(PROTOCOLS["r2gen-iu"], training, threshold)
    assert words == tokenizer.ids.keys() - {"<unk>"}
    expected = of_pycocoevalcap(predictions, decoded)
    assert ours("r2gen-iu", predictions, testing, words) == pytest.approx(expected, abs=1e-9)
    assert ours("as-is", predictions, decoded, None) == pytest.approx(expected, abs=1e-9)


def test_r2gen_iu_is_r2gens_own_processing() -> None:
    reports = drawn_reports(260)
    held_against_r2gen(reports[:200], reports[200:], threshold=3)


def test_r2gen_iu_is_r2gens_own_processing_of_its_own_annotation(shared_data: Path) -> None:
    content = json.loads((shared_data / "iu_xray" / "annotation_r2gen.json").read_text(encoding="utf-8"))
    training, testing = ([entry["report"] for entry in content[split]] for split in ("train", "test"))
    held_against_r2gen(training, testing, PROTOCOLS["r2gen-iu"].threshold or 0)


def test_one_word_more_or_less_is_another_figure() -> None:
    """The limit shows: with 60 words of a reference the figures are others in the third digit."""
    reports = drawn_reports(60)
    said = [" ".join(clean(report).split()[:60]) for report in reports]
    true = [" ".join(clean(report).split()[:59]) for report in reports]
    assert ours("r2gen-iu", said, reports, None) == pytest.approx(of_pycocoevalcap(said, true), abs=1e-9)
    assert of_pycocoevalcap(said, said)[:4] != pytest.approx(of_pycocoevalcap(said, true)[:4], abs=1e-3)


def test_as_is_scores_texts_as_pycocoevalcap_sees_them() -> None:
    said = ["The heart,  is normal .", "no effusion", " clear lungs . ", "Small LEFT effusion ."]
    true = ["the heart is normal .", "No effusion", "clear  lungs . .", "small left effusion ."]
    assert ours("as-is", said, true, None) == pytest.approx(of_pycocoevalcap(said, true), abs=1e-9)


def test_promptmrg_is_its_own_processing() -> None:
    """Its references are cut to 100 tokens between single spaces; of its drafts the last stop stands alone too."""
    reports = drawn_reports(40)
    drafts = [report.lower().replace("1. ", "").replace(". .", ".") for report in reversed(reports)]
    true = [" ".join(clean(" ".join(report.split())).split(" ")[:100]) for report in reports]
    said = [f"{draft} ".replace(". ", " . ").replace(" - ", "-") for draft in drafts]
    assert max(len(text.split(" ")) for text in true) == 100
    assert ours("promptmrg", drafts, reports, None) == pytest.approx(of_pycocoevalcap(said, true), abs=1e-9)
