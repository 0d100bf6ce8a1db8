"""Score a CSV of reports, by whatever system, against a CSV of reference reports.

Shows:  reading reports, scoring them by the rules of the field, the figures with their intervals, and the scorecard on
        disk, which `radscribe compare` tests against others.
Run:    python examples/score_a_csv.py drafts.csv references.csv --out work/score
        python examples/score_a_csv.py                (writes two small CSV files of its own)
Time:   a few seconds; about a minute for some thousand reports.

Both files have the columns study_id and report, and hold the same studies. JSON (study id to report) works, too.

The same on the command line:
        radscribe score --hypotheses drafts.csv --references references.csv --out work/score/scorecard.json
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import radscribe
from radscribe.evaluation.report_files import read_reports
from radscribe.evaluation.scorecard.card import score
from radscribe.evaluation.scorecard.tables import markdown

# Study id: what a system wrote, and what a reader wrote.
REPORTS = {
    "study-1": ("The heart is enlarged. The lungs are clear.", "The heart is enlarged. The lungs are clear."),
    "study-2": (
        "There is a small left pleural effusion. The heart is normal in size.",
        "Small left pleural effusion. Heart size is normal. No pneumothorax.",
    ),
    "study-3": (
        "The lungs are clear. No pleural effusion or pneumothorax.",
        "There is a patchy opacity in the right lower lobe. No pleural effusion or pneumothorax.",
    ),
    "study-4": (
        "The lungs are clear. No pleural effusion or pneumothorax.",
        "The lungs are clear. No pleural effusion or pneumothorax. The heart is normal in size.",
    ),
    "study-5": (
        "There is mild pulmonary edema. The heart is enlarged.",
        "Mild pulmonary edema with an enlarged heart. Small right pleural effusion.",
    ),
    "study-6": (
        "A right pneumothorax is seen. There is no pleural effusion.",
        "There is no pneumothorax. There is no pleural effusion. The lungs are clear.",
    ),
    "study-7": (
        "There is atelectasis at the left lung base. The heart is normal in size.",
        "There is atelectasis at the left lung base. The heart is normal in size.",
    ),
    "study-8": (
        "The heart is normal in size. The lungs are clear.",
        "The heart is normal in size. The lungs are clear. No acute bony abnormality.",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Score a CSV of reports against a CSV of references.")
    parser.add_argument("hypotheses", nargs="?", type=Path, help="reports to score (default: an example of its own)")
    parser.add_argument("references", nargs="?", type=Path, help="reference reports of the same studies")
    parser.add_argument("--protocol", default="full", help="r2gen-iu, r2gen-mimic, promptmrg or full (cuts nothing)")
    parser.add_argument("--out", type=Path, default=Path("work/score_a_csv"), help="folder for the scorecard")
    arguments = parser.parse_args()
    if arguments.hypotheses and not arguments.references:
        parser.error("give both files, or none")

    try:
        files = (arguments.hypotheses, arguments.references) if arguments.hypotheses else make_files(arguments.out)
        run(*files, arguments.protocol, arguments.out)
    except radscribe.RadscribeError as error:  # an id on one side only, a missing column, an unknown protocol
        sys.exit(f"radscribe: {error}")


def run(hypotheses: Path, references: Path, protocol: str, out: Path) -> None:
    # METEOR is left out: it needs the extra "nlg" (pip install 'radscribe[nlg]').
    card = score(
        read_reports(hypotheses),
        read_reports(references, "references"),
        protocol,
        metrics=("bleu", "rouge_l", "cider"),
    )

    # A Figure prints as its value and its 95 % bootstrap interval; it has .value, .low and .high.
    print(f"studies:   {card.studies}")
    print(f"micro-F1:  {card.clinical.micro.f1}   (of the 14 conditions that the reports state)")
    print(f"BLEU-4:    {card.nlg['bleu_4']}")
    print(f"ROUGE-L:   {card.nlg['rouge_l']}")
    print("by condition:")
    for name, scores in card.clinical.per_condition.items():
        if scores.support or scores.false_positives:
            counts = f"{scores.true_positives} of {scores.support} found, {scores.false_positives} stated wrongly"
            print(f"   {name}: {counts}")
    for flag in card.flags:  # what should make you doubt the figures
        print(f"flag: {flag}")

    # scorecard.json has every figure and how it was made, no text; scores.parquet beside it has a row for each study.
    path = card.save(out)
    path.with_suffix(".md").write_text(markdown(card), encoding="utf-8")
    print(f"\nScorecard: {path}, {path.with_suffix('.md')}")


def make_files(folder: Path) -> tuple[Path, Path]:
    """Two small CSV files, as you would bring them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "drafts.csv", folder / "references.csv"
    for side, path in enumerate(paths):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("study_id", "report"))
            writer.writerows((study_id, pair[side]) for study_id, pair in REPORTS.items())
    print(f"No files were given; these were made: {paths[0]}, {paths[1]}\n")
    return paths


if __name__ == "__main__":
    main()
