"""Language figures: corpus BLEU-1..4, ROUGE-L and CIDEr through pycocoevalcap (the optional extra ``nlg``).

No PTB tokenizer and no METEOR jar: nothing here starts Java. Empty hypotheses are scored like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from radscribe.evaluation.significance import Figure, Floats, Resampling, interval
from radscribe.study import WrongUse

BLEU = ("bleu_1", "bleu_2", "bleu_3", "bleu_4")
FIGURES = (*BLEU, "meteor", "rouge_l", "cider")

METEOR_REASON = "needs the METEOR scorer, not part of this version"
EXTRA_REASON = "needs pycocoevalcap: pip install 'radscribe[nlg]'"
WORDLESS_REASON = "the references hold no words"

# pycocoevalcap's own constants, which stand in for smoothing
SMALL, TINY = 1e-9, 1e-15

TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class LanguageScores:
    """``figures`` by name, ``None`` where ``missing`` tells why; ``per_study`` holds ``N`` values a figure."""

    figures: Mapping[str, Figure | None]
    missing: Mapping[str, str]
    per_study: Mapping[str, Floats]


def tokenize(text: str) -> str:
    """The ``full`` protocol: lower case, white space folded, every punctuation mark a token of its own."""
    return " ".join(TOKEN.findall(text.lower()))


def score_language(
    hypotheses: Sequence[str], references: Sequence[str], resampling: Resampling | None = None
) -> LanguageScores:
    """Language figures of ``N`` tokenized hypotheses (see ``tokenize``) against one reference each."""
    if len(hypotheses) != len(references):
        raise WrongUse(f"{len(hypotheses)} hypotheses for {len(references)} references: give one a study")
    resampling = resampling or Resampling()
    figures: dict[str, Figure | None] = dict.fromkeys(FIGURES)
    missing = {"meteor": METEOR_REASON}
    if find_spec("pycocoevalcap") is None:
        missing |= {name: EXTRA_REASON for name in FIGURES if name != "meteor"}
        return LanguageScores(figures, missing, {})

    bleu, per_study = _bleu(hypotheses, references, resampling)
    figures |= bleu
    per_study["rouge_l"] = _rouge_l(hypotheses, references)
    if any(reference.split() for reference in references):
        per_study["cider"] = _cider(hypotheses, references)
    else:
        missing["cider"] = WORDLESS_REASON
    for name in ("rouge_l", "cider"):
        if name in per_study:
            sums = resampling.sums(np.column_stack([per_study[name], np.ones(len(hypotheses))]))
            figures[name] = interval(sums[:, 0] / sums[:, 1])
    return LanguageScores(figures, missing, per_study)


def _bleu(
    hypotheses: Sequence[str], references: Sequence[str], resampling: Resampling
) -> tuple[dict[str, Figure], dict[str, Floats]]:
    """Corpus BLEU with the closest reference length, and BLEU of each study alone."""
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=len(BLEU))
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        scorer += (hypothesis, [reference])
    _, by_study = scorer.compute_score(option="closest")
    # correct 1..4, possible 1..4, hypothesis length, reference length
    counts = np.array([[*c["correct"], *c["guess"], c["testlen"], c["reflen"][0]] for c in scorer.ctest])
    corpus = bleu_of_sums(resampling.sums(counts))
    figures = {name: interval(corpus[:, order]) for order, name in enumerate(BLEU)}
    return figures, {name: np.array(values) for name, values in zip(BLEU, by_study, strict=True)}


def bleu_of_sums(sums: Floats) -> Floats:
    """BLEU-1..4 (``... x 4``) of summed counts (``... x 10``), by pycocoevalcap's formula and constants.

    The counts are correct n-grams of order 1 to 4, possible n-grams of order 1 to 4, hypothesis and reference length.
    """
    orders = len(BLEU)
    precision = (sums[..., :orders] + TINY) / (sums[..., orders : 2 * orders] + SMALL)
    bleu = np.cumprod(precision, axis=-1) ** (1 / np.arange(1, orders + 1))
    length_ratio = (sums[..., -2] + TINY) / (sums[..., -1] + SMALL)
    penalty = np.exp(np.minimum(0, 1 - 1 / length_ratio))
    return np.asarray(bleu * penalty[..., None])


def _rouge_l(hypotheses: Sequence[str], references: Sequence[str]) -> Floats:
    from pycocoevalcap.rouge.rouge import Rouge

    scorer = Rouge()
    pairs = zip(hypotheses, references, strict=True)
    return np.array([scorer.calc_score([hypothesis], [reference]) for hypothesis, reference in pairs])


def _cider(hypotheses: Sequence[str], references: Sequence[str]) -> Floats:
    """CIDEr-D of each study, with document frequencies of the scored references."""
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    scorer = CiderScorer()
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        scorer += (hypothesis, [reference])
    _, by_study = scorer.compute_score()
    return np.asarray(by_study)
