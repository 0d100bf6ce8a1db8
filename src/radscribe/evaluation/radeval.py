"""Figures of the RadEval package, computed by a Python environment of its own since its pins conflict with ours.

RadGraph F1, BERTScore, RadCliQ, GREEN and RaTEScore need models that RadEval fetches; nothing of it is imported here.
Make the environment once: ``python3 -m venv radeval; radeval/bin/pip install 'radeval>=2'``.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.evaluation.scorecard.card import Scorecard
from radscribe.metrics.significance import Floats, interval

RADEVAL_METRICS = ("radgraph", "bertscore", "radcliq", "green", "ratescore")

# What the other environment runs. One metric at a time, so that one that fails (no network for its model, too little
# memory) loses no other; results go to a file because the models print as they please.
DRIVER = """
import json, sys
from importlib.metadata import version

def answer(content):
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(content, file)

try:
    from radeval import RadEval
except Exception as error:
    answer({"failed": f"RadEval cannot be imported ({error})"})
    sys.exit()
with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)
values, errors = {}, {}
for name in asked["metrics"]:
    try:
        found = RadEval(metrics=[name], per_sample=True, show_progress=sys.stderr.isatty())(
            refs=asked["references"], hyps=asked["hypotheses"])
        values[name] = {key: [float(value) for value in column] for key, column in found.items()}
    except Exception as error:
        errors[name] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
answer({"version": version("radeval"), "values": values, "errors": errors})
"""


@dataclass(frozen=True)
class RadEvalScores:
    """``values``: for each figure ``N`` numbers in the order asked; ``errors``: why a metric gave none."""

    version: str
    values: Mapping[str, Floats]
    errors: Mapping[str, str]


def run_radeval(
    python: Path, hypotheses: Sequence[str], references: Sequence[str], metrics: Collection[str] = RADEVAL_METRICS
) -> RadEvalScores:
    """Score ``N`` pairs of raw reports with the RadEval of the environment whose interpreter is ``python``.

    Raises:
        WrongUse: for an unknown metric or an interpreter that is not there.
        RadscribeError: one line, when RadEval is not installed there or its answer cannot be used.
    """
    unknown = [name for name in metrics if name not in RADEVAL_METRICS]
    if unknown:
        raise WrongUse(f"RadEval metric {unknown[0]!r} is not one of {', '.join(RADEVAL_METRICS)}")
    if not python.is_file():
        raise WrongUse(f"{python}: no such interpreter; make one with python3 -m venv DIR; DIR/bin/pip install radeval")
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "asked.json", Path(folder) / "answered.json"
        content = {"metrics": list(metrics), "hypotheses": list(hypotheses), "references": list(references)}
        asked.write_text(json.dumps(content), encoding="utf-8")
        command = [str(python), "-c", DRIVER, str(asked), str(answered)]
        # Its bars are for a terminal; elsewhere what its models print is noise.
        told = None if sys.stderr.isatty() else subprocess.DEVNULL
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=told, check=False)
        if done.returncode or not answered.is_file():
            raise RadscribeError(f"{python}: RadEval ended with exit code {done.returncode} and no answer")
        answer = json.loads(answered.read_text(encoding="utf-8"))
    if "failed" in answer:
        raise RadscribeError(f"{python}: {answer['failed']}; install it with {python} -m pip install 'radeval>=2'")
    values = {key: np.array(column) for found in answer["values"].values() for key, column in found.items()}
    wrong = [key for key, column in values.items() if column.shape != (len(hypotheses),)]
    if wrong:
        raise RadscribeError(f"RadEval {answer['version']} gave no number a study for {wrong[0]}; use radeval 2")
    return RadEvalScores(answer["version"], values, answer["errors"])


def with_radeval(card: Scorecard, scores: RadEvalScores) -> Scorecard:
    """The scorecard with RadEval's figures, each the mean over studies with its interval; a failed one says why.

    ``scores`` must be in the order of ``card.per_study.study_ids``.
    """
    rows = card.per_study
    count = len(rows.study_ids)
    figures, missing = {}, {f"radeval {name}": reason for name, reason in scores.errors.items()}
    for name, values in scores.values.items():
        if not all(math.isfinite(value) for value in values):
            missing[f"radeval {name}"] = "RadEval gave a study no finite number"
            continue
        sums = rows.resampling.sums(np.column_stack([values, np.ones(count)]))
        figures[name] = interval(sums[:, 0] / sums[:, 1])
    return replace(
        card,
        radeval=figures,
        missing={**card.missing, **missing},
        signature={**card.signature, "radeval": scores.version},
        per_study=replace(rows, language={**rows.language, **{f"radeval_{k}": v for k, v in scores.values.items()}}),
    )
