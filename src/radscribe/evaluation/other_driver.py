"""Score reports with a package of another Python environment, which runs this file: it imports nothing of ours.

It is called with two paths: the pairs of reports with what is asked of them (JSON), and where the answer goes (JSON): a
file, because the models print to the output stream. Its folder is a temporary one, which packages may fill.
"""

from __future__ import annotations

import json
import logging
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any


def number(value: Any) -> float:
    """A float; not a number where the package has none for this study."""
    return float("nan") if value is None else float(value)


def radeval(module: Any, name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """One metric of RadEval: its columns, and its figures of the whole set where those are no means over studies."""
    options = asked["settings"].get(name)
    scorer = module.RadEval(
        metrics=[{name: options}] if options else [name], per_sample=True, show_progress=sys.stderr.isatty()
    )
    pairs = {"refs": asked["references"], "hyps": asked["hypotheses"]}
    answer: dict[str, Any] = {"values": {key: list(map(number, column)) for key, column in scorer(**pairs).items()}}
    if name in asked["whole"]:
        scorer.per_sample, scorer.detailed = False, True  # the loaded model scores again
        found = scorer(**pairs)
        # Of the nested ones, figures of each label, there is no end.
        answer["whole"] = {key: float(value) for key, value in found.items() if not isinstance(value, dict)}
    return answer


def cxrfescore(module: Any, name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """CXRFEScore without its cache on disk, which is a pickle and holds sentences of reports."""
    scorer = module.CXRFEScore(use_cache=False, num_workers=0)
    found = scorer.compute(hyps=asked["hypotheses"], refs=asked["references"])
    return {"values": {name: list(map(number, found["per_pair_similarity"]))}}


def ratescore(module: Any, name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """RaTEScore, pair by pair: in a list, a report without a sentence would move all later ones to other studies."""
    scorer = module.RaTEScore(use_gpu=import_module("torch").cuda.is_available())
    pairs = zip(asked["hypotheses"], asked["references"], strict=True)
    found = [scorer.compute_score([written], [expected]) for written, expected in pairs]
    return {"values": {name: [number(scores[0] if len(scores) == 1 else None) for scores in found]}}


def crimson(module: Any, name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """CRIMSON of each pair; a study without number where the language model's answer cannot be read."""
    scorer = module.CRIMSONScore(**asked["settings"][name])
    values = []
    for written, expected in zip(asked["hypotheses"], asked["references"], strict=True):
        try:
            values.append(number(scorer.evaluate(expected, written)["crimson_score"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            values.append(number(None))
    return {"values": {name: values}}


def radmatch(module: Any, name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """RadMatch: errors on actionable findings a report, and shares of findings as counts a report."""
    folders = {"reports_gt_dir": asked["references"], "reports_pred_dir": asked["hypotheses"]}
    for folder, reports in folders.items():
        Path(folder).mkdir()
        for place, report in enumerate(reports):
            Path(folder, f"{place}.txt").write_text(report, encoding="utf-8")
    module.run_all(output_dir="out", fewshot="chest-xr", **{key: key for key in folders}, **asked["settings"][name])
    found = []
    for place in range(len(asked["references"])):
        path = Path("out", "radmatch_results", "per_report_metrics", f"{place}.json")
        found.append(json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None)
    counts = {
        f"{name}_{pool}_{figure}": [
            [number(report and report["clinical_safety_summary"][f"{pool}_{count}"]) for report in found]
            for count in (hits, total)
        ]
        for pool in ("triage", "actionable")
        for figure, hits, total in (
            ("recall", "hit_count", "gt_total"),
            ("precision", "pred_hit_count", "pred_total"),
        )
    }
    errors = [number(report and report["actionable_errors_total"]) for report in found]
    return {"values": {f"{name}_actionable_errors": errors}, "shares": counts}


# By package: its module, its name at the index, how it scores.
PACKAGES = {
    "radeval": ("radeval", "radeval", radeval),
    "cxrfescore": ("cxrfescore", "cxrfescore", cxrfescore),
    "ratescore": ("RaTEScore", "RaTEScore", ratescore),
    "crimson": ("CRIMSON", "crimson-score", crimson),
    "radmatch": ("radmatch", "radmatch", radmatch),
}


def described(error: Exception) -> dict[str, Any]:
    """The error's type and the first line of its message with words in it; ``plain``: a missing module, file or key."""
    lines = [line.strip() for line in str(error).splitlines() if any(map(str.isalpha, line))]
    plain = isinstance(error, (ImportError, OSError))
    return {"type": type(error).__name__, "line": lines[0] if lines else "", "plain": plain}


def main() -> None:
    """Score with every metric by itself, so that one that fails (no network for its model) does not stop the others."""
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    module_name, distribution, scored = PACKAGES[asked["package"]]
    answer: dict[str, Any] = {"version": "", "values": {}, "whole": {}, "shares": {}, "errors": {}}
    logging.disable()  # a log may quote reports
    try:
        module = import_module(module_name)
        answer["version"] = version(distribution)
    except Exception as error:
        answer["failed"] = described(error)
        asked["metrics"] = []
    for name in asked["metrics"]:
        try:
            for kind, found in scored(module, name, asked).items():
                answer[kind].update(found)
        except Exception as error:
            answer["errors"][name] = described(error)
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
