"""Compute figures of the RadEval package in its own Python environment, since its pinned versions conflict with ours.

Its metrics need models that RadEval downloads, and some a language model at a service. Make the environment once:
``python3 -m venv radeval; radeval/bin/pip install 'radeval>=2'``.
"""

from __future__ import annotations

from collections.abc import Collection

from radscribe.core.errors import WrongUse
from radscribe.evaluation.other_packages import Metric, Package

# The names of RadEval 2.2.
RADEVAL = Package(
    "RadEval",
    "radeval>=2",
    {
        "radgraph": Metric(),
        "bertscore": Metric(),
        "radcliq": Metric(),
        "green": Metric(),
        "ratescore": Metric(),
        "bleu": Metric(whole_set=True),
        "rouge": Metric(),
        "radeval_bertscore": Metric(),
        "f1chexbert": Metric(whole_set=True),
        "f1radbert_ct": Metric(whole_set=True),
        "radgraph_radcliq": Metric(),
        "srrbert": Metric(whole_set=True),
        "temporal": Metric(),
        "crimson": Metric(("openai",), option="provider"),
        "mammo_green": Metric(("openai", "gemini"), local=False),
        "radfact_ct": Metric(("openai",), local=False),
    },
)
RADEVAL_METRICS = tuple(RADEVAL.metrics)


def require_radeval(metrics: Collection[str]) -> None:
    """Raise ``WrongUse`` for a name that is no metric of RadEval."""
    unknown = [name for name in metrics if name not in RADEVAL_METRICS]
    if unknown:
        raise WrongUse(f"RadEval metric {unknown[0]!r} is not one of {', '.join(RADEVAL_METRICS)}")
