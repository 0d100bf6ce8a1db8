"""Measure our language figures beside pycocoevalcap and its Java, and the rule labeler, on pairs of real reports."""

from __future__ import annotations

import random
import resource
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from radscribe.bench.rows import SpeedRow, seconds
from radscribe.core.errors import RadscribeError
from radscribe.data.sources.iu_reports import read_reports
from radscribe.labels.rules import label_report
from radscribe.metrics.meteor import meteor
from radscribe.metrics.nlg import BLEU, LanguageScores, score_language
from radscribe.metrics.protocols import tokenize
from radscribe.metrics.significance import Resampling

Texts = Mapping[int, list[str]]  # row -> its one text, as pycocoevalcap takes them

PAIRS = 3858
SPLIT_ON_SPACE = ("bleu", "rouge_l", "cider")
# The peers compute no intervals.
NO_INTERVALS = Resampling(resamples=0)


def measure(archive: Path, pairs: int = PAIRS, repeats: int = 5) -> tuple[list[SpeedRow], float]:
    """The rows of the speed table, and the peak memory of our part in GB (the whole process, before any peer runs).

    Pairs are drawn, with a fixed seed, from the findings of ``NLMCXR_reports.tgz``.

    Raises:
        RadscribeError: pycocoevalcap or Java is missing, or the archive is not that archive.
    """
    peers = _peers()
    hypotheses, references = drawn_pairs(archive, pairs)
    both = [*hypotheses, *references]
    said, true = ({row: [text] for row, text in enumerate(texts)} for texts in (hypotheses, references))
    with tqdm(total=6, desc="measuring", disable=None, leave=False) as progress:

        def measured(run: Callable[[], Any], times: int = repeats) -> tuple[float, Any]:
            found = seconds(run, times)
            progress.update()
            return found

        floor, _ = measured(lambda: [text.split() for text in both])
        ours_s, ours = measured(lambda: score_language(hypotheses, references, NO_INTERVALS, SPLIT_ON_SPACE))
        meteor_s, our_meteor = measured(lambda: meteor(hypotheses, references))
        labels_s, _ = measured(lambda: [label_report(text) for text in both])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        theirs_s, theirs = measured(lambda: peers.language(said, true), max(1, repeats // 2))
        java_s, java = measured(lambda: peers.meteor(said, true), max(1, repeats // 2))
    assert our_meteor is not None  # pycocoevalcap is installed
    meteors = [our_meteor.corpus - java[0], *(our_meteor.per_study - np.array(java[1]))]
    setting, peer = f"{pairs:,} pairs", "pycocoevalcap"
    rows = [
        SpeedRow("BLEU-1 to 4, ROUGE-L, CIDEr", peer, setting, ours_s, theirs_s, _worst(ours, theirs), 20, floor),
        SpeedRow("METEOR 1.5, tables read", f"{peer}, Java", setting, meteor_s, java_s, _largest(meteors), 3, floor),
        SpeedRow("18 rule labels of both sides", None, setting, labels_s, None, "", None, floor),
    ]
    return rows, memory


def drawn_pairs(archive: Path, pairs: int) -> tuple[list[str], list[str]]:
    """``pairs`` hypotheses and as many references, tokenized findings drawn from the reports of ``archive``.

    Raises ``RadscribeError`` where the archive is not ``NLMCXR_reports.tgz``.
    """
    draw = random.Random(0)
    reports = [tokenize(report.findings) for report in read_reports(archive) if report.findings]
    hypotheses, references = ([draw.choice(reports) for _ in range(pairs)] for _ in range(2))
    return hypotheses, references


@dataclass(frozen=True)
class _Peers:
    """The scorers of pycocoevalcap, for BLEU, ROUGE-L and CIDEr, and for METEOR by Java."""

    language: Callable[[Texts, Texts], Any]
    meteor: Callable[[Texts, Texts], Any]


def _peers() -> _Peers:
    """Raises ``RadscribeError`` where pycocoevalcap or Java is missing."""
    try:
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.meteor.meteor import Meteor
        from pycocoevalcap.rouge.rouge import Rouge
    except ImportError:
        raise RadscribeError("pycocoevalcap: not installed; pip install 'radscribe[nlg]'") from None
    if shutil.which("java") is None:
        raise RadscribeError("java: not installed; METEOR's jar, which is measured too, needs it")

    def language(said: Texts, true: Texts) -> Any:
        return [
            Bleu(4).compute_score(true, said, verbose=0),
            Rouge().compute_score(true, said),
            Cider().compute_score(true, said),
        ]

    def by_java(said: Texts, true: Texts) -> Any:
        scorer = Meteor()  # starts Java, which reads its tables
        try:
            return scorer.compute_score(true, said)
        finally:
            scorer.meteor_p.kill()
            scorer.meteor_p.wait()

    return _Peers(language, by_java)


def _worst(ours: LanguageScores, theirs: Sequence[tuple[Any, Any]]) -> str:
    """The largest difference of any figure, of the corpus and of each study."""
    (bleu, bleu_rows), (rouge, rouge_rows), (cider, cider_rows) = theirs
    names = (*BLEU, "rouge_l", "cider")
    differences: list[float] = []
    for name, corpus, rows in zip(names, (*bleu, rouge, cider), (*bleu_rows, rouge_rows, cider_rows), strict=True):
        figure = ours.figures[name]
        differences += [float("nan") if figure is None else figure.value - corpus, *(ours.per_study[name] - rows)]
    return _largest(differences)


def _largest(differences: Sequence[float]) -> str:
    return f"largest difference {np.abs(differences).max():.1e}"
