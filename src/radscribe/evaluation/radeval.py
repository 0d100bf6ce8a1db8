"""Compute figures of the RadEval package in its own Python environment, since its pinned versions conflict with ours.

RadGraph F1, BERTScore, RadCliQ, GREEN and RaTEScore need models that RadEval downloads; nothing of it is imported here.
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

# The program that the other environment runs: one metric at a time, so that one that fails (no network for its model,
# too little memory) does not stop the others; results go to a file because the models print to the output stream.
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
    """RadEval's figures of ``N`` pairs of reports."""

    version: str
    values: Mapping[str, Floats]  # by figure, N numbers each in the order of the pairs
    errors: Mapping[str, str]  # by metric, why it has no figure


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
        # Its progress bars are for a terminal; elsewhere the output of its models is noise.
        errors = None if sys.stderr.isatty() else subprocess.DEVNULL
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=errors, check=False)
        if done.returncode or not answered.is_file():
            raise RadscribeError(
                f"{python}: RadEval ended with exit code {done.returncode} and no answer; run it alone"
            )
        answer = json.loads(answered.read_text(encoding="utf-8"))
    if "failed" in answer:
        raise RadscribeError(f"{python}: {answer['failed']}; install it with {python} -m pip install 'radeval>=2'")
    values = {key: np.array(column) for found in answer["values"].values() for key, column in found.items()}
    wrong = [key for key, column in values.items() if column.shape != (len(hypotheses),)]
    if wrong:
        raise RadscribeError(f"RadEval {answer['version']}: {wrong[0]} has not one number a study; use radeval 2")
    return RadEvalScores(answer["version"], values, answer["errors"])


def with_radeval(card: Scorecard, scores: RadEvalScores) -> Scorecard:
    """The scorecard with RadEval's figures, each the mean over studies with its interval, or the reason it is missing.

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
